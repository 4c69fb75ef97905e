"""What the benchmark makes of its figures: standings, targets, claims and charts."""

from __future__ import annotations

import pytest
from benchmarks import case_of, made_up_results, run_module
from forzium.bench import probes
from forzium.bench.cases import Case
from forzium.bench.claims import Verdict, tables
from forzium.bench.libraries import LIBRARIES
from forzium.bench.probes import PROBES
from forzium.bench.results import Results, Row
from forzium.bench.standings import group_standings, standings
from forzium.bench.suites import SUITES


def made_up_standings() -> Results:
    cases = {
        key: Case(key, group, key, "elementwise", {"dtype": "float64"}, size)
        for key, group, size in (("add", "arithmetic", 8), ("exp", "exponential", 10**6))
    }
    rows = [
        Row(key, library, threads, rounds=[seconds])
        for key, ours, theirs in (("add", 1.0, 4.0), ("exp", 2.0, 1.0))
        for library, seconds in (("forzium", ours), ("numpy", theirs), ("torch", 8.0))
        for threads in (1, 2)
    ]
    return Results({}, {}, "", ["elementwise"], cases, (1, 2), rows=rows)


def test_standings_name_what_is_lost_and_its_mean() -> None:
    found = standings(made_up_standings())
    assert [(row.case.key, row.best, row.speed, row.lost) for row in found if row.threads == 1] == [
        ("add", "NumPy", 4.0, False),
        ("exp", "NumPy", 0.5, True),
    ]
    groups = {row.group: row for row in group_standings(found) if row.threads == 2}
    assert groups["all together"].mean == pytest.approx(2**0.5)
    assert (groups["all together"].lost, groups["all together"].count) == (1, 2)
    assert groups["exponential"].least == 0.5


def test_targets_on_elementwise_work_are_judged_by_the_figures() -> None:
    (table,) = tables(made_up_standings())
    met = {verdict.what.split(" (")[0]: verdict.met for verdict in table.verdicts}
    assert met["Every row"] is False
    assert met["Geometric mean of all rows"] is False
    assert met["Calls on 8 elements"] is True
    assert met["Memory-bound rows"] is None


PEERS = ("python", "numpy", "numexpr", "numba", "torch", "jax", "scipy")


def verdicts_with(ours: Row, key: str, threads: tuple[int, ...]) -> dict[str, Verdict]:
    """The verdicts where every row of a suite is good but one of forzium's. Callers have all threads only."""
    (suite,) = (suite for suite in SUITES.values() if key in {case.key for case in suite.cases})
    cases = {case.key: case for case in suite.cases}
    good = [
        Row(case.key, library, count, rounds=[seconds * (case.bytes or case.flops or 1)])
        for case in suite.cases
        for count in (threads[-1:] if case.callers else threads)
        for library, seconds in (("forzium", 1e-12), *((peer, 1e-11) for peer in PEERS), ("plain", 1e-12))
    ]
    rows = [row for row in good if (row.case, row.library, row.threads) != (key, "forzium", ours.threads)]
    results = Results({}, {}, "", [suite.name], cases, threads, rows=[*rows, ours])
    return {verdict.what.split(" (")[0]: verdict for table in tables(results) for verdict in table.verdicts}


JUDGED = {
    "add.float64.contiguous.8": ("Every row", "Geometric mean of all rows", "Calls on 8 elements"),
    "add.float64.contiguous.1e6": ("Every row", "Memory-bound rows"),
    "expression.wave.float32.1e6": ("Expressions beside numba's loop, beyond the caches",),
    "product.float32.8x8x8": ("Square products", "Square products, geometric mean", "Products: small"),
    "product.int8.64x64x64": ("Products: integers",),
    "callers.product.16": ("16 Python threads at once",),
    "transpose.uint8.1000": ("Transposes, beside JAX, OpenCV and PyTorch", "Transposes: bandwidth"),
    "multiply.inplace.8": ("multiply(x, 2.0, out=x) on 8 doubles",),
    "matmul.float32.512": ("matmul, float32",),
}


@pytest.mark.parametrize(
    ("state", "met"),
    [
        ({"rounds": [1e-12]}, True),
        ({"status": "wrong"}, False),
        ({"status": "crashed", "rounds": [1e-12]}, False),
        ({"status": "error"}, False),
        ({}, None),
    ],
    ids=["measured", "wrong", "crashed", "error", "interrupted"],
)
@pytest.mark.parametrize(("key", "whats"), JUDGED.items(), ids=JUDGED)
@pytest.mark.parametrize("threads", [(1,), (1, 2)], ids=["1 thread", "2 threads"])
def test_no_promise_is_kept_without_all_its_rows(key: str, whats, threads, state, met: bool | None) -> None:
    verdicts = verdicts_with(Row(key, "forzium", threads[-1], **state), key, threads)
    for what in whats:
        assert verdicts[what].met is met, what
        assert met is not False or state["status"] in verdicts[what].reached
        assert met is not None or "not measured" in verdicts[what].reached


@pytest.mark.parametrize(
    ("suite", "cases", "charts", "target"),
    [
        (
            "elementwise",
            ("add.float64.contiguous.1000", "add.float64.contiguous.8"),
            ("families", "curve-add"),
            "Every row",
        ),
        ("matmul", ("product.float64.8x8x8", "product.float64.16x16x16"), ("products",), "Square products"),
        ("conv", ("layer.1.16",), ("layers",), "Layers of ResNet-50"),
    ],
)
def test_suites_draw_their_charts(tmp_path, suite, cases, charts, target) -> None:
    arguments = [word for case in cases for word in ("--only", case)]
    chosen = (*arguments, "--libraries", "forzium", "numpy")
    done = run_module("forzium", "bench", suite, "--rounds", 1, *chosen, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    for chart in charts:
        assert (tmp_path / f"{chart}.png").read_bytes().startswith(b"\x89PNG")
    assert target in (tmp_path / "report.html").read_text()


def test_the_delay_of_an_expression_is_between_the_least_times_of_its_processes(monkeypatch) -> None:
    """The least of their differences would be that of the process whose second call was disturbed."""
    times = [(3e-3, 2.5e-3), (2.1e-3, 1e-3), (2.2e-3, 1.3e-3)] * 2
    answers = iter({"first": 0.01, "new": new, "again": again, "beyond_output": 0} for new, again in times)
    monkeypatch.setattr(probes, "_probe", lambda *arguments: next(answers))
    results = made_up_standings()
    results.probes["expression"] = PROBES["expression"](False, lambda text: None)
    (table,) = tables(results)
    (delay,) = (verdict for verdict in table.verdicts if "first evaluation" in verdict.what)
    assert delay.reached.startswith("1.10 ms")
    assert delay.met is False


@pytest.mark.parametrize(("seconds", "met"), [(0.9e-7, True), (1.1e-7, False)])
def test_targets_are_judged_by_the_figures(seconds: float, met: bool) -> None:
    targets = tables(made_up_results(seconds))[1].verdicts
    assert targets[0].met is met
    assert all(verdict.met is None for verdict in targets[1:])


@pytest.mark.parametrize(("seconds", "met"), [(1.0e-4, True), (1.1e-4, False)])
def test_many_callers_are_held_against_one_by_the_time_of_a_call(seconds: float, met: bool) -> None:
    """A row's seconds are those of one product, however many threads call."""
    cases = {case.key: case for case in SUITES["matmul"].cases if case.callers}
    rows = [
        Row(key, "forzium", 2, rounds=[1e-4 if case.callers == 1 else seconds]) for key, case in cases.items()
    ]
    (table,) = tables(Results({}, {}, "", ["matmul"], cases, (1, 2), rows=rows))
    assert {verdict.what: verdict.met for verdict in table.verdicts}["16 Python threads at once"] is met


@pytest.mark.parametrize(("seconds", "met"), [(1e-6, True), (1.05e-6, True), (1.1e-6, False)])
def test_threads_are_held_against_one_where_calls_are_shared(seconds: float, met: bool) -> None:
    """Below 50,000 elements, and in other layouts and operations, nobody promised that they help."""
    shared = ("add.float32.contiguous.5e4", "exp.float64.contiguous.1e5", "sum.float64.all.5e4")
    others = ("add.float32.contiguous.2e4", "add.float64.strided.1e5", "sum.float64.last.1e5")
    cases = {key: case_of(key) for key in (*shared, *others)}
    together = dict.fromkeys(others, 2e-6) | dict.fromkeys(shared, 1e-6) | {shared[0]: seconds}
    rows = [Row(key, "forzium", 1, rounds=[1e-6]) for key in cases]
    rows += [Row(key, "forzium", 2, rounds=[together[key]]) for key in cases]

    def judged(threads: tuple[int, ...]) -> bool | None:
        (table,) = tables(Results({}, {}, "", ["elementwise"], cases, threads, rows=rows))
        (verdict,) = (
            verdict for verdict in table.verdicts if verdict.wanted == "at least 0.95 of one's speed"
        )
        return verdict.met

    assert judged((1, 2)) is met
    assert judged((1,)) is None


def test_claims_and_targets_ask_for_what_the_suite_measures() -> None:
    """With a figure in every row, nothing is left unmeasured but what the probes find."""
    cases = {case.key: case for case in SUITES["guide"].cases}
    rows = [
        Row(key, library, threads, rounds=[1.0])
        for key in cases
        for library in LIBRARIES
        for threads in (1, 2)
    ]
    claims, targets = tables(Results({}, {}, "", ["guide"], cases, (1, 2), rows=rows))
    for verdict in claims.verdicts:
        if "pool" not in verdict.what and "GIL" not in verdict.what and "own memory" not in verdict.what:
            assert verdict.met is not None, verdict
    for verdict in targets.verdicts:
        if "import" not in verdict.what and "never loads" not in verdict.wanted:
            assert verdict.met is not None, verdict


def test_a_row_that_is_wrong_is_never_the_best() -> None:
    results = made_up_results(1e-7)
    results.rows.append(Row("multiply.inplace.8", "torch", 1, status="wrong", rounds=[1e-9]))
    assert results.best_peer("multiply.inplace.8", 1) == ("numpy", 3e-7)

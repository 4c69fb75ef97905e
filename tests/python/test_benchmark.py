"""The benchmark as its user meets it: files, honesty, and what happens when something goes wrong."""

from __future__ import annotations

import csv
import inspect
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import forzium
import numpy as np
import pytest
from forzium.bench import cli, functions, probes
from forzium.bench.cases import Case
from forzium.bench.claims import Verdict, tables
from forzium.bench.console import Console
from forzium.bench.libraries import LIBRARIES, load
from forzium.bench.operations import OPERATIONS
from forzium.bench.placement import MOST_BYTES, may_move, moved
from forzium.bench.probes import PROBES
from forzium.bench.report import write_report
from forzium.bench.results import Results, Row
from forzium.bench.standings import group_standings, standings
from forzium.bench.suites import SUITES, elementwise
from forzium.bench.worker import Worker

ROOT = Path(__file__).parents[2]

EIGHT = ("--only", "multiply.inplace.8", "--libraries", "forzium", "numpy", "numexpr")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.benchmark.benchmark_rust_python", "--quick", *map(str, arguments)]


def environment(modules: Path | None = None) -> dict[str, str]:
    """The environment, in which the modules of a folder come before installed ones."""
    path = os.environ.get("PYTHONPATH")
    folders = [str(modules)] if modules else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders + ([path] if path else []))}


def bench(*arguments: object, modules: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment(modules), capture_output=True, text=True, timeout=300
    )


def fake_module(folder: Path, name: str, source: str) -> Path:
    folder.mkdir()
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder / "results.json").read_text())["rows"]
    return rows


def test_a_run_leaves_json_csv_charts_and_a_report_that_stands_alone(tmp_path: Path) -> None:
    done = bench(*EIGHT, "python", "floor", "--only", "multiply.list.3", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    for library in ("forzium", "python", "numpy", "floor"):
        (row,) = (
            row
            for row in rows
            if (row["case"], row["library"], row["threads"]) == ("multiply.list.3", library, 1)
        )
        assert row["status"] == "ok"
        assert row["seconds"] == min(row["rounds"]) > 0  # type: ignore[call-overload]
    with (tmp_path / "results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    for chart in ("relative", "sizes"):
        assert (tmp_path / f"{chart}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{chart}.svg").read_text()
    report = (tmp_path / "report.html").read_text()
    assert "data:image/svg+xml;base64," in report
    assert "<link" not in report
    assert "<script" not in report
    assert 'src="http' not in report
    for text in (report, done.stdout):
        assert "The guide's claims" in text.replace("&#39;", "'")
        assert "The targets of this project" in text
        assert "not measured" in text


def test_a_folder_that_cannot_be_written_is_found_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begin = time.monotonic()
    done = bench("--output", tmp_path / "file" / "metrics")
    assert done.returncode == 2
    assert time.monotonic() - begin < 20
    assert done.stdout == ""
    assert done.stderr.startswith("forzium bench: cannot write results to ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "no such case"], "no case matches"),
        (["nosuite"], "there are: guide, elementwise"),
        (["--rounds", "0"], "--rounds is 0"),
    ],
)
def test_bad_arguments_are_one_clear_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = bench(*arguments, "--output", tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_library_that_is_not_installed_is_named_and_left_out(tmp_path: Path) -> None:
    absent = 'raise ModuleNotFoundError("No module named \'scipy\'", name="scipy")'
    modules = fake_module(tmp_path / "modules", "scipy", absent)
    done = bench(
        "--only",
        "conv2d.array.50",
        "--libraries",
        "forzium",
        "scipy",
        "--output",
        tmp_path / "metrics",
        modules=modules,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SciPy: not installed, its rows are left empty") == 1
    libraries = {row["library"] for row in rows_of(tmp_path / "metrics")}
    assert "forzium" in libraries
    assert "scipy" not in libraries
    assert "SciPy: not installed" in (tmp_path / "metrics" / "report.html").read_text()


FAKE_NUMEXPR = """
    import os, signal, sys, time
    __version__ = "0"

    def set_num_threads(count):
        pass

    def evaluate(expression, names, out):
"""


def test_a_wrong_result_is_reported_and_not_ranked(tmp_path: Path) -> None:
    modules = fake_module(tmp_path / "modules", "numexpr", FAKE_NUMEXPR + "        out[...] = 0\n")
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    rows = [row for row in rows_of(tmp_path / "metrics") if row["library"] == "numexpr"]
    assert rows
    for row in rows:
        assert row["status"] == "wrong"
        assert row["seconds"] is None
        assert "wrong by" in str(row["note"])


def test_what_a_library_prints_does_not_disturb(tmp_path: Path) -> None:
    source = FAKE_NUMEXPR + '        out *= names["factor"]; print("{noise"); os.write(1, b"noise}")\n'
    modules = fake_module(tmp_path / "modules", "numexpr", source)
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in rows_of(tmp_path / "metrics") if row["library"] == "numexpr"} == {"ok"}


def test_all_have_as_many_rounds_as_the_slowest(tmp_path: Path) -> None:
    slow = FAKE_NUMEXPR + '        out *= names["factor"]; time.sleep(0.2)\n'
    modules = fake_module(tmp_path / "modules", "numexpr", slow)
    done = bench(*EIGHT, "--rounds", 7, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    (rounds,) = {len(row["rounds"]) for row in rows_of(tmp_path / "metrics")}  # type: ignore[arg-type]
    assert 1 < rounds < 7


def test_a_crash_is_a_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = FAKE_NUMEXPR + "        os.kill(os.getpid(), signal.SIGKILL)\n"
    modules = fake_module(tmp_path / "modules", "numexpr", source)
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    statuses = {row["library"]: (row["status"], row["note"]) for row in rows_of(tmp_path / "metrics")}
    assert statuses["numexpr"] == ("crashed", "ended by SIGKILL")
    assert statuses["forzium"] == ("ok", "")


@pytest.mark.parametrize("reason", ["no answer within 300 s", "printed no figures"])
def test_a_probe_that_fails_is_noted_and_the_report_is_written(tmp_path, monkeypatch, reason) -> None:
    def run(command, **options):
        if reason.startswith("no answer"):
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, 0, stdout="Segmentation fault", stderr="")

    results = made_up_results(1e-7)
    results.machine |= {"cpu": "a CPU", "cpus": 2, "caches": {}, "system": "a system", "python": "3"}
    results.options |= {"quick": True, "rounds": 1}
    monkeypatch.setattr(subprocess, "run", run)
    results.probes = {name: measure(True, lambda text: None) for name, measure in PROBES.items()}
    assert results.probes["import"]["forzium"]["failed"] == reason
    assert all(row["failed"] == reason for row in results.probes["pool"])
    write_report(results, [], tmp_path)
    assert reason in (tmp_path / "report.html").read_text()


def main_that_measures(monkeypatch: pytest.MonkeyPatch, folder: Path, measure: Callable[..., None]) -> int:
    monkeypatch.setattr(Console, "measure", measure)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return cli.main(["--only", "multiply.inplace.8", "--output", str(folder)])


def a_row(results: Results) -> Row:
    return Row("multiply.inplace.8", "forzium", 1, rounds=[1e-7] * (len(results.rows) + 1))


def test_whatever_ends_a_run_leaves_what_was_measured(tmp_path, monkeypatch) -> None:
    def measure(console, results, *others):
        results.rows.append(a_row(results))
        raise OSError("no process can be started")

    with pytest.raises(OSError, match="no process"):
        main_that_measures(monkeypatch, tmp_path, measure)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["complete"] is False
    assert [row["rounds"] for row in results["rows"]] == [[1e-7]]
    assert (tmp_path / "results.csv").exists()


def test_a_run_writes_its_results_now_and_then(tmp_path, monkeypatch) -> None:
    """What nobody can catch, as a kill, costs the last minute."""
    found = []

    def measure(console, results, effort, libraries, probes, keep):
        for _ in range(2):
            results.rows.append(a_row(results))
            keep()
            found.append(len(rows_of(tmp_path)))

    monkeypatch.setattr(cli, "SECONDS_BETWEEN_WRITES", 0.0)
    assert main_that_measures(monkeypatch, tmp_path, measure) == 0
    assert found == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_was_measured_and_leave_no_process(tmp_path: Path, number) -> None:
    """A library that hangs on the second case gives the moment to interrupt."""
    hang = """\
        out *= names["factor"]
        if out.size > 8:
            with open(os.environ["REACHED"], "a") as reached:
                print(os.getpid(), file=reached)
            time.sleep(1000)
"""
    modules = fake_module(tmp_path / "modules", "numexpr", FAKE_NUMEXPR + hang)
    reached = tmp_path / "reached"
    process = subprocess.Popen(
        command(*EIGHT, "--only", "multiply.inplace.1e6", "--output", tmp_path / "metrics"),
        cwd=ROOT,
        env={**environment(modules), "REACHED": str(reached)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    )
    deadline = time.monotonic() + 120
    while not reached.exists() or not reached.read_text().strip():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Interrupted: what was measured so far is kept." in said
    results = json.loads((tmp_path / "metrics" / "results.json").read_text())
    assert results["complete"] is False
    measured = {row["case"] for row in results["rows"] if row["seconds"]}
    assert "multiply.inplace.8" in measured
    assert "multiply.inplace.1e6" not in measured
    assert "interrupted" in (tmp_path / "metrics" / "report.html").read_text()
    for worker in reached.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker), 0)


def test_info_is_light() -> None:
    code = (
        "import sys, runpy; sys.argv = ['forzium', 'info']; runpy.run_module('forzium', run_name='__main__')"
    )
    watched = f"import atexit, sys; atexit.register(lambda: print('numpy' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True)
    *lines, numpy_loaded = done.stdout.splitlines()
    names = {line.split()[0] for line in lines}
    assert {"version", "simd", "num_threads", "cache_bytes", "kernels"} <= names
    assert numpy_loaded == "False"


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_suites_are_consistent(suite: object) -> None:
    cases = {case.key: case for case in suite.cases}  # type: ignore[attr-defined]
    assert len(cases) == len(suite.cases)  # type: ignore[attr-defined]
    for case in cases.values():
        assert case.operation in OPERATIONS
        assert not case.ceiling or case.ceiling in cases


@pytest.mark.parametrize("layout", ["contiguous", "strided", "row", "column"])
@pytest.mark.parametrize("function", ["add", "less", "where"])
def test_operands_have_their_layout(function: str, layout: str) -> None:
    shape = [4, 6] if layout in ("row", "column") else [24]
    count = 3 if function == "where" else 2
    params = {"function": function, "operands": count, "shape": shape, "layout": layout, "dtype": "float32"}
    arrays = functions.operands(params, np.random.default_rng(0))
    last = arrays["xyz"[count - 1]]
    assert last.shape == {"row": (1, 6), "column": (4, 1)}.get(layout, tuple(shape))
    assert last.dtype == np.float32
    assert last.flags.c_contiguous is (layout != "strided")
    result, out = functions.expected(params, **arrays), functions.result_for(params, arrays)
    assert result.shape == out.shape == tuple(shape)
    assert (out.dtype == np.bool_) is (function == "less")


def test_moved_arrays_are_equal_elsewhere_and_lie_to_each_other_as_before() -> None:
    whole = np.arange(60.0).reshape(6, 10)
    names = {"f": len, "x": whole[::2, 1:], "y": whole[:, ::-1], "options": {"row": np.ones(3)[None]}, "n": 3}
    names["box"] = [whole]
    there = moved(names)
    assert there["f"] is len
    assert there["n"] == 3
    for before, after in ((names["x"], there["x"]), (names["y"], there["y"])):
        np.testing.assert_array_equal(after, before)
        assert after.strides == before.strides
        assert not np.may_share_memory(after, whole)
    assert there["options"]["row"].shape == (1, 3)
    assert not np.may_share_memory(there["options"]["row"], names["options"]["row"])
    assert not np.may_share_memory(there["box"][0], whole)
    there["x"][0, 0] = -1
    assert there["y"][0, -2] == -1


def test_moved_tensors_keep_their_strides() -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(24.0).reshape(4, 6)[1:, ::2]
    (there,) = moved({"x": x}).values()
    assert torch.equal(there, x)
    assert there.stride() == x.stride()
    assert there.data_ptr() != x.data_ptr()


def test_whether_arrays_move_depends_on_the_inputs_alone() -> None:
    half = np.empty(MOST_BYTES // 2, np.uint8)
    assert may_move({"x": half, "y": half, "factor": 2.0})
    assert not may_move({"x": half, "y": half, "z": half[:1]})


@pytest.mark.parametrize("callers", [0, 2])
def test_each_round_has_its_arrays_elsewhere_where_one_thread_calls(callers: int) -> None:
    (case,) = (case for case in elementwise.SUITE.cases if case.key == "add.float64.contiguous.1000")
    worker = Worker(load("forzium"), 1)
    assert worker.prepare({**case.to_json(), "callers": callers})["status"] == "ok"
    for _ in range(3):
        assert worker.time(1e-4)["seconds"] > 0
    places = [timed.names for timed in worker._places]
    assert len(places) == (0 if callers else 3)
    for before, after in itertools.pairwise(places):
        assert not np.may_share_memory(before["x"], after["x"])
        np.testing.assert_array_equal(after["out"], after["x"] + after["y"])
    worker.drop()
    assert not worker._places


def case_of(key: str) -> Case:
    return next(case for suite in SUITES.values() for case in suite.cases if case.key == key)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("where", "loop"), [("all", "loop"), ("last", "sum_rows")])
def test_numba_sums_floats_as_floats_and_without_threads_if_it_has_one(where, loop, threads) -> None:
    """In float64, or by threads of which there is one, its loops would be slower than its user's."""
    numba = pytest.importorskip("numba")
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("numba has one thread")
    adapter, before = load("numba"), numba.get_num_threads()
    adapter.use_threads(threads)
    worker = Worker(adapter, threads)
    assert worker.prepare(case_of(f"sum.float32.{where}.1000").to_json())["status"] == "ok"
    (timed,) = worker._places
    numba.set_num_threads(before)
    assert timed.names[loop].targetoptions["parallel"] is (threads > 1)
    (compiled,) = timed.names[loop].overloads.values()
    assert "float64" not in map(str, compiled.type_annotation.typemap.values())


@pytest.mark.parametrize(("n", "takes_part"), [(200, True), (1000, False)])
def test_pytorch_takes_part_in_large_windows_that_take_no_seconds(n: int, takes_part: bool) -> None:
    pytest.importorskip("torch")
    case = case_of(f"window.float32.{n}.101")
    reply = Worker(load("torch"), 1).prepare(case.to_json())
    assert reply["status"] == ("ok" if takes_part else "missing")
    assert takes_part or "PyTorch takes seconds to go over 33.1 GB of windows" in reply["note"]


def test_a_library_that_all_would_wait_for_is_named_in_the_report(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    chosen = ("--only", "product.float32.1000x1000x1000", "--libraries", "forzium", "opencv")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "forzium",
            "bench",
            "matmul",
            "--rounds",
            "1",
            *chosen,
            "--output",
            str(tmp_path),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "report.html").read_text()
    assert "beyond 512 a side it is left out" in report.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("faster", "most", "chosen"), [("direct", 1e9, "direct"), ("fft", 1e9, "fft"), ("direct", 1e3, "fft")]
)
def test_scipy_convolves_by_the_faster_of_its_ways(monkeypatch, faster, most, chosen) -> None:
    """But where the direct one takes seconds nobody waits for it."""
    pytest.importorskip("scipy")
    scipy = load("scipy")
    monkeypatch.setattr(scipy, "_MOST_DIRECT", most)
    monkeypatch.setattr(scipy.timeit, "repeat", lambda call, **how: [1.0 if f'"{faster}"' in call else 2.0])
    reply = Worker(scipy, 1).prepare(case_of("window.float32.200.7").to_json())
    assert reply["status"] == "ok"
    assert f'method="{chosen}"' in reply["statement"]


TAKE_PART = {
    "cumprod.float32.1000": ("numpy", "torch", "jax"),
    "vecdot.float32.1000": ("numpy", "torch", "jax"),
    "normalize.float32.32x100": ("torch", "jax"),
    "astype.float64.float32.1e6": ("numpy", "torch", "jax"),
    "astype.float32.float64.1e6": ("numpy", "torch"),
    "prod.float64.first.1000": ("numpy", "torch", "numexpr"),
    "std.float64.all.1000": ("numpy", "torch"),
    "argmin.float64.all.1000": ("numpy", "torch"),
    "linear.float32.64x1024x1024": ("numpy", "torch", "jax"),
    "product.float32.3x3x3": ("numpy", "scipy", "torch", "jax", "opencv"),
    "product.float64.256x256x256": ("numpy", "scipy", "torch", "opencv"),
    "conv1d.speech": ("torch", "jax"),
    "adaptive_pool.7": ("torch",),
    "layer.NHWC.0": ("torch", "jax"),
    "layer.NHWC.2": ("torch", "jax"),
    "window.float32.200.7": ("scipy", "torch", "opencv"),
}


@pytest.mark.parametrize("key", TAKE_PART)
def test_libraries_compute_what_is_right(key: str) -> None:
    """And forzium, into outputs that it was given."""
    case = case_of(key)
    for library in ("forzium", *TAKE_PART[key]):
        try:
            adapter = load(library)
        except ModuleNotFoundError:
            continue
        reply = Worker(adapter, 1).prepare(case.to_json())
        assert reply["status"] == "ok", (library, reply)


@pytest.mark.parametrize(
    "key",
    [
        *("softmax.float32.32x100", "log_softmax.float64.32x100", "pool.avg.1000x1000.2"),
        *("relu.float32.contiguous.1000", "isnan.float64.contiguous.1000"),
    ],
)
def test_pytorch_has_its_outputs_as_forzium_has(key: str) -> None:
    pytest.importorskip("torch")
    reply = Worker(load("torch"), 1).prepare(case_of(key).to_json())
    assert reply["status"] == "ok"
    assert reply["statement"].endswith("out=out)")


def test_the_ceiling_of_multiply_adds_is_credited_with_what_numpy_does_in_its_place(monkeypatch) -> None:
    plain = load("plain")
    monkeypatch.setattr(plain, "numba", None)
    case = case_of("machine.fma.float32")
    worker = Worker(plain, 1)
    assert worker.prepare(case.to_json())["status"] == "ok"
    (timed,) = worker._places
    (m, k), n = timed.names["a"].shape, timed.names["b"].shape[1]
    assert case.flops == 2 * m * k * n


def test_every_elementwise_row_is_measured() -> None:
    """A row that nobody but forzium knows how to compute would be left out without a word."""
    rows = {name for name in dir(forzium) if elementwise.count_operands(name)}
    assert rows == set(elementwise.operations())
    cases = [case for case in elementwise.SUITE.cases if case.operation == "elementwise"]
    assert (
        rows
        == {case.params["function"] for case in cases}
        == {case.params["function"] for case in cases if case.size == 8}
    )


@pytest.mark.parametrize("name", elementwise.OTHER_REDUCTIONS)
def test_reductions_have_to_read_all_of_their_operand(name: str) -> None:
    """What stops early, or has no NaN to leave out, would be measured on less than its work."""
    case = case_of(f"{name}.float64.last.1000")
    (x,) = OPERATIONS["reduce"].inputs(case.params, np.random.default_rng(0)).values()
    assert np.isnan(x).any() == name.startswith("nan")
    assert not (name == "any" and x.any())
    assert not (name == "all" and not x.all())
    for library in ("forzium", "numpy"):
        assert Worker(load(library), 1).prepare(case.to_json())["status"] == "ok"


@pytest.mark.parametrize("key", ["prod.float64.all.1e6", "nanprod.float64.last.1e6", "cumprod.float32.1e6"])
def test_products_stay_among_normal_numbers(key: str) -> None:
    """Arithmetic on others is slow, and a product of 0 is known before its last factor."""
    case = case_of(key)
    operation = OPERATIONS[case.operation]
    inputs = operation.inputs(case.params, np.random.default_rng(0))
    products = np.abs(operation.expected(case.params, **inputs))
    limits = np.finfo(case.params["dtype"])
    assert (products > limits.tiny).all()
    assert (products < limits.max).all()


def test_whatever_has_an_axis_is_measured() -> None:
    operations = {
        name: value for name, value in vars(forzium).items() if isinstance(value, type(forzium.sum))
    }
    axes = {
        name for name, operation in operations.items() if "axis" in inspect.signature(operation).parameters
    }
    assert {"nanvar", "cumprod", "vecdot", "normalize"} <= axes
    assert axes <= {case.params.get("function") for case in elementwise.SUITE.cases}


def test_known_functions_have_a_family_and_operands_in_their_domain() -> None:
    for names in functions.FAMILIES.values():
        for name in names:
            function = functions.exact(name)
            assert function is not None, name
            count = 3 if name in ("fma", "where", "clip") else getattr(function, "nin", 1)
            dtype = "int32" if name in functions.WHOLE else "float64"
            params = {
                **{"function": name, "operands": count, "shape": [64]},
                **{"layout": "contiguous", "dtype": dtype},
            }
            assert np.isfinite(
                functions.expected(params, **functions.operands(params, np.random.default_rng(0)))
            ).all()


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
    done = subprocess.run(
        [
            *(sys.executable, "-m", "forzium", "bench", suite, "--rounds", "1", *arguments),
            *("--libraries", "forzium", "numpy", "--output", str(tmp_path)),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
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


def made_up_results(forzium_seconds: float) -> Results:
    case = Case("multiply.inplace.8", "multiply arrays", "8 doubles", "scale", {"shape": [8]}, 8)
    rows = [
        Row(case.key, library, threads, rounds=[seconds])
        for library, seconds in (("forzium", forzium_seconds), ("numpy", 3e-7))
        for threads in (1, 2)
    ]
    return Results({}, {}, "", ["guide"], {case.key: case}, (1, 2), rows=rows)


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

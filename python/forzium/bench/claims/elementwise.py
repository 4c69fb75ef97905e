"""The targets of this project on the elementwise suite."""

from __future__ import annotations

from collections.abc import Iterable

from ..cases import Case
from ..results import Results
from ..suites.elementwise import FLOATS, REPRESENTATIVES, SHARED, SMALLEST
from ..units import format_bytes, format_seconds
from .figures import every, gains, means, shares
from .verdicts import Figure, Verdict, VerdictTable, probed, verdict


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    return [
        VerdictTable("The targets on element-wise work, and what was reached here", tuple(_targets(results)))
    ]


def _targets(results: Results) -> Iterable[Verdict]:
    cases = [case for case in results.cases.values() if case.operation in _OPERATIONS]
    by_operation = {name: [case for case in cases if case.operation == name] for name in _OPERATIONS}
    yield verdict(f"Every row ({_COVERED})", "at least as fast as the best peer", every(results, cases, 1.0))
    yield verdict("Geometric mean of all rows", "at least 1.5× the best peer", means(results, cases, 1.5))
    yield verdict(
        f"Calls on 8 elements ({_COVERED_SMALL})",
        "at most a quarter of NumPy's time",
        every(
            results, [case for case in by_operation["elementwise"] if case.size == SMALLEST], 4.0, ("numpy",)
        ),
    )
    yield verdict("Memory-bound rows", "at least 90 % of the streaming rate", shares(results, cases, 0.9))
    yield verdict(
        f"{', '.join(SHARED)} of {_SHARED_FROM:,} contiguous floats and more, on all threads",
        "at least 0.95 of one's speed",
        gains(results, [case for case in cases if _is_shared(case)], 0.95),
    )
    expressions = by_operation["expression"]
    beyond = [case for case in expressions if case.size > _CACHED]
    within = [case for case in expressions if case.size <= _CACHED]
    for what, chosen, peer, least in (
        ("numexpr", expressions, "numexpr", 3.0),
        ("numba's loop, beyond the caches", beyond, "numba", 1.0),
        ("numba's loop, within the caches", within, "numba", 0.85),
    ):
        yield verdict(
            f"Expressions beside {what}", f"at least {least:g}×", every(results, chosen, least, (peer,))
        )
    yield verdict("The first evaluation of an expression", "no delay above 1 ms", _delay(results))
    yield verdict("Memory of an expression of 4e6 doubles", "its output and at most 1 MB", _memory(results))
    for operation, what in (("reduce", "Reductions"), ("rowwise", "softmax and layer_norm")):
        yield verdict(
            f"{what} beside PyTorch and JAX",
            "ahead",
            every(results, by_operation[operation], 1.0, ("torch", "jax")),
        )


def _is_shared(case: Case) -> bool:
    """Whether threads should help: the plainest rows of the operations that more sizes are measured of."""
    params = case.params
    plain = params.get("layout", "contiguous") == "contiguous" and params.get("axis") is None
    dtype = params.get("dtype", "float64")
    return plain and params.get("function") in SHARED and dtype in FLOATS and case.size >= _SHARED_FROM


def _delay(results: Results) -> Iterable[Figure]:
    found = probed(results, "expression")
    if found is None:
        yield Figure("delay", None)
        return
    delay = max(0.0, found["new"] - found["again"])
    first = f"a process's very first, with its imports, is not judged: {format_seconds(found['first'])}"
    yield Figure(f"{format_seconds(delay)} ({first})", delay <= 1e-3)


def _memory(results: Results) -> Iterable[Figure]:
    beyond = probed(results, "expression", "beyond_output")
    text = "memory" if beyond is None else f"{format_bytes(beyond)} beyond the output"
    yield Figure(text, None if beyond is None else beyond <= 1e6)


_OPERATIONS = ("elementwise", "astype", "reduce", "along", "rowwise", "expression")
_COVERED = f"{len(REPRESENTATIVES)} operations at all sizes, the others at two or three"
_COVERED_SMALL = f"all operations on 64 bits, {len(REPRESENTATIVES)} on 32 and in other layouts too"
_SHARED_FROM = 50_000
_CACHED = 100_000
"""Elements; arrays of so many lie in the caches of one CPU."""

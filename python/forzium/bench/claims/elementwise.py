"""The targets of this project on the elementwise suite."""

from __future__ import annotations

from collections.abc import Iterable

from ..results import Results
from ..runner import count_threads
from ..standings import standings
from ..units import format_bytes, format_seconds
from .figures import every, means, shares, worst
from .verdicts import Figure, Verdict, VerdictTable, probed, verdict


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    return [
        VerdictTable("The targets on element-wise work, and what was reached here", tuple(_targets(results)))
    ]


def _targets(results: Results) -> Iterable[Verdict]:
    found = [standing for standing in standings(results) if standing.case.operation in _OPERATIONS]
    yield verdict("Every row", "at least as fast as the best peer", every(found, 1.0))
    yield verdict("Geometric mean of all rows", "at least 1.5× the best peer", means(found, 1.5))
    yield verdict(
        "Calls on 8 elements",
        "at most a quarter of NumPy's time",
        _against(results, ("numpy",), 4.0, "elementwise", 8),
    )
    yield verdict("Memory-bound rows", "at least 90 % of the streaming rate", shares(found, 0.9))
    for what, peers, least in (
        ("numexpr", ("numexpr",), 3.0),
        ("numba's loop, beyond the caches", ("numba",), 1.0),
        ("numba's loop, within the caches", ("numba",), 0.85),
    ):
        beyond = None if what == "numexpr" else "beyond" in what
        yield verdict(
            f"Expressions beside {what}",
            f"at least {least:g}×",
            _against(results, peers, least, "expression", beyond_caches=beyond),
        )
    yield verdict("The first evaluation of an expression", "no delay above 1 ms", _delay(results))
    yield verdict("Memory of an expression of 4e6 doubles", "its output and at most 1 MB", _memory(results))
    for operation, what in (("reduce", "Reductions"), ("rowwise", "softmax and layer_norm")):
        yield verdict(
            f"{what} beside PyTorch and JAX", "ahead", _against(results, ("torch", "jax"), 1.0, operation)
        )


def _delay(results: Results) -> Iterable[Figure]:
    found = probed(results, "expression")
    if found is None:
        yield Figure("delay", None)
        return
    first = f"the process's first, with its imports: {format_seconds(found['first'])}"
    yield Figure(f"{format_seconds(found['delay'])} ({first})", found["delay"] <= 1e-3)


def _memory(results: Results) -> Iterable[Figure]:
    beyond = probed(results, "expression", "beyond_output")
    text = "memory" if beyond is None else f"{format_bytes(beyond)} beyond the output"
    yield Figure(text, None if beyond is None else beyond <= 1e6)


_OPERATIONS = ("elementwise", "reduce", "along", "rowwise", "expression")
_CACHED = 100_000
"""Elements; arrays of so many lie in the caches of one CPU."""


def _against(
    results: Results,
    peers: tuple[str, ...],
    least: float,
    operation: str,
    size: int | None = None,
    beyond_caches: bool | None = None,
) -> Iterable[Figure]:
    """forzium's speed relative to some peers over the cases of an operation."""
    cases = [
        case
        for case in results.cases.values()
        if case.operation == operation
        and size in (None, case.size)
        and beyond_caches in (None, case.size > _CACHED)
    ]
    for threads in results.threads:
        measured = {case.title: results.speed(case.key, threads, peers) for case in cases}
        speeds = {title: speed for title, speed in measured.items() if speed is not None}
        yield worst(speeds, least, threads) if speeds else Figure(count_threads(threads), None)

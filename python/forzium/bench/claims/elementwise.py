"""The targets of this project on the elementwise suite."""

from __future__ import annotations

from collections.abc import Iterable

from ..results import Results
from ..suites.elementwise import REPRESENTATIVES, SMALLEST
from ..units import format_bytes, format_seconds
from .figures import every, means, shares
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


def _delay(results: Results) -> Iterable[Figure]:
    found = probed(results, "expression")
    if found is None:
        yield Figure("delay", None)
        return
    delay = max(0.0, found["new"] - found["again"])
    first = f"the process's first, with its imports: {format_seconds(found['first'])}"
    yield Figure(f"{format_seconds(delay)} ({first})", delay <= 1e-3)


def _memory(results: Results) -> Iterable[Figure]:
    beyond = probed(results, "expression", "beyond_output")
    text = "memory" if beyond is None else f"{format_bytes(beyond)} beyond the output"
    yield Figure(text, None if beyond is None else beyond <= 1e6)


_OPERATIONS = ("elementwise", "reduce", "along", "rowwise", "expression")
_COVERED = f"{len(REPRESENTATIVES)} operations at all sizes, the others at two or three"
_COVERED_SMALL = f"all operations on 64 bits, {len(REPRESENTATIVES)} on 32 and in other layouts too"
_CACHED = 100_000
"""Elements; arrays of so many lie in the caches of one CPU."""

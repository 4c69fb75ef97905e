"""The targets of this project on the matmul suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..cases import Case
from ..results import Results
from ..runner import count_threads
from ..standings import standings
from ..units import format_percent, format_ratio
from .figures import every, means, shares
from .verdicts import Figure, Verdict, VerdictTable, verdict


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    return [
        VerdictTable(
            "The targets on products of matrices, and what was reached here", tuple(_targets(results))
        )
    ]


def _targets(results: Results) -> Iterable[Verdict]:
    found = [s for s in standings(results) if s.case.operation == "product"]
    squares = [s for s in found if s.case.group == "square"]
    others = [s for s in found if s.case.group not in ("square", "integers")]
    yield verdict("Square products", "at least as fast as the best peer on every row", every(squares, 1.0))
    yield verdict("Square products, geometric mean", "at least 1.1× the best peer", means(squares, 1.1))
    yield verdict(
        "Square products from n = 256 on", "at least 90 % of plain multiply-adds", shares(squares, 0.9)
    )
    yield verdict("Other shapes", "at least as fast as the best peer on every row", every(others, 1.0))
    for what, least, wanted in (
        ("integers", 10.0, "at least 10× NumPy"),
        ("small", 2.0, "at most half of NumPy's time"),
    ):
        yield verdict(f"Products: {what}", wanted, _beside_numpy(results, _CHOSEN[what], least))
    yield verdict("16 Python threads at once", "at least 0.95 of one caller's rate", _callers(results, 0.95))


_CHOSEN: dict[str, Callable[[Case], bool]] = {
    "integers": lambda case: case.group == "integers",
    "small": lambda case: case.group == "square" and case.size <= 8.5,
}


def _beside_numpy(results: Results, chosen: Callable[[Case], bool], least: float) -> Iterable[Figure]:
    cases = [case for case in results.cases.values() if case.operation == "product" and chosen(case)]
    for threads in results.threads:
        speeds = {case.title: results.speed(case.key, threads, ("numpy",)) for case in cases}
        known = {title: speed for title, speed in speeds.items() if speed is not None}
        if not known:
            yield Figure(count_threads(threads), None)
            continue
        title = min(known, key=known.__getitem__)
        text = f"{count_threads(threads)}: at least {format_ratio(known[title])} ({title})"
        yield Figure(text, known[title] >= least)


def _callers(results: Results, least: float) -> Iterable[Figure]:
    threads = results.all_threads
    one = results.seconds("callers.product.1", "forzium", threads)
    many = results.seconds("callers.product.16", "forzium", threads)
    if one is None or many is None:
        yield Figure("rates", None)
        return
    share = one / many  # seconds of a product, whoever calls
    yield Figure(f"{count_threads(threads)}: {format_percent(share)}", share >= least)

"""The targets of this project on the matmul suite."""

from __future__ import annotations

from collections.abc import Iterable

from ..results import Results
from ..runner import count_threads
from ..units import format_percent
from .figures import every, means, shares
from .verdicts import Figure, Verdict, VerdictTable, verdict, without_figure


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    return [
        VerdictTable(
            "The targets on products of matrices, and what was reached here", tuple(_targets(results))
        )
    ]


def _targets(results: Results) -> Iterable[Verdict]:
    cases = [case for case in results.cases.values() if case.operation == "product"]
    layers = [case for case in results.cases.values() if case.operation == "linear"]
    squares = [case for case in cases if case.group == "square"]
    integers = [case for case in cases if case.group == "integers"]
    others = [case for case in cases if case.group not in ("square", "integers")]
    small = [case for case in squares if case.size <= 8.5]
    yield verdict(
        "Square products", "at least as fast as the best peer on every row", every(results, squares, 1.0)
    )
    yield verdict(
        "Square products, geometric mean", "at least 1.1× the best peer", means(results, squares, 1.1)
    )
    yield verdict(
        "Square products from n = 256 on",
        "at least 90 % of plain multiply-adds",
        shares(results, squares, 0.9),
    )
    yield verdict(
        "Other shapes", "at least as fast as the best peer on every row", every(results, others, 1.0)
    )
    yield verdict(
        "Layers whose weight is packed before",
        "ahead of those that take it as it is",
        every(results, layers, 1.0),
    )
    yield verdict("Products: integers", "at least 10× NumPy", every(results, integers, 10.0, ("numpy",)))
    yield verdict("Products: small", "at most half of NumPy's time", every(results, small, 2.0, ("numpy",)))
    yield verdict("16 Python threads at once", "at least 0.95 of one caller's rate", _callers(results, 0.95))


def _callers(results: Results, least: float) -> Iterable[Figure]:
    threads = results.all_threads
    cases = ("callers.product.1", "callers.product.16")
    one, many = (results.seconds(case, "forzium", threads) for case in cases)
    if one is None or many is None:
        yield without_figure(results, cases, threads, "rates")
        return
    share = one / many  # seconds of a product, whoever calls
    yield Figure(f"{count_threads(threads)}: {format_percent(share)}", share >= least)

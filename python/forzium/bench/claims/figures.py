"""Figures about many rows at once, at each number of threads: how many suffice, and which is the worst.

A row that forzium got wrong breaks the promise, and one whose turn never came leaves it open: both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from ..cases import Case
from ..results import Results
from ..runner import count_threads
from ..standings import geometric_mean
from ..units import format_percent, format_ratio
from .verdicts import Figure

Cases = Collection[Case]

_NAMED = 3
"""Failed rows that are named; the others are counted."""


def every(results: Results, cases: Cases, least: float, among: Collection[str] = ()) -> Iterable[Figure]:
    """Speeds beside the best of ``among``, or of all other libraries."""
    yield from _without_figure(results, cases)
    for threads, speeds in _speeds(results, cases, among):
        yield _worst(speeds, least, threads, format_ratio)


def means(results: Results, cases: Cases, least: float) -> Iterable[Figure]:
    """The geometric mean of the speeds."""
    yield from _without_figure(results, cases)
    for threads, speeds in _speeds(results, cases):
        if speeds:
            mean = geometric_mean(speeds.values())
            yield Figure(f"{count_threads(threads)}: {format_ratio(mean)}", mean >= least)
        else:
            yield Figure(count_threads(threads), None)


def gains(results: Results, cases: Cases, least: float) -> Iterable[Figure]:
    """Speeds at all threads beside those at one."""
    yield from _without_figure(results, cases)
    alone, together = 1, results.all_threads
    if alone == together:
        yield Figure("more than 1 thread", None)
        return
    pairs = {
        case.title: [results.seconds(case.key, "forzium", threads) for threads in (alone, together)]
        for case in cases
    }
    found = {title: one / all_ for title, (one, all_) in pairs.items() if one and all_}
    yield _worst(found, least, together, format_ratio)


def shares(results: Results, cases: Cases, least: float) -> Iterable[Figure]:
    """Shares of the rate that a plain loop reached."""
    bound = [case for case in cases if case.ceiling]
    yield from _without_figure(results, bound)
    for threads in results.threads:
        rows = [row for case in bound if (row := results.row(case.key, "forzium", threads)) and row.seconds]
        found = {results.cases[row.case].title: results.share_of_ceiling(row) for row in rows}
        reached = {title: share for title, share in found.items() if share is not None}
        yield _worst(reached, least, threads, format_percent)
        if len(reached) < len(rows):
            yield Figure(f"the ceilings of {len(rows) - len(reached)} rows", None)


def _speeds(
    results: Results, cases: Cases, among: Collection[str] = ()
) -> Iterable[tuple[int, dict[str, float]]]:
    """By the rows' titles, at each number of threads; without what no other library computes."""
    for threads in results.threads:
        found = {case.title: results.speed(case.key, threads, among) for case in cases}
        yield threads, {title: speed for title, speed in found.items() if speed is not None}


def _worst(reached: Mapping[str, float], least: float, threads: int, tell: Callable[[float], str]) -> Figure:
    if not reached:
        return Figure(count_threads(threads), None)
    good, title = sum(value >= least for value in reached.values()), min(reached, key=reached.__getitem__)
    told = f"the worst {tell(reached[title])} ({title})"
    return Figure(f"{count_threads(threads)}: {good} of {len(reached)} rows, {told}", good == len(reached))


def _without_figure(results: Results, cases: Cases) -> Iterable[Figure]:
    """What forzium failed on, by name, and how many rows nobody knows."""
    pairs = [(case, threads) for case in cases for threads in results.threads]
    rows = [results.row(case.key, "forzium", threads) for case, threads in pairs]
    failed = [
        f"{row.status}: {case.title} at {count_threads(threads)}"
        for row, (case, threads) in zip(rows, pairs, strict=True)
        if row and row.failed
    ]
    if failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        yield Figure(", ".join(failed[:_NAMED]) + more, False)
    left = sum(results.is_unfinished(case.key, threads) for case, threads in pairs)
    if left:
        yield Figure(f"{left} rows", None)

"""Figures about many rows at once, at each number of threads: how many suffice, and which is the worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..runner import count_threads
from ..standings import Standing, geometric_mean
from ..units import format_percent, format_ratio
from .verdicts import Figure


def every(found: list[Standing], least: float) -> Iterable[Figure]:
    """Speeds beside the best other library."""
    for threads, rows in _by_threads(found):
        yield worst({s.case.title: s.speed for s in rows}, least, threads)
    if not found:
        yield Figure("rows", None)


def worst(speeds: Mapping[str, float], least: float, threads: int) -> Figure:
    """Speeds by the rows' titles."""
    good = sum(speed >= least for speed in speeds.values())
    title = min(speeds, key=speeds.__getitem__)
    told = f"the worst {format_ratio(speeds[title])} ({title})"
    return Figure(f"{count_threads(threads)}: {good} of {len(speeds)} rows, {told}", good == len(speeds))


def means(found: list[Standing], least: float) -> Iterable[Figure]:
    """The geometric mean of the speeds."""
    for threads, rows in _by_threads(found):
        mean = geometric_mean(s.speed for s in rows)
        yield Figure(f"{count_threads(threads)}: {format_ratio(mean)}", mean >= least)
    if not found:
        yield Figure("geometric mean", None)


def shares(found: list[Standing], least: float) -> Iterable[Figure]:
    """Shares of the rate that a plain loop reached."""
    bound = [s for s in found if s.share is not None]
    for threads, rows in _by_threads(bound):
        reached = {s.case.title: s.share or 0.0 for s in rows}
        good, title = sum(share >= least for share in reached.values()), min(reached, key=reached.__getitem__)
        told = f"the least {format_percent(reached[title])} ({title})"
        yield Figure(f"{count_threads(threads)}: {good} of {len(rows)} rows, {told}", good == len(rows))
    if not bound:
        yield Figure("shares", None)


def _by_threads(found: list[Standing]) -> Iterable[tuple[int, list[Standing]]]:
    for threads in sorted({s.threads for s in found}):
        yield threads, [s for s in found if s.threads == threads]

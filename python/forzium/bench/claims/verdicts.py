"""A promise beside what was reached. A verdict is yes or no only where everything it needs was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..libraries import LIBRARIES
from ..results import Results
from ..runner import count_threads
from ..units import format_ratio


@dataclass(frozen=True)
class Verdict:
    """One promise. ``met`` is None where it was not measured."""

    what: str
    wanted: str
    reached: str
    met: bool | None


@dataclass(frozen=True)
class VerdictTable:
    """Verdicts that belong together."""

    title: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Figure:
    """A measured figure in words, and whether it suffices; None where it was not measured."""

    text: str
    good: bool | None


def verdict(what: str, wanted: str, figures: Iterable[Figure]) -> Verdict:
    """A promise with the figures that it is judged by."""
    found = list(figures)
    met = None
    if any(figure.good is False for figure in found):
        met = False
    elif found and all(figure.good for figure in found):
        met = True
    measured = [figure.text for figure in found if figure.good is not None]
    left = [figure.text for figure in found if figure.good is None]
    if measured and left:
        measured.append(f"not measured: {', '.join(left)}")
    return Verdict(what, wanted, "; ".join(measured) or "not measured", met)


def speed_figure(
    results: Results, case: str, threads: int, least: float, among: Collection[str], name: str
) -> Figure:
    """forzium's speed relative to the best of `among` on a case."""
    where = f"{name} at {count_threads(threads)}" if name else count_threads(threads)
    speed, best = results.speed(case, threads, among), results.best_peer(case, threads, among)
    if speed is None or best is None:
        return without_figure(results, (case,), threads, where)
    rival = f" of {LIBRARIES[best[0]].label}" if len(among) > 1 else ""
    return Figure(f"{where}: {format_ratio(speed)}{rival}", speed >= least)


def without_figure(results: Results, cases: Collection[str], threads: int, where: str) -> Figure:
    """In place of a figure: no good if forzium failed on one of its cases, else not measured."""
    rows = [results.row(case, "forzium", threads) for case in cases]
    failed = ", ".join(row.status for row in rows if row and row.failed)
    return Figure(f"{where}: {failed}", False) if failed else Figure(where, None)


def speeds(
    results: Results, cases: dict[str, str], least: float, among: Collection[str], threads: Sequence[int] = ()
) -> list[Figure]:
    """The same over cases ({key: name}) and numbers of threads."""
    counts = threads or results.threads
    return [
        speed_figure(results, case, n, least, among, name) for case, name in cases.items() for n in counts
    ]


def probed(results: Results, *path: str) -> Any:
    """A probe's figures, or None where they are missing or the probe failed."""
    found: Any = results.probes
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return None if isinstance(found, dict) and "failed" in found else found

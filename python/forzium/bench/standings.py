"""Where forzium stands: case by case beside the best other library, and by group."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .cases import Case
from .libraries import LIBRARIES
from .results import Results


@dataclass(frozen=True)
class Standing:
    """forzium on one case at one number of threads, beside the fastest other library."""

    case: Case
    threads: int
    seconds: float
    best: str
    best_seconds: float
    share: float | None
    """Of the rate of a plain loop, where the case has such a limit."""
    errors: tuple[float | None, float | None]
    """forzium's largest error and the other's, in units of rounding."""

    @property
    def speed(self) -> float:
        """Above 1, forzium is ahead."""
        return self.best_seconds / self.seconds

    @property
    def lost(self) -> bool:
        """The other library is ahead."""
        return self.speed < 1


@dataclass(frozen=True)
class GroupStanding:
    """A group's cases at one number of threads."""

    group: str
    threads: int
    mean: float
    """The geometric mean of the speeds."""
    least: float
    most: float
    lost: int
    count: int


def standings(results: Results) -> list[Standing]:
    """Every case on which forzium and another library were measured."""
    found = []
    for case in results.cases.values():
        for threads in results.threads:
            row, best = results.row(case.key, "forzium", threads), results.best_peer(case.key, threads)
            if row and row.seconds and best:
                share, other = results.share_of_ceiling(row), results.row(case.key, best[0], threads)
                label, errors = LIBRARIES[best[0]].label, (row.error, other.error if other else None)
                found.append(Standing(case, threads, row.seconds, label, best[1], share, errors))
    return found


def lost_rows(found: list[Standing]) -> list[Standing]:
    """Those on which another library is ahead, the worst first."""
    return sorted((standing for standing in found if standing.lost), key=lambda standing: standing.speed)


def geometric_mean(values: Iterable[float]) -> float:
    """The number whose logarithm is the mean of the logarithms."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def group_standings(found: list[Standing]) -> list[GroupStanding]:
    """The same by group, and last of all cases together."""
    groups: dict[tuple[str, int], list[Standing]] = {}
    for standing in found:
        groups.setdefault((standing.case.group, standing.threads), []).append(standing)
    for standing in found:
        groups.setdefault(("all together", standing.threads), []).append(standing)
    return [_summed(group, threads, members) for (group, threads), members in groups.items()]


def _summed(group: str, threads: int, members: list[Standing]) -> GroupStanding:
    speeds = [standing.speed for standing in members]
    lost = sum(standing.lost for standing in members)
    return GroupStanding(group, threads, geometric_mean(speeds), min(speeds), max(speeds), lost, len(speeds))

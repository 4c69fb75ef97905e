"""The targets of this project on the conv suite."""

from __future__ import annotations

from collections.abc import Iterable

from ..results import Results
from ..runner import count_threads
from ..standings import Standing, standings
from ..units import format_ratio
from .verdicts import Figure, VerdictTable, verdict

_WHAT = {
    "window": "One channel, beside OpenCV, SciPy and PyTorch",
    "gaussian": "Windows that are a column times a row, beside OpenCV, SciPy and PyTorch",
    "layer": "Layers of ResNet-50 and MobileNet, beside PyTorch and JAX",
    "pool": "Pooling, beside PyTorch and JAX",
    "transpose": "Transposes, beside JAX, OpenCV and PyTorch",
}


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    found = standings(results)
    verdicts = tuple(
        verdict(what, "at least as fast as the best on every row", _worst(found, operation))
        for operation, what in _WHAT.items()
    )
    return [VerdictTable("The targets on convolution and pooling, and what was reached here", verdicts)]


def _worst(found: list[Standing], operation: str) -> Iterable[Figure]:
    rows = [standing for standing in found if standing.case.operation == operation]
    for threads in sorted({standing.threads for standing in rows}):
        speeds = {s.case.title: s.speed for s in rows if s.threads == threads}
        good = sum(speed >= 1 for speed in speeds.values())
        title = min(speeds, key=speeds.__getitem__)
        worst = f"the worst {format_ratio(speeds[title])} ({title})"
        text = f"{count_threads(threads)}: {good} of {len(speeds)} rows, {worst}"
        yield Figure(text, good == len(speeds))
    if not rows:
        yield Figure("rows", None)

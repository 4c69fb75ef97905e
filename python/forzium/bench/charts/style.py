"""How charts look, and the parts that several of them share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..libraries import LIBRARIES
from ..results import Results
from ..units import format_count, format_seconds


@dataclass(frozen=True)
class Chart:
    """A chart: its file's name, its title, what the reader should know, and how it is drawn.

    ``draw`` gives None where nothing that it shows was measured.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Results], Figure | None]


# Okabe and Ito's palette, which people with any kind of colour vision tell apart; markers differ too.
STYLES: dict[str, tuple[str, str]] = {
    "forzium": ("#D55E00", "o"),
    "numpy": ("#0072B2", "s"),
    "scipy": ("#56B4E9", "D"),
    "numexpr": ("#009E73", "v"),
    "numba": ("#CC79A7", "^"),
    "torch": ("#7A5C00", "P"),
    "jax": ("#6F6F6F", "X"),
    "opencv": ("#E69F00", "d"),
    "python": ("#000000", "x"),
    "floor": ("#9A9A9A", "_"),
}
CEILING = "#444444"

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E6E9",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "savefig.dpi": 150,
}


SECONDS = FuncFormatter(lambda value, _: re.sub(r"\.0+ ", " ", format_seconds(value)))
"""Names the marks of an axis of seconds."""


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, list[Any]]:
    """A figure and its panels. They lie in a part of their own: the rest is for title and footer."""
    figure = pyplot.figure(figsize=(width, height), layout="constrained")
    grid = figure.subfigures().subplots(rows, columns, squeeze=False, **options)
    return figure, list(grid.flat)


def panel_grid(count: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    """A figure with panels side by side, at most two in a row."""
    columns = min(2, count)
    rows = math.ceil(count / columns)
    figure, panels = new_figure(width, height * rows + 0.9, rows, columns)
    for spare in panels[count:]:
        spare.axis("off")
    return figure, panels[:count]


def line(axes: Any, library: str, points: Sequence[tuple[float, float]]) -> None:
    """A library's line: forzium's is thick and on top."""
    colour, marker = STYLES[library]
    ours = library == "forzium"
    axes.plot(
        *zip(*sorted(points), strict=True),
        color=colour,
        marker=marker,
        linewidth=2.8 if ours else 1.3,
        markersize=7 if ours else 5,
        zorder=3 if ours else 2,
        label=LIBRARIES[library].label,
    )


def legend_below(panels: Sequence[Any]) -> None:
    """One legend for all panels, under them; forzium first."""
    found: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    labels = sorted(found, key=lambda label: label != "forzium")
    handles = [found[label] for label in labels]
    panels[0].figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=9)


def log_sizes(axes: Any, sizes: Iterable[float]) -> None:
    """A logarithmic axis of sizes, the measured ones named."""
    found = sorted(set(sizes))
    apart = (found[-1] / found[0]) ** 0.1  # names of closer ones would overlap
    ticks = found[:1]
    for size in found:
        if size > apart * ticks[-1]:
            ticks.append(size)
    axes.set_xscale("log")
    axes.set_xticks(ticks, [format_count(tick) for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def log_times(axes: Any) -> None:
    """A logarithmic axis of seconds."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
    axes.yaxis.set_major_formatter(SECONDS)
    axes.yaxis.set_minor_formatter(NullFormatter())


def timed_points(
    results: Results, keys: Sequence[str], library: str, threads: int
) -> list[tuple[float, float]]:
    """(size, seconds) of a library on some cases."""
    found = [
        (results.cases[key].size, results.seconds(key, library, threads))
        for key in keys
        if key in results.cases
    ]
    return [(size, seconds) for size, seconds in found if seconds is not None]

"""The charts of the elementwise suite: speed over size for each family of operations, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..cases import Case
from ..results import Results
from ..runner import count_threads
from ..standings import group_standings, standings
from ..suites import elementwise
from ..units import format_ratio
from .style import CEILING, STYLES, Chart, legend_below, line, log_sizes, new_figure, panel_grid

LAYOUTS = {"contiguous": "contiguous", "strided": "strided", "row": "with a row", "column": "with a column"}


MOST_DECADES = 1e5
"""What is slower than this part of the fastest leaves the panel, so that the others can be told apart."""


# ---- speed over size -----------------------------------------------------------------------------


def _draw_curves(results: Results, panels: dict[str, str]) -> Figure | None:
    """A panel for each kind of case ({title: how its keys begin}) and number of threads."""
    shown = [
        (f"{title}, {count_threads(threads)}", cases, threads)
        for title, pattern in panels.items()
        for threads in results.threads
        if (cases := _measured(results, pattern, threads))
    ]
    if not shown:
        return None
    figure, grid = panel_grid(len(shown), 10, 3.3)
    for axes, (title, cases, threads) in zip(grid, shown, strict=True):
        _draw_panel(axes, results, cases, threads)
        axes.set_title(title)
    legend_below(grid)
    return figure


def _measured(results: Results, pattern: str, threads: int) -> list[Case]:
    """The cases of a curve, smallest first, that forzium was measured on."""
    cases = [case for key, case in results.cases.items() if key.startswith(pattern)]
    return [case for case in cases if results.seconds(case.key, "forzium", threads)]


def _draw_panel(axes: Any, results: Results, cases: Sequence[Case], threads: int) -> None:
    for library in STYLES:
        points = [
            (case.size, case.bytes / seconds / 1e9)
            for case in cases
            if (seconds := results.seconds(case.key, library, threads)) is not None
        ]
        if points:
            line(axes, library, points)
    limit = _bandwidth(results, cases, threads)
    if limit:
        axes.axhline(limit, color=CEILING, linestyle=":", linewidth=1.8, label="memory bandwidth")
    _label(axes, cases)


def _bandwidth(results: Results, cases: Sequence[Case], threads: int) -> float | None:
    """GB/s of the plain loop with as many arrays and elements as large, on the largest arrays measured."""
    largest, dtype = cases[-1], cases[-1].params["dtype"]
    arrays = round(largest.bytes / largest.size / elementwise.width(dtype))
    for size in (elementwise.LARGEST, elementwise.BEYOND_CACHES):
        key = elementwise.stream(arrays, size, dtype)
        seconds = results.seconds(key, "plain", threads) if key in results.cases else None
        if seconds:
            return results.cases[key].bytes / seconds / 1e9
    return None


def _label(axes: Any, cases: Sequence[Case]) -> None:
    axes.set_xlabel("elements (log scale)")
    axes.set_ylabel("GB/s (log scale)")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    axes.set_ylim(bottom=max(low, high / MOST_DECADES))
    log_sizes(axes, [case.size for case in cases])
    elements = cases[0].bytes / cases[0].size
    right = axes.secondary_yaxis(
        "right", functions=(lambda rate: rate / elements, lambda rate: rate * elements)
    )
    right.set_ylabel("1e9 elements a second")
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_minor_formatter(NullFormatter())
    right.minorticks_off()


def _curve(name: str, title: str, panels: dict[str, str]) -> Chart:
    caption = (
        "Higher is better; both axes are logarithmic. GB/s count what a call must read and write at least. "
        "The dotted line is what a plain loop with as many arrays reached on the largest arrays."
    )
    return Chart(f"curve-{name}", title, caption, partial(_draw_curves, panels=panels))


def _by_dtype(pattern: str) -> dict[str, str]:
    return {dtype: pattern.format(dtype=dtype) for dtype in elementwise.FLOATS}


_ELEMENTS = tuple(
    _curve(name, f"Speed over size: {name}", _by_dtype(f"{name}.{{dtype}}.contiguous."))
    for name in elementwise.REPRESENTATIVES
)
_LAYOUTS = _curve(
    "layouts",
    "Speed over size: add in other layouts, float64",
    {LAYOUTS[layout]: f"add.float64.{layout}." for layout in ("strided", "row", "column")},
)
_REDUCTIONS = tuple(
    _curve(
        name,
        f"Speed over size: {name}, float64",
        {
            f"{where} ax{'e' if where == 'all' else 'i'}s": f"{name}.float64.{where}."
            for where in elementwise.AXES
        },
    )
    for name in elementwise.REDUCTIONS
)
_EXPRESSIONS = tuple(
    _curve(f"expression-{name}", f"Speed over size: {expression}", _by_dtype(f"expression.{name}.{{dtype}}."))
    for name, expression in elementwise.EXPRESSIONS.items()
)


# ---- forzium beside the best other library, by family --------------------------------------------


def _draw_families(results: Results) -> Figure | None:
    found = group_standings(standings(results))
    if not found:
        return None
    groups = list(dict.fromkeys(standing.group for standing in found))
    figure, (axes,) = new_figure(9.5, 0.45 * len(groups) + 2.2)
    colour = STYLES["forzium"][0]
    for standing in found:
        several = len(results.threads) > 1
        alone = standing.threads == 1
        place = groups.index(standing.group) + (0.17 * (-1 if alone else 1) if several else 0)
        axes.plot([standing.least, standing.most], [place, place], color=colour, alpha=0.35, linewidth=3)
        axes.plot(
            standing.mean,
            place,
            marker="o",
            color=colour,
            markerfacecolor="white" if alone else colour,
            markersize=8,
            linestyle="none",
        )
    for threads in results.threads:
        face = "white" if threads == 1 else colour
        axes.plot([], [], "o", color=colour, markerfacecolor=face, markersize=8, label=count_threads(threads))
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_ratio(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xlabel(
        "speed relative to the fastest other library (log scale); right of the line forzium is ahead"
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)
    return figure


_FAMILIES = Chart(
    "families",
    "forzium beside the fastest other library, by family",
    "The dot is the geometric mean over the family's rows, the bar goes from the worst to the best of them.",
    _draw_families,
)

CHARTS = (_FAMILIES, *_ELEMENTS, _LAYOUTS, *_REDUCTIONS, *_EXPRESSIONS)

"""The charts of the conv suite: the time of each layer beside other libraries'."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from ..libraries import LIBRARIES
from ..results import Results
from ..runner import count_threads
from ..suites import conv
from .style import SECONDS, STYLES, Chart, legend_below, new_figure


def _draw_layers(results: Results) -> Figure | None:
    """A panel for each batch and number of threads, a line for each layer."""
    keys = {
        batch: [f"layer.{batch}.{layer}" for layer in range(len(conv.layers(batch)))]
        for batch in conv.BATCHES
    }
    timed = {row.case for row in results.rows if row.seconds}
    batches = [batch for batch in conv.BATCHES if timed.intersection(keys[batch])]
    if not batches:
        return None
    heights = [1 + 0.23 * len(keys[batch]) for batch in batches]
    figure, grid = new_figure(
        *(10, sum(heights), len(batches), len(results.threads)), sharey="row", height_ratios=heights
    )
    panels = iter(grid)
    for batch in batches:
        for threads in results.threads:
            axes = next(panels)
            for library in STYLES:
                _dots(axes, results, keys[batch], library, threads)
            axes.set_title(f"batch {batch}, {count_threads(threads)}")
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(SECONDS)
            axes.set_xlabel("time per call (log scale)")
            axes.set_yticks(range(len(keys[batch])), list(conv.layers(batch)), fontsize=8)
            axes.set_ylim(len(keys[batch]) - 0.4, -0.6)
    legend_below(grid)
    return figure


def _dots(axes: Any, results: Results, keys: list[str], library: str, threads: int) -> None:
    timed = [
        (seconds, place)
        for place, key in enumerate(keys)
        if (seconds := results.seconds(key, library, threads)) is not None
    ]
    if timed:
        colour, marker = STYLES[library]
        axes.plot(
            *zip(*timed, strict=True),
            color=colour,
            marker=marker,
            markersize=7 if library == "forzium" else 5,
            linestyle="none",
            zorder=3 if library == "forzium" else 2,
            label=LIBRARIES[library].label,
        )


CHARTS = (
    Chart(
        "layers",
        "Time of convolution layers",
        "Further left is better.",
        _draw_layers,
    ),
)

"""The charts of a report, as PNG and SVG."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.figure import Figure

from ..libraries import LIBRARIES
from ..results import Results
from . import conv, curves, guide, matmul
from .style import STYLE, Chart

SUITE_CHARTS: dict[str, tuple[Chart, ...]] = {
    "guide": guide.CHARTS,
    "elementwise": curves.CHARTS,
    "matmul": matmul.CHARTS,
    "conv": conv.CHARTS,
}


def draw_all(results: Results, folder: Path) -> list[Chart]:
    """Writes every chart that has something to show as PNG and SVG, and returns those."""
    drawn = []
    with matplotlib.rc_context(STYLE):
        for chart in (chart for suite in results.suites for chart in SUITE_CHARTS.get(suite, ())):
            figure = chart.draw(results)
            if figure is None:
                continue
            _add_title_and_footer(figure, chart.title, results)
            for kind in ("png", "svg"):
                figure.savefig(folder / f"{chart.name}.{kind}")
            pyplot.close(figure)
            drawn.append(chart)
    return drawn


def _add_title_and_footer(figure: Figure, title: str, results: Results) -> None:
    """The title above and, below, the machine and the versions."""
    width = figure.get_size_inches()[0]
    machine = results.machine
    facts = [
        f"{machine['cpu']} ({machine['simd']}), {machine['cpus']} CPUs",
        machine["python"],
        *(
            f"{LIBRARIES[key].label} {version.split(' (')[0]}"
            for key, version in results.versions.items()
            if key not in ("plain", "floor", "python")
        ),
        results.started[:10],
    ]
    text = textwrap.fill(" · ".join(fact.replace(" ", "\xa0") for fact in facts), round(width * 15))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7, color="#5c6670")

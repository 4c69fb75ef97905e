"""The charts of the guide suite."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..libraries import LIBRARIES
from ..results import Results
from ..runner import count_threads
from ..units import format_ratio, format_seconds
from .style import (
    CEILING,
    STYLES,
    Chart,
    legend_below,
    line,
    log_sizes,
    log_times,
    new_figure,
    panel_grid,
    timed_points,
)

# ---- forzium beside the best other library -------------------------------------------------------


def _draw_relative(results: Results) -> Figure | None:
    cases = [
        case
        for case in results.cases.values()
        if not case.callers and any(results.speed(case.key, threads) for threads in results.threads)
    ]
    if not cases:
        return None
    figure, (axes,) = new_figure(9.5, 0.27 * len(cases) + 2.4)
    shapes = {1: ("o", "white"), results.all_threads: ("o", STYLES["forzium"][0])}
    for place, case in enumerate(cases):
        for threads in results.threads:
            speed = results.speed(case.key, threads)
            if speed:
                axes.plot(
                    speed,
                    place,
                    marker=shapes[threads][0],
                    color=STYLES["forzium"][0],
                    markersize=7,
                    markerfacecolor=shapes[threads][1],
                    linestyle="none",
                )
        best = results.best_peer(case.key, results.all_threads)
        if best:
            axes.annotate(
                f"{LIBRARIES[best[0]].label} {format_seconds(best[1])}",
                (1.01, place),
                va="center",
                xycoords=("axes fraction", "data"),
                fontsize=8,
                color="#5c6670",
            )
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(cases)), [case.title for case in cases], fontsize=8.5)
    axes.set_ylim(len(cases) - 0.4, -0.6)
    axes.set_xlabel(
        "speed relative to the fastest other library (log scale); right of the line forzium is ahead"
    )
    axes.annotate(
        "fastest other",
        (1.01, 1),
        xycoords="axes fraction",
        fontsize=8,
        fontweight="bold",
        va="bottom",
        annotation_clip=False,
    )
    for threads in results.threads:
        axes.plot(
            [],
            [],
            marker="o",
            color=STYLES["forzium"][0],
            markerfacecolor=shapes[threads][1],
            linestyle="none",
            label=count_threads(threads),
        )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)
    return figure


# ---- times over size -----------------------------------------------------------------------------

SIZE_PANELS = (
    (
        "Multiply a list by a factor",
        "side of the square list",
        [f"multiply.list.{n}" for n in (3, 100, 500, 1000)],
    ),
    (
        "Multiply an array in place",
        "doubles",
        [
            "multiply.inplace.8",
            *(f"multiply.array.{n}" for n in (100, 500)),
            "multiply.inplace.1e6",
            "multiply.inplace.1.6e7",
        ],
    ),
    ("3×3 convolution", "side of the square array", [f"conv2d.array.{n}" for n in (50, 100, 200, 1000)]),
    (
        "Matrix product, float64",
        "side of the square array",
        [f"matmul.float64.{n}" for n in (100, 256, 500, 1000, 2000)],
    ),
)


def _draw_sizes(results: Results) -> Figure | None:
    def has_points(keys: list[str]) -> bool:
        return any(timed_points(results, keys, library, results.all_threads) for library in STYLES)

    panels = [panel for panel in SIZE_PANELS if has_points(panel[2])]
    if not panels:
        return None
    figure, grid = panel_grid(len(panels), 10, 3.6)
    for axes, (title, unit, keys) in zip(grid, panels, strict=True):
        sizes = []
        for library in STYLES:
            points = timed_points(results, keys, library, results.all_threads)
            if points:
                line(axes, library, points)
                sizes += [size for size, _ in points]
        axes.set_title(title)
        axes.set_xlabel(f"{unit} (log scale)")
        axes.set_ylabel("time per call (log scale)")
        log_sizes(axes, sizes)
        log_times(axes)
    legend_below(grid)
    return figure


# ---- rates beside their ceilings -----------------------------------------------------------------


def _draw_matmul(results: Results) -> Figure | None:
    return draw_rates(
        results,
        {
            dtype: [f"matmul.{dtype}.{n}" for n in (100, 256, 500, 512, 1000, 2000)]
            for dtype in ("float64", "float32")
        },
        {dtype: f"machine.fma.{dtype}" for dtype in ("float64", "float32")},
        "flops",
        "GFLOP/s",
        "side of the square arrays (log scale)",
        "plain FMA loop",
    )


def _draw_bandwidth(results: Results) -> Figure | None:
    sizes = ["multiply.array.100", "multiply.array.500", "multiply.inplace.1e6", "multiply.inplace.1.6e7"]
    return draw_rates(
        results,
        {"in-place multiply": sizes},
        {"in-place multiply": "machine.scale.1.6e7"},
        "bytes",
        "GB/s",
        "doubles (log scale)",
        "plain loop on 1.6e7 doubles",
    )


def draw_rates(
    results: Results,
    panels: dict[str, list[str]],
    ceilings: dict[str, str],
    work: str,
    unit: str,
    xlabel: str,
    ceiling_label: str,
) -> Figure | None:
    """Work per second over size: a panel for each kind and number of threads, with the ceiling as a line."""
    shown = [
        (kind, threads)
        for kind, keys in panels.items()
        for threads in results.threads
        if any(timed_points(results, keys, library, threads) for library in STYLES)
    ]
    if not shown:
        return None
    figure, grid = panel_grid(len(shown), 10, 3.4)
    for axes, (kind, threads) in zip(grid, shown, strict=True):
        sizes = []
        for library in STYLES:
            rated = [
                (results.cases[key].size, getattr(results.cases[key], work) / seconds / 1e9)
                for key in panels[kind]
                if key in results.cases and (seconds := results.seconds(key, library, threads)) is not None
            ]
            if rated:
                line(axes, library, rated)
                sizes += [size for size, _ in rated]
        top = results.seconds(ceilings[kind], "plain", threads) if ceilings[kind] in results.cases else None
        if top:
            rate = getattr(results.cases[ceilings[kind]], work) / top / 1e9
            axes.axhline(rate, color=CEILING, linestyle=":", linewidth=1.8, label=ceiling_label)
        axes.set_title(f"{kind}, {count_threads(threads)}")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(unit)
        log_sizes(axes, sizes)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    legend_below(grid)
    return figure


# ---- memory --------------------------------------------------------------------------------------

POOL_LABELS = {
    "pool_expression": "(a*2+b)*c−a/b\n{n:,}",
    "pool_array": "take, write, give back\n{n:,}",
    "list_product": "list times factor\n{n}×{n}",
}
POOL_MEASURES = (
    ("seconds", 1e3, "milliseconds per call"),
    ("faults", 1.0, "page faults per call"),
    ("peak_bytes", 1e-6, "peak memory added, MB"),
)


def _draw_pool(results: Results) -> Figure | None:
    figures = {
        (row["workload"], row["n"], row["mode"]): row
        for row in results.probes.get("pool", [])
        if "failed" not in row
    }
    works = [key[:2] for key in figures if key[2] == "fresh" and (*key[:2], "pool") in figures]
    if not works:
        return None
    figure, grid = new_figure(11, 0.55 * len(works) + 2.2, 1, 3, sharey=True)
    for axes, (measure, factor, label) in zip(grid, POOL_MEASURES, strict=True):
        for shift, mode, name, colour in (
            (-0.2, "fresh", "fresh memory", "#9DB4C6"),
            (0.2, "pool", "forzium's pool", STYLES["forzium"][0]),
        ):
            values = [figures[(*work, mode)][measure] * factor for work in works]
            bars = axes.barh(
                [place + shift for place in range(len(works))], values, 0.38, color=colour, label=name
            )
            axes.bar_label(
                bars,
                [f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in values],
                padding=3,
                fontsize=8,
            )
        axes.set_xscale("symlog", linthresh=0.1 if measure == "seconds" else 1)
        axes.set_xlabel(f"{label}\n(log scale; less is better)")
        axes.margins(x=0.2)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")
        )
    grid[0].set_yticks(
        range(len(works)), [POOL_LABELS[workload].format(n=n) for workload, n in works], fontsize=9
    )
    grid[0].invert_yaxis()
    legend_below(grid[:1])
    return figure


# ---- threads -------------------------------------------------------------------------------------

SCALING = {
    "multiply.list.1000": "multiply 1000×1000 list",
    "multiply.inplace.1e6": "multiply 1e6 in place",
    "multiply.inplace.1.6e7": "multiply 1.6e7 in place",
    "conv2d.array.1000": "conv2d 1000×1000",
    "matmul.float64.512": "matmul 512",
    "matmul.float64.2000": "matmul 2000",
    "add.1e6": "add 1e6",
    "sum.1e7.all": "sum 1e7",
    "max_pool2d.1000": "max_pool2d 1000×1000",
    "transpose.1000": "transpose 1000×1000",
}


def _draw_scaling(results: Results) -> Figure | None:
    def gain(key: str, library: str) -> float | None:
        alone, together = (results.seconds(key, library, threads) for threads in (1, results.all_threads))
        return alone / together if alone and together else None

    keys = [key for key in SCALING if key in results.cases and gain(key, "forzium")]
    if len(results.threads) < 2 or not keys:
        return None
    figure, (axes,) = new_figure(9.5, 0.4 * len(keys) + 2.4)
    for library in reversed([key for key in STYLES if LIBRARIES[key].threaded]):
        found = [(value, place) for place, key in enumerate(keys) if (value := gain(key, library))]
        if found:
            colour, marker = STYLES[library]
            ours = library == "forzium"
            axes.plot(
                *zip(*found, strict=True),
                color=colour,
                marker=marker,
                markersize=10 if ours else 6,
                linestyle="none",
                label=LIBRARIES[library].label,
                zorder=3 if ours else 2,
            )
    axes.axvline(1, color="black", linewidth=1)
    axes.axvline(results.all_threads, color=CEILING, linestyle=":", linewidth=1.8, label="perfect")
    axes.set_yticks(range(len(keys)), [SCALING[key] for key in keys])
    axes.set_ylim(len(keys) - 0.4, -0.6)
    axes.set_xlabel(f"speed with {results.all_threads} threads relative to 1 thread")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_ratio(value)))
    legend_below([axes])
    return figure


def _draw_callers(results: Results) -> Figure | None:
    panels = {}
    for work in ("matmul", "multiply"):
        keys = [f"callers.{work}.{count}" for count in (1, 2, 4, 16)]
        if any(row.case in keys and row.seconds for row in results.rows):
            panels[work] = keys
    if not panels:
        return None
    figure, grid = panel_grid(len(panels), 10, 3.4)
    titles = {"matmul": "matmul, 256×256 doubles", "multiply": "multiply, 1e6 doubles in place"}
    for axes, (work, keys) in zip(grid, panels.items(), strict=True):
        for library in ("numpy", "forzium"):
            points = timed_points(results, keys, library, results.all_threads)
            if points:
                line(axes, library, [(count, 1 / seconds) for count, seconds in points])
        axes.set_title(titles[work])
        axes.set_xlabel("Python threads that call at once (log scale)")
        axes.set_ylabel("calls per second, all callers together")
        log_sizes(axes, [results.cases[key].size for key in keys if key in results.cases])
        axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    legend_below(grid)
    return figure


CHARTS = (
    Chart(
        "relative",
        "forzium beside the fastest other library",
        "Speed relative to the fastest of all other libraries measured, at the same number of threads. "
        "The name and time at the right are that library's, with all threads.",
        _draw_relative,
    ),
    Chart(
        "sizes",
        "Time per call over size",
        "All threads. Both axes are logarithmic; lower is better.",
        _draw_sizes,
    ),
    Chart(
        "matmul",
        "Matrix products beside the arithmetic peak",
        "Higher is better. The dotted line is what a loop of nothing but fused multiply-adds reached "
        "in the same run.",
        _draw_matmul,
    ),
    Chart(
        "bandwidth",
        "In-place multiply beside the memory bandwidth",
        "Higher is better. Arrays that fit the caches can be above the dotted line, which is what a "
        "plain loop reached on an array that does not.",
        _draw_bandwidth,
    ),
    Chart(
        "pool",
        "Memory pool and fresh allocation",
        "The same NumPy work with fresh memory and with blocks of the pool, each in a fresh process.",
        _draw_pool,
    ),
    Chart(
        "scaling",
        "What all threads bring",
        "Speed with all threads relative to one, each library by itself.",
        _draw_scaling,
    ),
    Chart(
        "callers",
        "Many callers at once",
        "Total throughput; each library has all threads. Higher is better.",
        _draw_callers,
    ),
)

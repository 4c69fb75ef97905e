"""The charts of the matmul suite: the rate of square products beside that of plain multiply-adds."""

from __future__ import annotations

from matplotlib.figure import Figure

from ..results import Results
from ..suites import matmul
from .guide import draw_rates
from .style import Chart


def _draw_squares(results: Results) -> Figure | None:
    return draw_rates(
        results,
        {dtype: [f"product.{dtype}.{n}x{n}x{n}" for n in sorted(matmul.SQUARES)] for dtype in matmul.FLOATS},
        {dtype: f"machine.fma.{dtype}" for dtype in matmul.FLOATS},
        "flops",
        "GFLOP/s",
        "side of the square arrays (log scale)",
        "plain FMA loop",
    )


CHARTS = (
    Chart(
        "products",
        "Rate of square products over size",
        "Higher is better. The dotted line is a loop of nothing but fused multiply-adds on as many threads.",
        _draw_squares,
    ),
)

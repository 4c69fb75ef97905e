"""The guide suite: what the optimization guide promises, and what a user of arrays meets daily."""

from __future__ import annotations

from ..cases import Effort, Suite
from . import rows

MILLION = 10**6

MACHINE = (
    rows.stream("scale", MILLION, repeats=100),
    rows.stream("copy", MILLION, repeats=100),
    rows.stream("scale", 16 * MILLION, repeats=5),
    rows.stream("copy", 16 * MILLION, repeats=5),
    rows.fma("float64"),
    rows.fma("float32"),
)

MULTIPLY = (
    *(rows.multiply_list(n) for n in (3, 100, 500, 1000)),
    rows.multiply_in_place(8),
    *(rows.zero_copy_multiply(n) for n in (100, 500, 1000)),
    rows.multiply_in_place(MILLION, ceiling="machine.scale.1e6"),
    rows.multiply_in_place(16 * MILLION, ceiling="machine.scale.1.6e7"),
)

CONVOLUTION = (
    rows.conv2d_list(50),
    *(rows.conv2d(n) for n in (50, 100, 200, 1000)),
    rows.conv2d_photograph("camera", 512),
)

MATMUL = (
    *(rows.quick_if(n <= 100, rows.matmul_list(n)) for n in (3, 100, 500, 1000)),
    *(
        rows.quick_if(n in (100, 256, 512), rows.matmul(n, dtype))
        for dtype in ("float64", "float32")
        for n in (100, 256, 500, 512, 1000, 2000)
    ),
)

ELEMENTWISE = tuple(
    rows.quick_if(n == MILLION, rows.elementwise(function, n, operands))
    for n in (MILLION // 10, MILLION)
    for function, operands in (("add", 2), ("sqrt", 1), ("maximum", 2))
)

REDUCTIONS = tuple(
    rows.quick_if(function == "sum" and len(shape) == 2, rows.reduction(function, shape, axis))
    for function in ("sum", "mean")
    for shape, axis in (((1000, 1000), None), ((1000, 1000), 0), ((1000, 1000), 1), ((10 * MILLION,), None))
)

IMAGES = (rows.max_pool2d(1000, window=2), rows.transpose(1000))

CALLED = {"matmul": rows.matmul(256, "float64"), "multiply": rows.multiply_in_place(MILLION)}
CALLERS = tuple(
    rows.quick_if(count in (1, 4), rows.callers(count, name, case))
    for count in (1, 2, 4, 16)
    for name, case in CALLED.items()
)

SUITE = Suite(
    name="guide",
    title="The optimization guide, measured",
    cases=(*MACHINE, *MULTIPLY, *CONVOLUTION, *MATMUL, *ELEMENTWISE, *REDUCTIONS, *IMAGES, *CALLERS),
    effort=Effort(rounds=9, seconds=0.02, budget=5.0),
    quick_effort=Effort(rounds=3, seconds=0.003, budget=0.3),
    probes=("import", "gil", "zero_copy", "pool"),
)

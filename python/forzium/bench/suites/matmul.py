"""The matmul suite: products of every shape, beside BLAS, oneDNN, XLA and plain multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ..cases import Case, Effort, Suite
from . import rows

FLOATS = ("float64", "float32")
SQUARES = (2, 3, 4, *(2**power for power in range(3, 13)), 100, 500, 1000, 1023, 3000)
BLOCKED_FROM = 256
"""From this side on the rate is given as a share of what plain multiply-adds reach."""

SHAPES = {
    "tall": ((10_000, 64, 64), (4_000, 200, 50)),
    "wide": ((64, 64, 10_000), (50, 200, 4_000)),
    "vector": ((1, 1_000, 1_000), (1_000, 1_000, 1), (1, 4_096, 4_096), (4_096, 4_096, 1)),
    "few rows": ((4, 1_000, 1_000), (8, 4_096, 4_096)),
    "long": ((32, 100_000, 32), (100, 20_000, 100), (1, 1_000_000, 1)),
}
"""m, k and n of single products."""

BATCHES = ((1_000, 8), (1_000, 16), (200, 64), (20, 256))
LAYER = (64, 1_024, 1_024)
"""Rows, inputs and outputs of a linear layer."""
INTEGERS = ("int8", "int16", "int32", "int64")
QUICK = (8, 100, 256, 1000)


def _product(group: str, m: int, k: int, n: int, dtype: str, batch: int = 0) -> Case:
    size = "x".join(map(str, (*([batch] if batch else []), m, k, n)))
    shapes = [[*([batch] if batch else []), *shape] for shape in ((m, k), (k, n))]
    flops = 2.0 * m * k * n * (batch or 1)
    title = f"{f'{batch} products' if batch else 'Product'} of {m}×{k} and {k}×{n}, {dtype}"
    params = {"a": shapes[0], "b": shapes[1], "dtype": dtype}
    return Case(f"product.{dtype}.{size}", group, title, "product", params, math.cbrt(m * k * n), flops=flops)


def _squares() -> Iterable[Case]:
    for dtype in FLOATS:
        for n in sorted(SQUARES):
            case = _product("square", n, n, n, dtype)
            ceiling = f"machine.fma.{dtype}" if n >= BLOCKED_FROM else ""
            yield replace(case, ceiling=ceiling, quick=n in QUICK)


def _others() -> Iterable[Case]:
    for dtype in FLOATS:
        for group, shapes in SHAPES.items():
            for shape in shapes:
                yield rows.quick_if(shape == shapes[0], _product(group, *shape, dtype))
        for batch, n in BATCHES:
            yield rows.quick_if(n == 8, _product("batch", n, n, n, dtype, batch))


def _integers() -> Iterable[Case]:
    for dtype in INTEGERS:
        for n in (64, 256, 512):
            yield rows.quick_if(n == 64, _product("integers", n, n, n, dtype))


def _linear() -> Iterable[Case]:
    """A layer's product and bias; forzium packs the weight beforehand."""
    count, inputs, outputs = LAYER
    for dtype in FLOATS:
        params = {"rows": count, "inputs": inputs, "outputs": outputs, "dtype": dtype}
        title = f"Layer of {inputs} to {outputs} on {count} rows, {dtype}, forzium's weight packed before"
        key, size = f"linear.{dtype}.{count}x{inputs}x{outputs}", math.cbrt(count * inputs * outputs)
        flops = 2.0 * count * inputs * outputs
        yield Case(key, "linear", title, "linear", params, size, flops=flops, quick=False)


def _callers() -> Iterable[Case]:
    case = rows.matmul(256, "float64")
    return (rows.quick_if(count == 1, rows.callers(count, "product", case)) for count in (1, 16))


SUITE = Suite(
    name="matmul",
    title="Products of matrices",
    cases=(*map(rows.fma, FLOATS), *_squares(), *_others(), *_linear(), *_integers(), *_callers()),
    effort=Effort(rounds=5, seconds=0.01, budget=0.6),
    quick_effort=Effort(rounds=3, seconds=0.003, budget=0.2),
)

"""numba: loops, parallel where it has threads, compiled before they are timed."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import prange

from ..functions import reduced, result_for
from ..loops import REASSOCIATED, compiled, map_loop, sum_loop
from . import Timed


def version() -> str:
    """numba's version."""
    return str(numba.__version__)


def use_threads(count: int) -> None:
    """The number of threads of its parallel loops."""
    numba.set_num_threads(count)


def _scale_loop(x: Any, factor: float) -> None:
    for i in prange(x.size):
        x[i] *= factor


def _conv2d_loop(x: Any, weight: Any, out: Any) -> None:
    rows, columns = weight.shape
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0.0
            for p in range(rows):
                for q in range(columns):
                    total += x[i + p, j + q] * weight[p, q]
            out[i, j] = total


def _max_pool2d_loop(x: Any, window: int, out: Any) -> None:
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            best = x[i * window, j * window]
            for p in range(window):
                for q in range(window):
                    best = max(best, x[i * window + p, j * window + q])
            out[i, j] = best


def _transpose_loop(x: Any, out: Any) -> None:
    block = 32
    for tile in prange((x.shape[0] + block - 1) // block):
        for left in range(0, x.shape[1], block):
            for i in range(tile * block, min(tile * block + block, x.shape[0])):
                for j in range(left, min(left + block, x.shape[1])):
                    out[j, i] = x[i, j]


def _sum_rows(x: Any, out: Any) -> None:
    for i in prange(x.shape[0]):
        total = out.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        out[i] = total


def _scale(params: Any, x: Any, factor: float) -> Timed:
    names = {"scale": compiled(_scale_loop), "x": x.reshape(-1), "factor": factor, "shaped": x}
    return Timed("scale(x, factor)", names, result="shaped")


_FORMULAS = {
    "erf": "math.erf(x)",
    "erfc": "math.erfc(x)",
    "fma": "x * y + z",
    "where": "where(x, y, z)",
    "clip": "min(max(x, y), z)",
    "sigmoid": "1 / (1 + np.exp(-x))",
    "silu": "x / (1 + np.exp(-x))",
    "softplus": "np.log1p(np.exp(x))",
    "gelu": "x / 2 * (1 + math.erf(x * 0.7071067811865476))",
    "gelu_tanh": "x / 2 * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))",
    "relu": "max(x, 0)",
    "leaky_relu": "where(x > 0, x, x * 0.01)",
    "elu": "where(x > 0, x, np.expm1(x))",
}


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    expression = _FORMULAS.get(name) or (f"np.{name}({', '.join(operands)})" if hasattr(np, name) else "")
    if not expression:
        raise NotImplementedError(f"no loop written for {name}")
    out = result_for(params, operands)
    names = {"loop": map_loop(expression, operands, out), **operands, "out": out}
    return Timed(f"loop({', '.join(operands)}, out)  # out[i] = {expression}", names, result="out")


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    shape = [size - reach + 1 for size, reach in zip(x.shape, weight.shape, strict=True)]
    conv2d = compiled(_conv2d_loop, fastmath={"contract"})
    names = {"conv2d": conv2d, "x": x, "weight": weight, "out": np.empty(shape)}
    return Timed("conv2d(x, weight, out)", names, result="out")


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = params["window"]
    out = np.empty([size // window for size in x.shape])
    names = {"max_pool2d": compiled(_max_pool2d_loop), "x": x, "out": out}
    return Timed(f"max_pool2d(x, {window}, out)", names, result="out")


def _transpose(params: Any, x: Any) -> Timed:
    return Timed(
        "transpose(x, out)",
        {"transpose": compiled(_transpose_loop), "x": x, "out": np.empty(x.shape[::-1], x.dtype)},
        "out",
    )


def _reduce(params: Any, x: Any) -> Timed:
    if params["function"] == "sum" and params["axis"] is None:
        flat = {"x": x.reshape(-1)}
        return Timed("loop(x)  # total += x[i]", {"loop": sum_loop("x", flat), **flat})
    if params["function"] == "sum" and params["axis"] == 1:
        sum_rows = compiled(_sum_rows, fastmath=REASSOCIATED)
        return Timed("sum_rows(x, out)", {"sum_rows": sum_rows, "x": x, "out": reduced(params, x)}, "out")
    raise NotImplementedError("no loop written for this reduction")


def _expression(params: Any, **arrays: Any) -> Timed:
    expression = params["expression"]
    if expression.startswith("sum("):
        names = {"loop": sum_loop(expression[4:-1], arrays), **arrays}
        return Timed(f"loop({', '.join(arrays)})  # total += {expression[4:-1]}", names)
    out = np.empty_like(arrays["a"])
    names = {"loop": map_loop(expression, arrays, out), **arrays, "out": out}
    return Timed(f"loop({', '.join(arrays)}, out)  # out[i] = {expression}", names, result="out")


OPERATIONS = {
    "scale": _scale,
    "elementwise": _elementwise,
    "conv2d": _conv2d,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
    "reduce": _reduce,
    "expression": _expression,
}

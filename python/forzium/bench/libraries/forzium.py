"""forzium, through its public functions."""

from __future__ import annotations

from typing import Any

import forzium_engine
import numpy as np

import forzium

from ..functions import reduced, result_for
from . import Timed, along, empty_product, with_output


def version() -> str:
    """forzium's version."""
    return str(forzium.info()["version"])


def use_threads(count: int) -> None:
    """The size of the pool."""
    forzium.set_num_threads(count)


def _scale(params: Any, x: Any, factor: float) -> Timed:
    if params.get("function") == "zero_copy_multiply":
        names = {"zero_copy_multiply": forzium_engine.zero_copy_multiply, "x": x, "factor": factor}
        return Timed("zero_copy_multiply(x, factor)", names, result="x")
    return Timed(
        "multiply(x, factor, out=x)", {"multiply": forzium.multiply, "x": x, "factor": factor}, result="x"
    )


def _scale_list(params: Any, data: Any, factor: float) -> Timed:
    return Timed(
        "multiply(data, factor)", {"multiply": forzium_engine.multiply, "data": data, "factor": factor}
    )


def _matmul(params: Any, a: Any, b: Any) -> Timed:
    names = {"matmul": forzium.matmul, "a": a, "b": b, "out": np.empty_like(a)}
    return Timed("matmul(a, b, out=out)", names, result="out")


def _product(params: Any, a: Any, b: Any) -> Timed:
    return with_output("matmul", forzium.matmul, {"a": a, "b": b}, empty_product(a, b))


def _linear(params: Any, x: Any, weight: Any, bias: Any) -> Timed:
    names = {"linear": forzium.linear, "x": x, "packed": forzium.pack(weight.T), "bias": bias}
    names["out"] = np.empty((len(x), len(weight)), x.dtype)
    return Timed("linear(x, packed, bias, out=out)", names, result="out")


def _matmul_list(params: Any, a: Any, b: Any) -> Timed:
    return Timed("simd_matmul(a, b)", {"simd_matmul": forzium_engine.simd_matmul, "a": a, "b": b})


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    shape = [size - reach + 1 for size, reach in zip(x.shape, weight.shape, strict=True)]
    names = {"conv2d": forzium.conv2d, "x": x, "weight": weight, "out": np.empty(shape)}
    return Timed("conv2d(x, weight, out=out)", names, result="out")


def _conv2d_list(params: Any, x: Any, weight: Any) -> Timed:
    return Timed("conv2d(x, weight)", {"conv2d": forzium_engine.conv2d, "x": x, "weight": weight})


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    return with_output(name, getattr(forzium, name), operands, result_for(params, operands))


def _astype(params: Any, x: Any) -> Timed:
    return Timed("astype(x, to)", {"astype": forzium.astype, "x": x, "to": np.dtype(params["to"])})


def _reduce(params: Any, x: Any) -> Timed:
    name, axis = params["function"], params["axis"]
    names = {name: getattr(forzium, name), "x": x}
    if axis is None:
        return Timed(f"{name}(x)", names)
    if name == "count_nonzero":  # which takes no output
        return Timed(f"{name}(x, axis={axis})", names)
    names["out"] = reduced(params, x)
    return Timed(f"{name}(x, axis={axis}, out=out)", names, result="out")


def _along(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    options = {} if name == "dot" else {"axis": -1}
    if name in ("cumsum", "cumprod"):
        options["out"] = np.empty_like(operands["x"])
    return along(name, getattr(forzium, name), operands, **options)


def _rowwise(params: Any, x: Any) -> Timed:
    name = params["function"]
    return with_output(name, getattr(forzium, name), {"x": x}, np.empty_like(x))


def _expression(params: Any, **arrays: Any) -> Timed:
    names = {"evaluate": vars(forzium)["evaluate"], "arrays": arrays}
    if params["expression"].startswith("sum("):
        return Timed(f'evaluate("{params["expression"]}", arrays)', names)
    names["out"] = np.empty_like(arrays["a"])
    return Timed(f'evaluate("{params["expression"]}", arrays, out=out)', names, result="out")


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = params["window"]
    out = np.empty([size // window for size in x.shape])
    names = {"max_pool2d": forzium.max_pool2d, "x": x, "out": out}
    return Timed(f"max_pool2d(x, {window}, out=out)", names, result="out")


def _transpose(params: Any, x: Any) -> Timed:
    names = {"transpose": forzium.transpose, "x": x, "out": np.empty(x.shape[::-1], x.dtype)}
    return Timed("transpose(x, out=out)", names, result="out")


def _permute(params: Any, x: Any) -> Timed:
    axes = params["axes"]
    names = {"transpose": forzium.transpose, "x": x, "axes": axes, "out": forzium.transpose(x, axes)}
    return Timed("transpose(x, axes, out=out)", names, result="out")


def _window(params: Any, x: Any, weight: Any) -> Timed:
    out = np.empty([params["n"] - params["window"] + 1] * 2, weight.dtype)
    names = {"conv2d": forzium.conv2d, "x": x, "weight": weight, "out": out}
    return Timed("conv2d(x, weight, out=out)", names, result="out")


def _gaussian(params: Any, x: Any, row: Any) -> Timed:
    return _window(params, x, np.outer(row, row))


def _layer(params: Any, x: Any, weight: Any) -> Timed:
    options = {name: params[name] for name in ("stride", "padding", "groups", "layout")}
    out = forzium.conv2d(x, weight, **options)
    names = {"conv2d": forzium.conv2d, "x": x, "weight": weight, "options": options, "out": out}
    return Timed("conv2d(x, weight, **options, out=out)", names, result="out")


def _conv1d(params: Any, x: Any, weight: Any) -> Timed:
    options = {name: params[name] for name in ("stride", "padding")}
    out = forzium.conv1d(x, weight, **options)
    names = {"conv1d": forzium.conv1d, "x": x, "weight": weight, "options": options, "out": out}
    return Timed("conv1d(x, weight, **options, out=out)", names, result="out")


def _pool(params: Any, x: Any) -> Timed:
    options = {name: params[name] for name in ("window", "stride", "padding")}
    pool = getattr(forzium, f"{params['kind']}_pool2d")
    names = {"pool": pool, "x": x, "options": options, "out": pool(x, **options)}
    return Timed("pool(x, **options, out=out)", names, result="out")


def _adaptive_pool(params: Any, x: Any) -> Timed:
    pool, size = forzium.adaptive_avg_pool2d, params["size"]
    return Timed("pool(x, size, out=out)", {"pool": pool, "x": x, "size": size, "out": pool(x, size)}, "out")


OPERATIONS = {
    "scale": _scale,
    "scale_list": _scale_list,
    "matmul": _matmul,
    "product": _product,
    "linear": _linear,
    "matmul_list": _matmul_list,
    "conv2d": _conv2d,
    "conv2d_list": _conv2d_list,
    "elementwise": _elementwise,
    "astype": _astype,
    "reduce": _reduce,
    "along": _along,
    "rowwise": _rowwise,
    "expression": _expression,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
    "permute": _permute,
    "window": _window,
    "gaussian": _gaussian,
    "layer": _layer,
    "conv1d": _conv1d,
    "pool": _pool,
    "adaptive_pool": _adaptive_pool,
}

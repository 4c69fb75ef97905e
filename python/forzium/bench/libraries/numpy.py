"""NumPy, with its outputs preallocated; on lists, the round trip through an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..functions import reduced, result_for
from . import Timed, along, empty_product, with_output


def version() -> str:
    """NumPy's version and the BLAS under it."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{np.__version__} ({blas['name']} {blas['version']})"


def use_threads(count: int) -> None:
    """The environment has set BLAS's threads; the rest of NumPy has one."""


def _scale(params: Any, x: Any, factor: float) -> Timed:
    return Timed(
        "multiply(x, factor, out=x)", {"multiply": np.multiply, "x": x, "factor": factor}, result="x"
    )


def _scale_list(params: Any, data: Any, factor: float) -> Timed:
    return Timed("(array(data) * factor).tolist()", {"array": np.array, "data": data, "factor": factor})


def _matmul(params: Any, a: Any, b: Any) -> Timed:
    names = {"matmul": np.matmul, "a": a, "b": b, "out": np.empty_like(a)}
    return Timed("matmul(a, b, out=out)", names, result="out")


def _product(params: Any, a: Any, b: Any) -> Timed:
    return with_output("matmul", np.matmul, {"a": a, "b": b}, empty_product(a, b))


def _linear(params: Any, x: Any, weight: Any, bias: Any) -> Timed:
    names = {"matmul": np.matmul, "add": np.add, "x": x, "weight": weight, "bias": bias}
    names["out"] = np.empty((len(x), len(weight)), x.dtype)
    return Timed("matmul(x, weight.T, out=out); add(out, bias, out=out)", names, result="out")


def _matmul_list(params: Any, a: Any, b: Any) -> Timed:
    return Timed("(array(a) @ array(b)).tolist()", {"array": np.array, "a": a, "b": b})


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    function = getattr(np, name, None)
    if function is None:
        raise NotImplementedError(f"NumPy has no {name}")
    if name == "where":
        return Timed("where(x, y, z)", {"where": function, **operands})
    return with_output(name, function, operands, result_for(params, operands))


def _astype(params: Any, x: Any) -> Timed:
    return Timed("x.astype(to)", {"x": x, "to": np.dtype(params["to"])})


def _reduce(params: Any, x: Any) -> Timed:
    name, axis = params["function"], params["axis"]
    names = {name: getattr(np, name), "x": x}
    if axis is None:
        return Timed(f"{name}(x)", names)
    if name == "count_nonzero":  # which takes no output
        return Timed(f"{name}(x, axis={axis})", names)
    names["out"] = reduced(params, x)
    return Timed(f"{name}(x, axis={axis}, out=out)", names, result="out")


_ALONG: dict[str, Callable[..., Any]] = {
    **{"cumsum": np.cumsum, "cumprod": np.cumprod, "norm": np.linalg.norm},
    "vecdot": np.vecdot,
}


def _along(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    if name == "dot":
        return along(name, np.dot, operands)
    if name not in _ALONG:
        raise NotImplementedError(f"NumPy has no {name}")
    options = {"out": np.empty_like(operands["x"])} if name.startswith("cum") else {}
    return along(name, _ALONG[name], operands, axis=-1, **options)


def _expression(params: Any, **arrays: Any) -> Timed:
    return Timed(
        params["expression"], {"sum": np.sum, "where": np.where, "exp": np.exp, "sin": np.sin, **arrays}
    )


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = params["window"]
    height, width = (size // window for size in x.shape)
    blocks = x.reshape(height, window, width, window)
    names = {"amax": np.amax, "blocks": blocks, "out": np.empty((height, width))}
    return Timed("amax(blocks, axis=(1, 3), out=out)", names, result="out")


def _transpose(params: Any, x: Any) -> Timed:
    return Timed(
        "copyto(out, x.T)",
        {"copyto": np.copyto, "x": x, "out": np.empty(x.shape[::-1], x.dtype)},
        result="out",
    )


def _permute(params: Any, x: Any) -> Timed:
    x = x.transpose(params["axes"])
    return Timed(
        "copyto(out, x)", {"copyto": np.copyto, "x": x, "out": np.empty(x.shape, x.dtype)}, result="out"
    )


OPERATIONS = {
    "scale": _scale,
    "scale_list": _scale_list,
    "matmul": _matmul,
    "product": _product,
    "linear": _linear,
    "matmul_list": _matmul_list,
    "elementwise": _elementwise,
    "astype": _astype,
    "reduce": _reduce,
    "along": _along,
    "expression": _expression,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
    "permute": _permute,
}

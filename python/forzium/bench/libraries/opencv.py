"""OpenCV, with its outputs preallocated."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..functions import result_for
from . import Timed, TooSlow, empty_product


def version() -> str:
    """OpenCV's version."""
    return str(cv2.__version__)


def use_threads(count: int) -> None:
    """The size of its pool."""
    cv2.setNumThreads(count)


def _rows(x: Any) -> Any:
    """A 1-D array as an image: OpenCV splits work by rows."""
    if x.ndim != 1 or x.size % 1000:
        return x
    return x.reshape(1000, -1)


def _scale(params: Any, x: Any, factor: float) -> Timed:
    names = {"multiply": cv2.multiply, "x": _rows(x), "factor": factor, "shaped": x}
    return Timed("multiply(x, factor, dst=x)", names, result="shaped")


_LARGEST_PRODUCT = 512
"""Side of a square; with 4096 a call would take a minute."""


def _product(params: Any, a: Any, b: Any) -> Timed:
    if a.shape != b.shape or a.ndim != 2 or a.dtype.kind != "f":
        raise NotImplementedError("OpenCV's gemm was tried on squares")
    if len(a) > _LARGEST_PRODUCT:
        raise TooSlow(f"OpenCV's gemm falls far behind: beyond {_LARGEST_PRODUCT} a side it is left out")
    names = {"gemm": cv2.gemm, "a": a, "b": b, "out": empty_product(a, b)}
    return Timed("gemm(a, b, 1, None, 0, dst=out)", names, result="out")


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    names = {"filter2D": cv2.filter2D, "x": x, "weight": weight, "out": np.empty_like(x)}
    return Timed("filter2D(x, -1, weight, dst=out)", names, result="out[1:-1, 1:-1]")


_NAMES = {
    **{name: name for name in ("add", "subtract", "multiply", "divide", "sqrt", "exp", "log")},
    **{name: name for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "maximum": "max",
    "minimum": "min",
    "hypot": "magnitude",
    "invert": "bitwise_not",
}


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = _NAMES.get(params["function"])
    if name is None or params["layout"] != "contiguous" or params.get("dtype") == "int64":
        raise NotImplementedError(f"OpenCV has no {params['function']} of such arrays")
    out = result_for(params, operands)
    named = {key: _rows(x) for key, x in operands.items()}
    names = {name: getattr(cv2, name), **named, "out": _rows(out), "shaped": out}
    how = "magnitude=out" if name == "magnitude" else "dst=out"
    return Timed(f"{name}({', '.join(operands)}, {how})", names, result="shaped")


def _reduce(params: Any, x: Any) -> Timed:
    if params["function"] not in ("sum", "mean"):
        raise NotImplementedError(f"OpenCV has no {params['function']} that gives as much")
    mean, axis = params["function"] == "mean", params["axis"]
    if axis is None:
        name = "mean" if mean else "sumElems"
        return Timed(f"{name}(x)[0]", {name: getattr(cv2, name), "x": _rows(x)})
    shape = (1, x.shape[1]) if axis == 0 else (x.shape[0], 1)
    names = {
        "reduce": cv2.reduce,
        "x": x,
        "how": cv2.REDUCE_AVG if mean else cv2.REDUCE_SUM,
        "out": np.empty(shape, x.dtype),
    }
    return Timed(f"reduce(x, {axis}, how, dst=out)", names, result="out.reshape(-1)")


def _transpose(params: Any, x: Any) -> Timed:
    return Timed(
        "transpose(x, dst=out)",
        {"transpose": cv2.transpose, "x": x, "out": np.empty(x.shape[::-1], x.dtype)},
        "out",
    )


def _window(params: Any, x: Any, weight: Any) -> Timed:
    k, depth = params["window"], cv2.CV_64F if weight.dtype == np.float64 else cv2.CV_32F
    names = {"filter2D": cv2.filter2D, "x": x, "weight": weight, "out": np.empty(x.shape, weight.dtype)}
    edge = slice(k // 2, params["n"] - k // 2)
    return Timed(f"filter2D(x, {depth}, weight, dst=out)", {**names, "edge": edge}, result="out[edge, edge]")


def _gaussian(params: Any, x: Any, row: Any) -> Timed:
    edge = slice(params["window"] // 2, params["n"] - params["window"] // 2)
    names = {"sepFilter2D": cv2.sepFilter2D, "x": x, "row": row, "out": np.empty_like(x), "edge": edge}
    return Timed("sepFilter2D(x, -1, row, row, dst=out)", names, result="out[edge, edge]")


OPERATIONS = {
    "product": _product,
    "window": _window,
    "gaussian": _gaussian,
    "scale": _scale,
    "conv2d": _conv2d,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "transpose": _transpose,
}

"""PyTorch on the CPU, on the same memory as the NumPy inputs, with its outputs preallocated."""

from __future__ import annotations

from typing import Any

import torch

from . import Timed


def version() -> str:
    """PyTorch's version."""
    return str(torch.__version__)


def use_threads(count: int) -> None:
    """The number of threads of its operations."""
    torch.set_num_threads(count)
    torch.set_num_interop_threads(1)
    torch.set_grad_enabled(False)


_tensor = torch.from_numpy


def _scale(params: Any, x: Any, factor: float) -> Timed:
    return Timed("mul(x, factor, out=x)", {"mul": torch.mul, "x": _tensor(x), "factor": factor}, result="x")


def _matmul(params: Any, a: Any, b: Any) -> Timed:
    a, b = _tensor(a), _tensor(b)
    names = {"matmul": torch.matmul, "a": a, "b": b, "out": torch.empty_like(a)}
    return Timed("matmul(a, b, out=out)", names, result="out")


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    names = {
        "conv2d": torch.nn.functional.conv2d,
        "x": _tensor(x)[None, None],
        "weight": _tensor(weight)[None, None],
    }
    return Timed("y = conv2d(x, weight)", names, result="conv2d(x, weight)[0, 0]")


def _unary(params: Any, x: Any) -> Timed:
    name, x = params["function"], _tensor(x)
    return Timed(
        f"{name}(x, out=out)", {name: getattr(torch, name), "x": x, "out": torch.empty_like(x)}, "out"
    )


def _binary(params: Any, x: Any, y: Any) -> Timed:
    name, x, y = params["function"], _tensor(x), _tensor(y)
    names = {name: getattr(torch, name), "x": x, "y": y, "out": torch.empty_like(x)}
    return Timed(f"{name}(x, y, out=out)", names, result="out")


def _reduce(params: Any, x: Any) -> Timed:
    name, axis, x = params["function"], params["axis"], _tensor(x)
    names = {name: getattr(torch, name), "x": x}
    if axis is None:
        return Timed(f"{name}(x)", names)
    names["out"] = torch.empty(x.shape[1 - axis], dtype=x.dtype)
    return Timed(f"{name}(x, dim={axis}, out=out)", names, result="out")


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = params["window"]
    names = {"max_pool2d": torch.nn.functional.max_pool2d, "x": _tensor(x)[None, None]}
    return Timed(f"y = max_pool2d(x, {window})", names, result=f"max_pool2d(x, {window})[0, 0]")


def _transpose(params: Any, x: Any) -> Timed:
    x = _tensor(x)
    return Timed("out.copy_(x.t())", {"x": x, "out": torch.empty(x.shape[::-1], dtype=x.dtype)}, result="out")


OPERATIONS = {
    "scale": _scale,
    "matmul": _matmul,
    "conv2d": _conv2d,
    "unary": _unary,
    "binary": _binary,
    "reduce": _reduce,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
}

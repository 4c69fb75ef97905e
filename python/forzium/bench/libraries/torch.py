"""PyTorch on the CPU, on the same memory as the NumPy inputs, with its outputs preallocated."""

from __future__ import annotations

import functools
from typing import Any

import torch

from ..functions import reduced, result_for
from ..units import format_bytes
from . import Timed, TooSlow, along, empty_product, with_output


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


def _product(params: Any, a: Any, b: Any) -> Timed:
    out = _tensor(empty_product(a, b))
    return with_output("matmul", torch.matmul, {"a": _tensor(a), "b": _tensor(b)}, out)


def _linear(params: Any, **operands: Any) -> Timed:
    """What torch.nn.functional.linear calls; it takes an output."""
    names = {"linear": torch._C._nn.linear, **{key: _tensor(x) for key, x in operands.items()}}
    names["out"] = names["x"].new_empty(len(names["x"]), len(names["weight"]))
    return Timed("linear(x, weight, bias, out=out)", names, result="out")


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    names = {
        "conv2d": torch.nn.functional.conv2d,
        "x": _tensor(x)[None, None],
        "weight": _tensor(weight)[None, None],
    }
    return Timed("y = conv2d(x, weight)", names, result="conv2d(x, weight)[0, 0]")


_NAMES = {"power": "pow", "rint": "round", "equal": "eq", "not_equal": "ne", "invert": "bitwise_not"}
_NAMES |= {"left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift"}
_ACTIVATIONS = ("gelu", "silu", "softplus", "elu", "leaky_relu")
_OTHERWISE = {"isnan": ("ne", "x, x"), "relu": ("clamp_min", "x, 0")}
"""Calls that give the same and take an output, which these do not."""
_WITHOUT_OUTPUT = ("isinf", "isfinite")


def _function(name: str) -> Any:
    """PyTorch's function of NumPy's name."""
    if name in _ACTIVATIONS:
        return getattr(torch._C._nn, name)  # what torch.nn.functional calls; it takes an output
    if name == "gelu_tanh":
        return functools.partial(torch._C._nn.gelu, approximate="tanh")
    function = getattr(torch, _NAMES.get(name, name), None)
    if function is None or name == "positive":  # that gives its operand, and copies nothing
        raise NotImplementedError(f"PyTorch has no {name}")
    return function


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    out = _tensor(result_for(params, operands))
    operands = {key: _tensor(x) for key, x in operands.items()}
    if name in _OTHERWISE:
        call, arguments = _OTHERWISE[name]
        names = {call: getattr(torch, call), **operands, "out": out}
        return Timed(f"{call}({arguments}, out=out)", names, result="out")
    if name in _WITHOUT_OUTPUT:
        return Timed(f"{name}(x)", {name: _function(name), **operands})
    return with_output(name, _function(name), operands, out)


def _astype(params: Any, x: Any) -> Timed:
    return Timed("x.to(to)", {"x": _tensor(x), "to": getattr(torch, params["to"])})


_REDUCTIONS = {"max": "amax", "min": "amin"}


def _reduce(params: Any, x: Any) -> Timed:
    axis, name = params["axis"], _REDUCTIONS.get(params["function"], params["function"])
    function = getattr(torch, name, None)
    if function is None:
        raise NotImplementedError(f"PyTorch has no {name}")
    names = {name: function, "x": _tensor(x)}
    if name == "count_nonzero":  # which takes no output
        return Timed(f"{name}(x, dim={axis})", names)
    how = "dim=None, correction=0" if name in ("var", "std") else ""
    if axis is None:
        return Timed(f"{name}(x{', ' if how else ''}{how})", names)
    names["out"] = _tensor(reduced(params, x))
    return Timed(
        f"{name}(x, {how.replace('None', str(axis)) or f'dim={axis}'}, out=out)", names, result="out"
    )


_ALONG = {"cumsum": torch.cumsum, "cumprod": torch.cumprod, "logsumexp": torch.logsumexp}
_ALONG |= {"norm": torch.linalg.vector_norm, "vecdot": torch.linalg.vecdot}


def _along(params: Any, **operands: Any) -> Timed:
    name, tensors = params["function"], {key: _tensor(x) for key, x in operands.items()}
    if name == "dot":
        return along(name, torch.dot, tensors)
    options = {"out": torch.empty_like(tensors["x"])} if name.startswith("cum") else {}
    return along(name, _ALONG[name], tensors, dim=-1, **options)


def _rowwise(params: Any, x: Any) -> Timed:
    name, functional = params["function"], torch.nn.functional
    if name in ("softmax", "log_softmax", "normalize"):
        x, function = _tensor(x), getattr(functional if name == "normalize" else torch, name)
        return along(name, function, {"x": x}, dim=-1, out=torch.empty_like(x))
    names = {name: getattr(functional, name), "x": _tensor(x), "shape": [x.shape[-1]]}
    return Timed(f"{name}(x, shape, eps={'1e-5' if name == 'layer_norm' else '1e-6'})", names)


def _expression(params: Any, **arrays: Any) -> Timed:
    names = {key: _tensor(array) for key, array in arrays.items()}
    return Timed(
        params["expression"],
        {"sum": torch.sum, "where": torch.where, "exp": torch.exp, "sin": torch.sin, **names},
    )


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = params["window"]
    names = {"max_pool2d": torch.nn.functional.max_pool2d, "x": _tensor(x)[None, None]}
    return Timed(f"y = max_pool2d(x, {window})", names, result=f"max_pool2d(x, {window})[0, 0]")


def _transpose(params: Any, x: Any) -> Timed:
    x = _tensor(x)
    return Timed("out.copy_(x.t())", {"x": x, "out": torch.empty(x.shape[::-1], dtype=x.dtype)}, result="out")


def _permute(params: Any, x: Any) -> Timed:
    x = _tensor(x).permute(params["axes"])
    return Timed("out.copy_(x)", {"x": x, "out": torch.empty(x.shape, dtype=x.dtype)}, result="out")


_MOST_BYTES = 4e9
"""Of windows, one for each element of the result. It has no other way than to go over them all, of doubles
in a copy as large: beyond this a call takes seconds."""


def _window(params: Any, x: Any, weight: Any) -> Timed:
    windows = (params["n"] - params["window"] + 1) ** 2 * weight.nbytes
    if windows > _MOST_BYTES:
        raise TooSlow(f"PyTorch takes seconds to go over {format_bytes(windows)} of windows")
    return _conv2d(params, x.astype(weight.dtype), weight)


def _gaussian(params: Any, x: Any, row: Any) -> Timed:
    names = {"conv2d": torch.nn.functional.conv2d, "x": _tensor(x)[None, None], "row": _tensor(row)}
    call = "conv2d(conv2d(x, row.view(1, 1, -1, 1)), row.view(1, 1, 1, -1))"
    return Timed(f"y = {call}", names, result=f"{call}[0, 0]")


def _layer(params: Any, x: Any, weight: Any) -> Timed:
    names = {"conv2d": torch.nn.functional.conv2d, "x": _tensor(x), "weight": _tensor(weight)}
    names["options"] = {name: params[name] for name in ("stride", "padding", "groups")}
    if params["layout"] == "NHWC":  # its axes keep their order, the memory has the other
        names["x"] = names["x"].permute(0, 3, 1, 2)
        names["weight"] = names["weight"].contiguous(memory_format=torch.channels_last)
        return Timed("y = conv2d(x, weight, **options)", names, result="y.permute(0, 2, 3, 1)")
    return Timed("conv2d(x, weight, **options)", names)


def _conv1d(params: Any, x: Any, weight: Any) -> Timed:
    names = {"conv1d": torch.nn.functional.conv1d, "x": _tensor(x), "weight": _tensor(weight)}
    names["options"] = {name: params[name] for name in ("stride", "padding")}
    return Timed("conv1d(x, weight, **options)", names)


def _pool(params: Any, x: Any) -> Timed:
    pool = getattr(torch.nn.functional, f"{params['kind']}_pool2d")
    names = {"pool": pool, "x": _tensor(x).reshape(1, -1, *x.shape[-2:]), "shape": (*x.shape[:-2], -1)}
    options = [params[name] for name in ("window", "stride", "padding")]
    how = ", ".join(["x", *map(str, options)])
    if params["kind"] == "max":  # which takes no output
        return Timed(f"y = pool({how})", names, result="y.reshape(*shape, y.shape[-1])")
    names["out"] = pool(names["x"], *options)
    return Timed(f"pool({how}, out=out)", names, result="out.reshape(*shape, out.shape[-1])")


def _adaptive_pool(params: Any, x: Any) -> Timed:
    names = {"pool": torch.nn.functional.adaptive_avg_pool2d, "x": _tensor(x), "size": params["size"]}
    return Timed("pool(x, size)", names)


OPERATIONS = {
    "window": _window,
    "gaussian": _gaussian,
    "layer": _layer,
    "conv1d": _conv1d,
    "pool": _pool,
    "adaptive_pool": _adaptive_pool,
    "scale": _scale,
    "matmul": _matmul,
    "product": _product,
    "linear": _linear,
    "conv2d": _conv2d,
    "elementwise": _elementwise,
    "astype": _astype,
    "reduce": _reduce,
    "along": _along,
    "rowwise": _rowwise,
    "expression": _expression,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
    "permute": _permute,
}

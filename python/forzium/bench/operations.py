"""The operations that cases are made of: their inputs, and what is right.

What is right is computed in float64 by NumPy, never by the library under test's own route to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import functions, images

Params = Mapping[str, Any]
Inputs = dict[str, Any]

FACTOR = 1.0000001
"""Multiplying in place by this a million times neither overflows nor reaches subnormals."""

KERNEL = np.array([[1.0, 2.0, -1.0], [0.5, 4.0, 0.25], [-2.0, 1.5, 3.0]])
"""Neither symmetric nor separable: a flipped or rotated kernel gives a wrong result."""


@dataclass(frozen=True)
class Operation:
    """How to make the inputs, what is right, and how far from it still is right.

    ``tolerance`` counts units of rounding of the case's dtype, relative to the largest magnitude of
    the expected result. ``thin`` takes the part that is checked from named inputs or results.
    """

    inputs: Callable[[Params, np.random.Generator], Inputs]
    expected: Callable[..., Any]
    tolerance: Callable[[Params], float] = lambda params: 1.0
    thin: Callable[[Params, Inputs], Inputs] = lambda params, arrays: arrays


def dtype_of(params: Params) -> np.dtype[Any]:
    """The dtype of a case: float64 unless it says otherwise."""
    return np.dtype(params.get("dtype", "float64"))


def error_of(params: Params, expected: Any, result: Any) -> float:
    """The largest error, in units of rounding of the largest expected magnitude; inf if shapes differ.

    The unit is 1 for whole numbers, and where nothing but 0 is expected.
    """
    want = np.asarray(expected, dtype=np.float64)
    got = np.asarray(result, dtype=np.float64)
    if want.shape != got.shape:
        return float("inf")
    if want.size == 0:
        return 0.0
    whole = dtype_of(params).kind != "f"
    unit = 1.0 if whole else float(np.finfo(dtype_of(params)).eps) * float(np.max(np.abs(want)))
    error = float(np.max(np.abs(got - want))) / (unit or 1.0)
    return error if error == error else float("inf")


def _array(params: Params, random: np.random.Generator) -> Any:
    return np.asarray(random.uniform(0.5, 1.5, params["shape"]), dtype_of(params))


def _near_one(params: Params, random: np.random.Generator) -> Any:
    """Factors of which even millions make a normal number."""
    return np.asarray(np.exp(random.uniform(-0.1, 0.1, params["shape"])), dtype_of(params))


def _image(params: Params, random: np.random.Generator) -> Any:
    if "photograph" not in params:
        return _array(params, random)
    import skimage.data

    return np.ascontiguousarray(getattr(skimage.data, params["photograph"])(), dtype=np.float64)


def _square(params: Params, random: np.random.Generator) -> Any:
    n = params["n"]
    return random.standard_normal((n, n)).astype(dtype_of(params))


def _factors(params: Params, random: np.random.Generator) -> Any:
    """Normal deviates, or whole numbers whose products may wrap."""
    dtype = dtype_of(params)
    if dtype.kind == "i":
        return {name: random.integers(-999, 1000, params[name]).astype(dtype) for name in "ab"}
    return {name: np.asarray(random.standard_normal(params[name]), dtype) for name in "ab"}


def _linear(params: Params, random: np.random.Generator) -> Inputs:
    rows, inputs, outputs = params["rows"], params["inputs"], params["outputs"]
    shapes = {"x": (rows, inputs), "weight": (outputs, inputs), "bias": (outputs,)}
    return {name: random.standard_normal(shape).astype(dtype_of(params)) for name, shape in shapes.items()}


def _multiply(params: Params, a: Any, b: Any) -> Any:
    exact = np.matmul(a.astype(np.float64), b.astype(np.float64))
    return exact.astype(np.int64).astype(a.dtype) if a.dtype.kind == "i" else exact


def _correlate(x: Any, weight: Any) -> Any:
    x = np.asarray(x, dtype=np.float64)
    weight = np.asarray(weight, dtype=np.float64)
    height, width = (size - reach + 1 for size, reach in zip(x.shape, weight.shape, strict=True))
    return sum(weight[p, q] * x[p : p + height, q : q + width] for p, q in np.ndindex(*weight.shape))


def _max_pool(params: Params, x: Any) -> Any:
    window = params["window"]
    height, width = (size // window for size in x.shape)
    blocks = x[: height * window, : width * window].reshape(height, window, width, window)
    return blocks.max(axis=(1, 3))


def _spread(params: Params, random: np.random.Generator) -> Any:
    """Around 1, or whole; for extremes normal deviates, whose largest seldom occurs twice."""
    if dtype_of(params).kind == "i":
        return _whole(params, random)
    name = params["function"]
    if name.removeprefix("nan").removeprefix("arg") in ("max", "min"):
        x = np.asarray(random.standard_normal(params["shape"]), dtype_of(params))
    elif name.endswith("prod"):
        x = _near_one(params, random)
    else:
        x = _array(params, random)
    kind = "nan" if name.startswith("nan") else name
    if kind in _SPRINKLED:
        value, share = _SPRINKLED[kind]
        x[random.random(x.shape) < share] = value
    return x


_SPRINKLED = {"any": (0.0, 1.0), "count_nonzero": (0.0, 0.5), "nan": (np.nan, 0.01)}
"""Values that are strewn in, and their shares; `any` would look no further than the first that is not 0."""


def _softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _layer_norm(x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


ROWWISE: dict[str, Callable[[Any], Any]] = {
    "softmax": _softmax,
    "log_softmax": lambda x: np.log(_softmax(x)),
    "layer_norm": _layer_norm,
    "rms_norm": lambda x: x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6),
    "normalize": lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
}


def _vectors(params: Params, random: np.random.Generator) -> Inputs:
    draw = _near_one if params["function"] == "cumprod" else _array
    return {name: draw(params, random) for name in "xy"[: params["operands"]]}


def _logsumexp(x: Any) -> Any:
    largest = x.max(axis=-1)
    return largest + np.log(np.exp(x - largest[..., None]).sum(axis=-1))


ALONG: dict[str, Callable[..., Any]] = {
    "cumsum": lambda x: np.cumsum(x, axis=-1),
    "cumprod": lambda x: np.cumprod(x, axis=-1),
    "dot": np.dot,
    "vecdot": lambda x, y: np.sum(x * y, axis=-1),
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "logsumexp": _logsumexp,
}


def _evaluate(params: Params, **arrays: Any) -> Any:
    is_float = params["dtype"].startswith("float")
    scope = {name: array.astype(np.float64) if is_float else array for name, array in arrays.items()}
    return eval(params["expression"], {"where": np.where, "sum": np.sum, "exp": np.exp, "sin": np.sin}, scope)


def _variables(params: Params, random: np.random.Generator) -> dict[str, Any]:
    """An expression's arrays: a is whole, b and c may be rows or columns."""
    draw = _array if params["dtype"].startswith("float") else _whole
    arrays = {name: draw(params, random) for name in params["names"]}
    part = {"contiguous": np.s_[...], "row": np.s_[:1, :], "column": np.s_[:, :1]}[params["layout"]]
    return {name: x if name == "a" else np.ascontiguousarray(x[part]) for name, x in arrays.items()}


def _whole(params: Params, random: np.random.Generator) -> Any:
    return random.integers(0, 1000, params["shape"], dtype_of(params))


OPERATIONS: dict[str, Operation] = {
    "scale": Operation(
        inputs=lambda params, random: {"x": _array(params, random), "factor": FACTOR},
        expected=lambda params, x, factor: x * factor,
    ),
    "scale_list": Operation(
        inputs=lambda params, random: {"data": _array(params, random).tolist(), "factor": 2.0},
        expected=lambda params, data, factor: np.array(data) * factor,
    ),
    "stream_scale": Operation(
        inputs=lambda params, random: {"x": _array(params, random), "factor": FACTOR},
        expected=lambda params, x, factor: x * factor ** params["repeats"],
        tolerance=lambda params: 2.0 * params["repeats"],
    ),
    "stream_copy": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: x,
        tolerance=lambda params: 0.0,
    ),
    "stream_add": Operation(
        inputs=lambda params, random: {"x": _array(params, random), "y": _array(params, random)},
        expected=lambda params, x, y: x + y,
    ),
    "stream_sum": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: np.sum(x, dtype=np.longdouble),
        tolerance=lambda params: 4096.0,
    ),
    "fma": Operation(
        inputs=lambda params, random: {},
        expected=lambda params: 1.0,
    ),
    "matmul": Operation(
        inputs=lambda params, random: {"a": _square(params, random), "b": _square(params, random)},
        expected=lambda params, a, b: a.astype(np.float64) @ b.astype(np.float64),
        tolerance=lambda params: float(params["n"]),
    ),
    "product": Operation(
        inputs=_factors,
        expected=_multiply,
        tolerance=lambda params: float(params["a"][-1]),
    ),
    "linear": Operation(
        inputs=_linear,
        expected=lambda params, x, weight, bias: x.astype(np.float64) @ weight.T.astype(np.float64) + bias,
        tolerance=lambda params: float(params["inputs"]),
    ),
    "matmul_list": Operation(
        inputs=lambda params, random: {
            "a": _square(params, random).tolist(),
            "b": _square(params, random).tolist(),
        },
        expected=lambda params, a, b: np.array(a) @ np.array(b),
        tolerance=lambda params: float(params["n"]),
    ),
    "conv2d": Operation(
        inputs=lambda params, random: {"x": _image(params, random), "weight": KERNEL.copy()},
        expected=lambda params, x, weight: _correlate(x, weight),
        tolerance=lambda params: 18.0,
    ),
    "conv2d_list": Operation(
        inputs=lambda params, random: {"x": _array(params, random).tolist(), "weight": KERNEL.tolist()},
        expected=lambda params, x, weight: _correlate(x, weight),
        tolerance=lambda params: 18.0,
    ),
    "elementwise": Operation(
        inputs=functions.operands,
        expected=functions.expected,
        tolerance=functions.tolerance,
        thin=functions.thin,
    ),
    "astype": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: x.astype(params["to"]),
        tolerance=lambda params: 0.0,
    ),
    "reduce": Operation(
        inputs=lambda params, random: {"x": _spread(params, random)},
        expected=lambda params, x: getattr(np, params["function"])(
            x.astype(np.float64, copy=False), axis=params["axis"]
        ),
        tolerance=lambda params: 0.0 if params["function"].startswith("arg") else 4096.0,
    ),
    "along": Operation(
        inputs=_vectors,
        expected=lambda params, **arrays: ALONG[params["function"]](
            *(x.astype(np.float64) for x in arrays.values())
        ),
        tolerance=lambda params: 4096.0,
    ),
    "rowwise": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: ROWWISE[params["function"]](x.astype(np.float64)),
        tolerance=lambda params: 256.0,
    ),
    "expression": Operation(
        inputs=_variables,
        expected=_evaluate,
        tolerance=lambda params: 4096.0,
    ),
    "max_pool2d": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=_max_pool,
        tolerance=lambda params: 0.0,
    ),
    "window": Operation(
        inputs=images.window_inputs,
        expected=images.window_expected,
        tolerance=lambda params: 64.0 * params["window"],
    ),
    "gaussian": Operation(
        inputs=images.gaussian_inputs,
        expected=images.gaussian_expected,
        tolerance=lambda params: 64.0,
    ),
    "layer": Operation(
        inputs=images.layer_inputs,
        expected=images.layer_expected,
        tolerance=lambda params: float(params["window"] ** 2 * params["channels"]),
    ),
    "conv1d": Operation(
        inputs=images.conv1d_inputs,
        expected=images.conv1d_expected,
        tolerance=lambda params: float(params["window"] * params["channels"]),
    ),
    "pool": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=images.pool_expected,
        tolerance=lambda params: 16.0,
    ),
    "adaptive_pool": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=images.adaptive_pool_expected,
        tolerance=lambda params: 16.0,
    ),
    "transpose": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: x.T,
        tolerance=lambda params: 0.0,
    ),
    "permute": Operation(
        inputs=lambda params, random: {"x": _array(params, random)},
        expected=lambda params, x: x.transpose(params["axes"]),
        tolerance=lambda params: 0.0,
    ),
}

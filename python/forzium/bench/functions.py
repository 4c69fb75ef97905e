"""What is known of element-wise functions: their families, their operands, and what is right.

The rows to measure are forzium's own; what they give is told here without it, by NumPy and SciPy in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

Params = Mapping[str, Any]
Arrays = dict[str, Any]

FAMILIES: dict[str, tuple[str, ...]] = {
    "arithmetic": (
        *(
            "add",
            "subtract",
            "multiply",
            "divide",
            "floor_divide",
            "remainder",
            "fmod",
            "negative",
            "positive",
        ),
        *("absolute", "sign", "square", "reciprocal", "copysign", "nextafter", "fma"),
    ),
    "extremes": ("maximum", "minimum", "fmax", "fmin", "clip"),
    "rounding": ("floor", "ceil", "trunc", "rint"),
    "roots and powers": ("sqrt", "cbrt", "hypot", "power"),
    "exponential": ("exp", "exp2", "expm1", "logaddexp"),
    "logarithm": ("log", "log2", "log10", "log1p"),
    "trigonometric": ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2"),
    "hyperbolic": ("tanh", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"),
    "error function": ("erf", "erfc"),
    "activation": ("sigmoid", "gelu", "gelu_tanh", "relu", "leaky_relu", "elu", "silu", "softplus"),
    "comparison": (
        *("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("isnan", "isinf", "isfinite", "signbit"),
        *("logical_and", "logical_or", "logical_xor", "logical_not"),
    ),
    "bits": ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"),
    "choice": ("where",),
}

WHOLE = FAMILIES["bits"]
"""Of whole numbers: int32 and int64 take the places of float32 and float64."""

_COMPUTING = ("divide", "floor_divide", "remainder", "fmod", "reciprocal")
MEMORY_BOUND = {
    *(FAMILIES["arithmetic"] + FAMILIES["extremes"] + FAMILIES["rounding"]),
    *(FAMILIES["comparison"] + FAMILIES["bits"] + FAMILIES["choice"]),
    *("relu", "leaky_relu"),
} - {*_COMPUTING}
"""So little arithmetic that beyond the caches memory sets the pace."""

_AROUND_ONE = (0.5, 1.5)
_DOMAINS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(FAMILIES["rounding"], (-100.0, 100.0)),
    **dict.fromkeys((*FAMILIES["exponential"], *FAMILIES["trigonometric"]), (-10.0, 10.0)),
    **dict.fromkeys((*FAMILIES["hyperbolic"], *FAMILIES["error function"]), (-3.0, 3.0)),
    **dict.fromkeys(FAMILIES["activation"], (-6.0, 6.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), (-0.99, 0.99)),
    **dict.fromkeys(FAMILIES["logarithm"], (0.01, 100.0)),
    "arccosh": (1.0, 100.0),
    "power": (0.1, 10.0),
    "left_shift": (0.0, 8.0),
    "right_shift": (0.0, 8.0),
}
_DOMAINS |= dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "invert"), (-1e6, 1e6))

_BLOCK = 1 << 18
"""Random numbers drawn; longer arrays repeat them, since drawing takes longer than measuring."""

_CHECKED = 1 << 20
_STEP = 17
"""Of results with more elements than `_CHECKED` each 17th along the first axis is checked: an odd number,
so that every lane of a vector is met."""


# ---- what is right --------------------------------------------------------------------------------


def _scipy(name: str) -> Callable[..., Any]:
    """A function of SciPy, imported when it is called."""
    return lambda *operands: getattr(import_module("scipy.special"), name)(*operands)


def _gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


_FORMULAS: dict[str, Callable[..., Any]] = {
    "erf": _scipy("erf"),
    "erfc": _scipy("erfc"),
    "sigmoid": _scipy("expit"),
    "gelu": lambda x: x * _scipy("ndtr")(x),
    "gelu_tanh": _gelu_tanh,
    "silu": lambda x: x * _scipy("expit")(x),
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "fma": lambda x, y, z: x * y + z,
    "clip": np.clip,
    "where": np.where,
}


def exact(name: str) -> Callable[..., Any] | None:
    """What computes the function in float64; None where nobody but forzium is known to."""
    ufunc = getattr(np, name, None)
    return ufunc if isinstance(ufunc, np.ufunc) else _FORMULAS.get(name)


def expected(params: Params, **operands: Any) -> Any:
    """What is right, computed in float64 from floating-point operands; but neighbours in their dtype."""
    function = exact(params["function"])
    assert function is not None
    widened = "" if params["function"] == "nextafter" else "f"
    return function(*(x.astype(np.float64) if x.dtype.kind in widened else x for x in operands.values()))


def tolerance(params: Params) -> float:
    """Units of rounding: one for what is rounded once, or not; for others whatever is no gross mistake."""
    if params["function"] == "nextafter":
        return 0.0
    once = *FAMILIES["arithmetic"], *FAMILIES["extremes"], *FAMILIES["rounding"], "sqrt"
    return 1.0 if params["function"] in once else 64.0


# ---- operands -------------------------------------------------------------------------------------


def operands(params: Params, random: np.random.Generator) -> Arrays:
    """The operands by name, x, y and z, in the case's layout; ``where`` has its condition in front."""
    count, last = params["operands"], list(params["shape"])
    if params["layout"] == "row":
        last = [1, last[1]]
    elif params["layout"] == "column":
        last = [last[0], 1]
    shapes = [params["shape"]] * (count - 1) + [last]
    low, high = _DOMAINS.get(params["function"], _AROUND_ONE)
    arrays = [_drawn(random, low, high, shape, params) for shape in shapes]
    if params["function"] == "where":
        arrays[0] = arrays[0] > 1.0
    return dict(zip("xyz", arrays, strict=False))


def _drawn(random: np.random.Generator, low: float, high: float, shape: Any, params: Params) -> Any:
    step = 2 if params["layout"] == "strided" else 1
    array = np.empty((*shape[:-1], shape[-1] * step), params.get("dtype", "float64"))
    flat = array.reshape(-1)
    few = random.uniform(low, high, min(flat.size, _BLOCK)).astype(array.dtype)
    for first in range(0, flat.size, _BLOCK):
        flat[first : first + _BLOCK] = few[: flat.size - first]
    return array[..., ::step]


def result_for(params: Params, arrays: Arrays) -> Any:
    """An array that the result fits in."""
    shape = np.broadcast_shapes(*(x.shape for x in arrays.values()))
    dtype = bool if params["function"] in FAMILIES["comparison"] else params.get("dtype", "float64")
    return np.empty(shape, dtype)


def reduced(params: Mapping[str, Any], x: Any) -> Any:
    """An array that a reduction of x over one axis fits in."""
    shape = [size for axis, size in enumerate(x.shape) if axis != params["axis"]]
    if params["function"] in ("any", "all"):
        return np.empty(shape, bool)
    whole = params["function"].startswith("arg") or x.dtype.kind == "i"  # sums of whole numbers are int64
    return np.empty(shape, np.int64 if whole else x.dtype)


def thin(params: Params, arrays: Arrays) -> Arrays:
    """The part of operands or results that is checked."""
    if np.prod(params["shape"]) <= _CHECKED:
        return arrays
    return {name: x if len(x) == 1 else x[::_STEP] for name, x in arrays.items()}

"""The exact values of functions, in a type so wide that its own error does not count.

For float32 that is float64; for float64 it is long double, or mpmath where a formula in long double would
lose too many digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

WIDE = np.longdouble
FAR = 1000.0
"""Beyond this erfc(x) and the tails of gelu are below every double."""


@dataclass(frozen=True)
class Oracle:
    """How to know a function: by a formula on floating arrays, and perhaps by one on mpmath's numbers."""

    operands: int
    formula: Callable[..., Any]
    precise: Callable[..., Any] | None = None
    """For float64, where the formula in long double would not do."""
    limits: bool = True
    """Whether the values at infinity are settled."""


def exact(name: str, operands: tuple[Any, ...]) -> Any:
    """The function of float32 or float64 operands, in a wider type."""
    oracle, dtype = ORACLES[name], operands[0].dtype
    if dtype == np.float32 and oracle.operands == 1:
        return oracle.formula(operands[0].astype(np.float64))
    if dtype == np.float32 or oracle.precise is None:
        return oracle.formula(*(x.astype(WIDE) for x in operands))
    return _by_mpmath(oracle.precise, operands)


def is_slow(name: str, dtype: Any) -> bool:
    """Whether the oracle computes one number at a time."""
    return dtype == np.float64 and ORACLES[name].precise is not None


def long_double_is_wide() -> bool:
    """Whether this platform has a type for the exact values of float64."""
    return np.finfo(WIDE).nmant >= 63


# ---- formulas on arrays ---------------------------------------------------------------------------


def _special(name: str, x: Any) -> Any:
    return getattr(import_module("scipy.special"), name)(x)


def _gelu(x: Any) -> Any:
    return x / 2 * _special("erfc", -x / np.sqrt(x.dtype.type(2)))


def _gelu_tanh(x: Any) -> Any:
    return x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def _logaddexp(x: Any, y: Any) -> Any:
    """Of float32's numbers."""
    value = np.logaddexp(x, y)
    cancelled = np.abs(value) < np.abs(np.maximum(x, y)) / 2**16
    few = (z[cancelled].astype(np.float64) for z in (x, y))
    value[cancelled] = _by_mpmath(_precise_logaddexp, tuple(few))
    return value


# ---- formulas on mpmath's numbers -----------------------------------------------------------------


def _by_mpmath(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """Element by element, in 300 bits."""
    mp = import_module("mpmath").mp
    with mp.workprec(300):
        values = [
            _special_case(mp, function, row) for row in zip(*(x.tolist() for x in operands), strict=True)
        ]
    return np.array(values, WIDE)


def _special_case(mp: Any, function: Callable[..., Any], row: tuple[float, ...]) -> Any:
    if any(x != x for x in row):
        return WIDE("nan")
    return _to_wide(mp, function(mp, *map(mp.mpf, row)))


def _to_wide(mp: Any, value: Any) -> Any:
    """The leading 64 bits of a number."""
    if not mp.isfinite(value) or value == 0:
        return WIDE(float(value))
    fraction, exponent = mp.frexp(abs(value))
    leading = WIDE(np.uint64(int(mp.floor(mp.ldexp(fraction, 64)))))
    return np.copysign(np.ldexp(leading, int(exponent) - 64), WIDE(-1 if value < 0 else 1))


def _precise_erf(mp: Any, x: Any) -> Any:
    return mp.sign(x) if abs(x) > FAR else mp.erf(x)


def _precise_erfc(mp: Any, x: Any) -> Any:
    return mp.mpf(2 if x < 0 else 0) if abs(x) > FAR else mp.erfc(x)


def _precise_gelu(mp: Any, x: Any) -> Any:
    if abs(x) > FAR:
        return x if x > 0 else mp.mpf(0)
    return x / 2 * mp.erfc(-x / mp.sqrt(2))


def _precise_gelu_tanh(mp: Any, x: Any) -> Any:
    if abs(x) > FAR:
        return x if x > 0 else mp.mpf(0)
    return x / (1 + mp.exp(-2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)))


def _precise_logaddexp(mp: Any, x: Any, y: Any) -> Any:
    low, high = sorted((x, y))
    if mp.isinf(high) or mp.isinf(low) or high - low > FAR:
        return high
    return high + mp.log1p(mp.exp(low - high))


# ---- the table ------------------------------------------------------------------------------------

_UNARY = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "cbrt"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
)
_BINARY = ("hypot", "power", "arctan2")

ORACLES: dict[str, Oracle] = {
    **{name: Oracle(1, getattr(np, name)) for name in _UNARY},
    **{name: Oracle(2, getattr(np, name)) for name in _BINARY},
    "logaddexp": Oracle(2, _logaddexp, _precise_logaddexp),
    "erf": Oracle(1, lambda x: _special("erf", x), _precise_erf),
    "erfc": Oracle(1, lambda x: _special("erfc", x), _precise_erfc),
    "sigmoid": Oracle(1, lambda x: 1 / (1 + np.exp(-x))),
    "silu": Oracle(1, lambda x: x / (1 + np.exp(-x)), limits=False),
    "softplus": Oracle(1, lambda x: np.logaddexp(x, 0)),
    "elu": Oracle(1, lambda x: np.where(x > 0, x, np.expm1(x))),
    "gelu": Oracle(1, _gelu, _precise_gelu, limits=False),
    "gelu_tanh": Oracle(1, _gelu_tanh, _precise_gelu_tanh, limits=False),
}

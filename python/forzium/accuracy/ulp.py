"""Errors in units in the last place."""

from __future__ import annotations

from typing import Any

import numpy as np


def errors(got: Any, exact: Any) -> Any:
    """``abs(got - exact)`` in units in the last place of got's dtype at exact; exact's type is wider.

    Infinity stands for the first power of two that the dtype does not have. Where only one of both is NaN, or
    only the exact value is infinite, the error is infinite.
    """
    limits, wide = np.finfo(got.dtype), exact.dtype.type
    beyond = np.ldexp(wide(1), limits.maxexp)
    finite = np.where(np.isfinite(exact), exact, 0)
    exponents = np.where(finite == 0, limits.minexp, np.frexp(finite)[1] - 1)
    unit = np.ldexp(wide(1), np.maximum(exponents, limits.minexp) - limits.nmant)
    value = np.where(np.isinf(got), np.copysign(beyond, got), got.astype(wide))
    with np.errstate(all="ignore"):
        error = np.abs(value - exact) / unit
    overflowed = np.isinf(got) & (np.abs(exact) >= beyond) & (np.signbit(got) == np.signbit(exact))
    error = np.where(overflowed | (np.isnan(got) & np.isnan(exact)), 0, error)
    return np.where(np.isnan(error), np.inf, error).astype(np.float64)

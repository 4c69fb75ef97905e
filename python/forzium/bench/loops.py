"""Loops compiled by numba; written as text, one for each expression, as its user would write it.

With one thread the loop is serial, without the cost of numba's threads; otherwise it is parallel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange

_MAP = {
    1: """
def loop({names}, out):
    for i in prange(out.size):
        out[i] = {expression}
""",
    2: """
def loop({names}, out):
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = {expression}
""",
}

_SUM = """
def loop({names}):
    total = T(0)
    for i in prange(x.size):
        total += {expression}
    return total
"""

REASSOCIATED = {"reassoc", "contract", "nsz"}


@njit
def _where(condition: Any, x: Any, y: Any) -> Any:
    return x if condition else y


def _typed(expression: str) -> str:
    """Numbers in the arrays' type, since a literal would make float32 float64; but whole exponents stay."""
    return re.sub(r"(?<![\w.])(?<!\*\* )(?<!\*\*)\d+(\.\d+)?(?![\w.])", r"T(\g<0>)", expression)


def _element(array: Any, ndim: int) -> str:
    """How the loop over i and j reads an array that may be broadcast."""
    if ndim == 1:
        return "[i]"
    return "[{}, {}]".format(
        *("0" if size == 1 else index for size, index in zip(array.shape, "ij", strict=True))
    )


def compiled(loop: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A loop over ``prange``, serial where numba has been given one thread."""
    made: Callable[..., Any] = njit(parallel=get_num_threads() > 1, error_model="numpy", **options)(loop)
    return made


def _compile(source: str, dtype: Any, **options: Any) -> Callable[..., Any]:
    scope: dict[str, Any] = {
        "np": np,
        "math": math,
        "prange": prange,
        "where": _where,
        "exp": np.exp,
        "sin": np.sin,
        "T": np.dtype(dtype).type,
    }
    exec(source, scope)
    return compiled(scope["loop"], **options)


def _indexed(expression: str, arrays: dict[str, Any], ndim: int) -> str:
    for name, array in arrays.items():
        expression = re.sub(rf"\b{name}\b", name + _element(array, ndim), expression)
    return expression


def map_loop(expression: str, arrays: dict[str, Any], out: Any) -> Callable[..., Any]:
    """``out[i] = expression`` of the arrays' elements, for arrays and an output of one or two axes."""
    text = _indexed(_typed(expression), arrays, out.ndim)
    dtype = next(iter(reversed(arrays.values()))).dtype
    return _compile(_MAP[out.ndim].format(names=", ".join(arrays), expression=text), dtype)


def sum_loop(expression: str, arrays: dict[str, Any]) -> Callable[..., Any]:
    """The sum of an expression over flat arrays, in any order."""
    text = _indexed(_typed(expression), arrays, 1)
    source = _SUM.format(names=", ".join(arrays), expression=text).replace(
        "x.size", f"{next(iter(arrays))}.size"
    )
    return _compile(source, next(iter(arrays.values())).dtype, fastmath=REASSOCIATED)

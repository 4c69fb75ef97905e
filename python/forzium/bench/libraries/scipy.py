"""SciPy: what NumPy itself has not, and BLAS without NumPy around it."""

from __future__ import annotations

import timeit
from typing import Any

import numpy as np
import scipy
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.special

from ..functions import result_for
from . import Timed, empty_product, with_output


def version() -> str:
    """SciPy's version."""
    return str(scipy.__version__)


def use_threads(count: int) -> None:
    """Its convolutions have one thread, and BLAS gets no more; with several, NumPy calls the same BLAS."""


def _product(params: Any, a: Any, b: Any) -> Timed:
    if a.shape != b.shape or a.ndim != 2 or a.dtype.kind != "f":
        raise NotImplementedError("NumPy calls the same BLAS: on squares only it is called without NumPy")
    gemm, out = scipy.linalg.get_blas_funcs("gemm", (a, b)), empty_product(a, b)
    # BLAS has columns side by side: its product of the transposes, in turn, is the transpose of this one.
    names = {"gemm": gemm, "a": a.T, "b": b.T, "c": out.T, "out": out}
    return Timed("gemm(1, b, a, c=c, overwrite_c=1)", names, result="out")


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    names = {"convolve2d": scipy.signal.convolve2d, "x": x, "flipped": weight[::-1, ::-1].copy()}
    return Timed('convolve2d(x, flipped, mode="valid")', names)


_NAMES = {"erf": "erf", "erfc": "erfc", "sigmoid": "expit"}


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = _NAMES.get(params["function"])
    if name is None:
        raise NotImplementedError(f"SciPy leaves {params['function']} to NumPy, or has none")
    return with_output(name, getattr(scipy.special, name), operands, result_for(params, operands))


def _rowwise(params: Any, x: Any) -> Timed:
    if params["function"] not in ("softmax", "log_softmax"):
        raise NotImplementedError(f"SciPy has no {params['function']}")
    name = params["function"]
    return Timed(f"{name}(x, axis=-1)", {name: getattr(scipy.special, name), "x": x})


_MOST_DIRECT = 4e8
"""Multiply-adds of its direct loop: up to a second of them."""


def _window(params: Any, x: Any, weight: Any) -> Timed:
    names = {"correlate": scipy.signal.correlate, "x": x.astype(weight.dtype), "weight": weight}

    def seconds(method: str) -> float:
        call = f'correlate(x, weight, mode="valid", method="{method}")'
        return min(timeit.repeat(call, repeat=2, number=1, globals=names))

    work = (params["n"] - params["window"] + 1) ** 2 * weight.size
    method = min(("fft", "direct"), key=seconds) if work <= _MOST_DIRECT else "fft"
    return Timed(f'correlate(x, weight, mode="valid", method="{method}")', names)


def _gaussian(params: Any, x: Any, row: Any) -> Timed:
    edge = slice(params["window"] // 2, params["n"] - params["window"] // 2)
    names = {"correlate1d": scipy.ndimage.correlate1d, "x": x, "row": row, "edge": edge}
    names.update(lines=np.empty_like(x), out=np.empty_like(x))
    statement = "correlate1d(x, row, 0, output=lines); correlate1d(lines, row, 1, output=out)"
    return Timed(statement, names, result="out[edge, edge]")


OPERATIONS = {
    "product": _product,
    "rowwise": _rowwise,
    "window": _window,
    "gaussian": _gaussian,
    "conv2d": _conv2d,
    "elementwise": _elementwise,
}

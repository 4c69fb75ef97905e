"""SciPy: what NumPy itself has not."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
import scipy.ndimage
import scipy.signal
import scipy.special

from ..functions import result_for
from . import Timed, with_output


def version() -> str:
    """SciPy's version."""
    return str(scipy.__version__)


def use_threads(count: int) -> None:
    """The convolutions have one thread."""


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


_DIRECT_TO = 5
"""Up to this window its direct loop is the faster way."""


def _window(params: Any, x: Any, weight: Any) -> Timed:
    method = "direct" if params["window"] <= _DIRECT_TO else "fft"
    names = {"correlate": scipy.signal.correlate, "x": x.astype(weight.dtype), "weight": weight}
    return Timed(f'correlate(x, weight, mode="valid", method="{method}")', names)


def _gaussian(params: Any, x: Any, row: Any) -> Timed:
    edge = slice(params["window"] // 2, params["n"] - params["window"] // 2)
    names = {"correlate1d": scipy.ndimage.correlate1d, "x": x, "row": row, "edge": edge}
    names.update(lines=np.empty_like(x), out=np.empty_like(x))
    statement = "correlate1d(x, row, 0, output=lines); correlate1d(lines, row, 1, output=out)"
    return Timed(statement, names, result="out[edge, edge]")


OPERATIONS = {
    "rowwise": _rowwise,
    "window": _window,
    "gaussian": _gaussian,
    "conv2d": _conv2d,
    "elementwise": _elementwise,
}

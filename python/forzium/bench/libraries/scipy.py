"""SciPy: what NumPy itself has not."""

from __future__ import annotations

from typing import Any

import scipy
import scipy.signal

from . import Timed


def version() -> str:
    """SciPy's version."""
    return str(scipy.__version__)


def use_threads(count: int) -> None:
    """The convolutions have one thread."""


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    names = {"convolve2d": scipy.signal.convolve2d, "x": x, "flipped": weight[::-1, ::-1].copy()}
    return Timed('convolve2d(x, flipped, mode="valid")', names)


OPERATIONS = {"conv2d": _conv2d}

"""The floor under every list binding: making the nested list of Python floats, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Timed


def version() -> str:
    """NumPy's version: its ``tolist`` makes the floats in C, from a finished result."""
    return f"ndarray.tolist of NumPy {np.__version__}"


def use_threads(count: int) -> None:
    """One thread makes Python objects, whatever is asked for."""


def _scale_list(params: Any, data: Any, factor: float) -> Timed:
    return Timed("product.tolist()", {"product": np.array(data) * factor})


OPERATIONS = {"scale_list": _scale_list}

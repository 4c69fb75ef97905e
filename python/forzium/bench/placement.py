"""Moves a statement's arrays to other places in memory.

Which pages arrays lie on, and so which sets of the caches, changes a figure by up to a third. Each round
has others, so that the minimum over rounds compares libraries at their best places, not one's luck with
another's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_BYTES = 24 << 20
"""Inputs that are larger together stay where they are, whichever library gets them: they fit no cache."""


def may_move(inputs: Mapping[str, Any]) -> bool:
    """Whether a case's inputs, the same for every library, are small enough for places to matter."""
    return sum(getattr(value, "nbytes", 0) for value in inputs.values()) <= MOST_BYTES


def moved(names: Mapping[str, Any]) -> dict[str, Any]:
    """The names with copies of their arrays, in dicts and lists too; views of one array stay so."""
    return _move_all(names, {})


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or _is_tensor(value) or _is_jax_array(value)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "untyped_storage")


def _is_jax_array(value: Any) -> bool:
    return hasattr(value, "block_until_ready")


def _move_all(names: Mapping[str, Any], owners: dict[int, Any]) -> dict[str, Any]:
    return {name: _move(value, owners) for name, value in names.items()}


def _move(value: Any, owners: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return _move_all(value, owners)
    if isinstance(value, list) and value and all(map(_is_array, value)):
        return [_move(item, owners) for item in value]
    if isinstance(value, np.ndarray):
        return _move_array(value, owners)
    if _is_tensor(value):
        return _move_tensor(value, owners)
    return value.copy() if _is_jax_array(value) else value


def _move_array(x: np.ndarray, owners: dict[int, Any]) -> np.ndarray:
    owner = x.base if isinstance(x.base, np.ndarray) else x
    if id(owner) not in owners:
        owners[id(owner)] = owner.copy(order="K").ravel(order="K").view(np.uint8)
    first = x.ctypes.data - owner.ctypes.data
    return np.ndarray(x.shape, x.dtype, owners[id(owner)], first, x.strides)


def _move_tensor(x: Any, owners: dict[int, Any]) -> Any:
    storage = x.untyped_storage()
    if storage.data_ptr() not in owners:
        owners[storage.data_ptr()] = storage.clone()
    return x.new_empty(0).set_(owners[storage.data_ptr()], x.storage_offset(), x.size(), x.stride())

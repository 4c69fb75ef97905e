"""Pure Python: the loops that a careful programmer writes without any library."""

from __future__ import annotations

import platform
from operator import mul
from typing import Any

from . import Timed


def version() -> str:
    """The interpreter's version."""
    return platform.python_version()


def use_threads(count: int) -> None:
    """One thread computes, whatever is asked for."""


def _scale_list(params: Any, data: Any, factor: float) -> Timed:
    return Timed("[[x * factor for x in row] for row in data]", {"data": data, "factor": factor})


def _matmul_list(params: Any, a: Any, b: Any) -> Timed:
    def matmul(a: Any, b: Any) -> Any:
        columns = list(zip(*b, strict=True))
        return [[sum(map(mul, row, column)) for column in columns] for row in a]

    return Timed("matmul(a, b)  # sum(map(mul, row, column))", {"matmul": matmul, "a": a, "b": b})


def _conv2d_list(params: Any, x: Any, weight: Any) -> Timed:
    def conv2d(x: Any, weight: Any) -> Any:
        rows, columns = len(weight), len(weight[0])
        return [
            [
                sum(weight[p][q] * x[i + p][j + q] for p in range(rows) for q in range(columns))
                for j in range(len(x[0]) - columns + 1)
            ]
            for i in range(len(x) - rows + 1)
        ]

    return Timed("conv2d(x, weight)  # nested loops", {"conv2d": conv2d, "x": x, "weight": weight})


OPERATIONS = {"scale_list": _scale_list, "matmul_list": _matmul_list, "conv2d_list": _conv2d_list}

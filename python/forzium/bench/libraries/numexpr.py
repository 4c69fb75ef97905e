"""numexpr."""

from __future__ import annotations

from typing import Any

import numexpr
import numpy as np

from . import Timed


def version() -> str:
    """numexpr's version."""
    return str(numexpr.__version__)


def use_threads(count: int) -> None:
    """The number of threads of its virtual machine."""
    numexpr.set_num_threads(count)


def _evaluate(expression: str, names: dict[str, Any], out: Any) -> Timed:
    scope = {"evaluate": numexpr.evaluate, "names": names, "out": out}
    return Timed(f'evaluate("{expression}", names, out=out)', scope, result="out")


def _scale(params: Any, x: Any, factor: float) -> Timed:
    return _evaluate("x * factor", {"x": x, "factor": factor}, x)


def _unary(params: Any, x: Any) -> Timed:
    return _evaluate(f"{params['function']}(x)", {"x": x}, np.empty_like(x))


def _binary(params: Any, x: Any, y: Any) -> Timed:
    expression = {"add": "x + y", "maximum": "maximum(x, y)"}[params["function"]]
    return _evaluate(expression, {"x": x, "y": y}, np.empty_like(x))


def _reduce(params: Any, x: Any) -> Timed:
    if params["function"] != "sum":
        raise NotImplementedError("numexpr has no mean")
    axis = "" if params["axis"] is None else f", axis={params['axis']}"
    return Timed(f'evaluate("sum(x{axis})", names)', {"evaluate": numexpr.evaluate, "names": {"x": x}})


OPERATIONS = {"scale": _scale, "unary": _unary, "binary": _binary, "reduce": _reduce}

"""numexpr."""

from __future__ import annotations

from typing import Any

import numexpr
import numpy as np

from ..functions import result_for
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


_EXPRESSIONS = {
    "add": "x + y",
    "subtract": "x - y",
    "multiply": "x * y",
    "divide": "x / y",
    "remainder": "x % y",
    "power": "x ** y",
    "negative": "-x",
    "absolute": "abs(x)",
    "square": "x * x",
    "reciprocal": "1 / x",
    "rint": "round(x)",
    "fma": "x * y + z",
    "less": "x < y",
    "less_equal": "x <= y",
    "greater": "x > y",
    "greater_equal": "x >= y",
    "equal": "x == y",
    "not_equal": "x != y",
    "bitwise_and": "x & y",
    "bitwise_or": "x | y",
    "bitwise_xor": "x ^ y",
    "invert": "~x",
    "left_shift": "x << y",
    "right_shift": "x >> y",
    "exp2": "2 ** x",
    "sigmoid": "1 / (1 + exp(-x))",
    "silu": "x / (1 + exp(-x))",
    "softplus": "log1p(exp(x))",
    "relu": "maximum(x, 0)",
    "leaky_relu": "where(x > 0, x, x / 100)",
    "elu": "where(x > 0, x, expm1(x))",
}


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    expression = _EXPRESSIONS.get(name)
    if expression is None:
        if name not in numexpr.expressions.functions:
            raise NotImplementedError(f"numexpr has no {name}")
        expression = f"{name}({', '.join(operands)})"
    return _evaluate(expression, operands, result_for(params, operands))


def _reduce(params: Any, x: Any) -> Timed:
    name, axis = params["function"], params["axis"]
    if name not in ("sum", "prod", "max", "min"):
        raise NotImplementedError(f"numexpr has no {name}")
    where = "" if axis is None else f", axis={axis}"
    return Timed(f'evaluate("{name}(x{where})", names)', {"evaluate": numexpr.evaluate, "names": {"x": x}})


def _expression(params: Any, **arrays: Any) -> Timed:
    if params["expression"].startswith("sum("):
        names = {"evaluate": numexpr.evaluate, "names": arrays}
        return Timed(f'evaluate("{params["expression"]}", names)', names)
    return _evaluate(params["expression"], arrays, np.empty_like(arrays["a"]))


OPERATIONS = {"scale": _scale, "elementwise": _elementwise, "reduce": _reduce, "expression": _expression}

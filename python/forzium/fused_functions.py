"""From a function of arithmetic to the program that libforzium runs: it is called once, with symbols."""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import forzium
from forzium.expressions import (
    ALIASES,
    CONVERSION,
    DTYPES,
    PLACES,
    REDUCTIONS,
    Axis,
    Builder,
    Program,
    clip_name,
)

# NumPy's functions whose reduce is a reduction here.
_REDUCES = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "fmax": "nanmax",
    "fmin": "nanmin",
    "logical_and": "all",
    "logical_or": "any",
}


class Symbol:
    """An argument of a fused function, and whatever is computed from it: elements, or a reduction of them."""

    __slots__ = ("builder", "node", "reduction")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, builder: Builder, node: int, reduction: tuple[str, Axis] | None = None) -> None:
        self.builder, self.node, self.reduction = builder, node, reduction

    def __bool__(self) -> bool:
        raise TypeError("fuse: a value is not known before the call; where(condition, x, y) would do for if")

    def __float__(self) -> float:
        raise TypeError("fuse: a value is not known before the call; functions of NumPy and forzium would do")

    __index__ = __int__ = __complex__ = __iter__ = __float__

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Symbol:
        name = ufunc.__name__
        if method == "reduce" and name in _REDUCES:
            name = _REDUCES[name]
            return _reduce(self.builder, name, getattr(forzium, name), inputs, {"axis": 0, **options})
        if method != "__call__" or options:
            raise TypeError(f"fuse: {name} is understood as a plain call only")
        return _apply(self.builder, ALIASES.get(name, name), inputs)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Symbol:
        name = ALIASES.get(function.__name__, function.__name__)
        if name in REDUCTIONS:
            return _reduce(self.builder, name, function, inputs, options)
        if options:
            raise TypeError(f"fuse: {name} is understood without keywords only")
        return _apply(self.builder, name, inputs)

    def __forzium_operation__(self, name: str, *inputs: Any, **options: Any) -> Symbol:
        """What an operation of forzium makes of symbols: the extension asks."""
        operation = getattr(forzium, name)
        if name in REDUCTIONS:
            return _reduce(self.builder, name, operation, inputs, options)
        given = inspect.signature(operation).bind(*inputs, **options)
        given.apply_defaults()
        if name == "astype":
            return self.astype(given.arguments["dtype"])
        if given.arguments.pop("out", None) is not None or given.arguments.pop("dtype", None) is not None:
            raise TypeError(f"fuse: {name} is understood without out and dtype only")
        if name == "gelu":
            name = _gelu_name(given.arguments.pop("approximate"))
        return _apply(self.builder, name, tuple(given.arguments.values()))

    def astype(self, dtype: Any) -> Symbol:
        name = forzium.astype(0, dtype).dtype.name
        return Symbol(self.builder, self.builder.add(CONVERSION, _node_of(self.builder, self), DTYPES[name]))


def _apply(builder: Builder, name: str, operands: Sequence[Any]) -> Symbol:
    if name == "clip" and 1 <= len(operands) <= 3:
        name = clip_name([operand is not None for operand in operands])
        operands = [operand for operand in operands if operand is not None]
    if name in PLACES:
        raise TypeError(f"fuse: {name} is not for expressions; forzium.{name} of an array would do")
    nodes = [_node_of(builder, operand) for operand in operands]
    if name == "power" and len(nodes) == 2:
        return Symbol(builder, builder.power(*nodes))
    return Symbol(builder, builder.operation(name, *nodes))


def _reduce(builder: Builder, name: str, function: Any, inputs: Any, options: Any) -> Symbol:
    """A reduction as its function was called: with an axis and nothing else that means anything."""
    signature = inspect.signature(function)
    given = signature.bind(*inputs, **options).arguments
    operand, axis = given.pop(next(iter(signature.parameters))), given.pop("axis", None)
    own = inspect.signature(getattr(forzium, name)).parameters
    defaults = {
        key: (signature.parameters[key].default, own[key].default if key in own else None) for key in given
    }
    others = [key for key, value in given.items() if not any(value is default for default in defaults[key])]
    if others:
        raise TypeError(
            f"fuse: {name} is understood with axis alone, not with {', '.join(others)}; "
            f"forzium.{name} of what a fused function gives would do"
        )
    return Symbol(builder, _node_of(builder, operand), (name, _axis_of(name, axis)))


def _axis_of(name: str, axis: Any) -> Axis:
    try:
        if isinstance(axis, tuple):
            return tuple(map(operator.index, axis))
        return None if axis is None else operator.index(axis)
    except TypeError:
        raise TypeError(
            f"fuse: {name}'s axis is {axis!r}; an integer, a tuple of them or None would do"
        ) from None


def _gelu_name(approximate: str) -> str:
    names = {"none": "gelu", "tanh": "gelu_tanh"}
    if approximate not in names:
        raise ValueError(f'gelu: approximate is {approximate!r}; "none" and "tanh" would do')
    return names[approximate]


def _node_of(builder: Builder, operand: Any) -> int:
    """NumPy's scalars are strong; its arrays, which may change, are none of them."""
    if isinstance(operand, Symbol):
        if operand.reduction:
            raise TypeError(
                f"fuse: {operand.reduction[0]} can only be the outermost function and all that is returned; "
                "arithmetic on what the fused function gives would do"
            )
        return operand.node
    dtype = str(getattr(operand, "dtype", None))
    if dtype in DTYPES and operand.ndim == 0 and not hasattr(operand, "__setitem__"):
        return builder.add(CONVERSION, builder.constant(operand.item()), DTYPES[dtype])
    if isinstance(operand, (bool, int, float)):
        return builder.constant(operand)
    raise TypeError(f"fuse: {type(operand).__name__} is no number and no argument of the function")


def _forward(name: str) -> Callable[..., Symbol]:
    return lambda self, *others: _apply(self.builder, name, (self, *others))


def _forward_reduction(name: str) -> Callable[..., Symbol]:
    return lambda self, *others, **options: _reduce(
        self.builder, name, getattr(forzium, name), (self, *others), options
    )


def _reverse(name: str) -> Callable[..., Symbol]:
    return lambda self, other: _apply(self.builder, name, (other, self))


for _method, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}.items():
    setattr(Symbol, f"__{_method}__", _forward(_name))
    setattr(Symbol, f"__r{_method}__", _reverse(_name))
for _name in ("sum", "prod", "mean", "max", "min", "var", "std", "any", "all"):
    setattr(Symbol, _name, _forward_reduction(_name))
for _method, _name in {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "pos": "positive",
    "invert": "invert",
    "abs": "absolute",
}.items():
    setattr(Symbol, f"__{_method}__", _forward(_name))


def trace(function: Callable[..., Any]) -> Program:
    """The program that a function of arithmetic comes to when it is called with symbols."""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        raise TypeError(
            f"fuse: {name} does not say which arguments it takes; a Python function would do"
        ) from None
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"fuse: {name}'s {parameter} is not plain; arguments by position alone would do")
        if parameter.default is not parameter.empty:
            raise TypeError(f"fuse: {name}'s {parameter.name} has a default; arguments without would do")
    builder = Builder()
    result = function(*(Symbol(builder, builder.name(name)) for name in parameters))
    if isinstance(result, Symbol) and result.reduction:
        return builder.finish([result.node], False, result.reduction, tuple(parameters))
    is_tuple = isinstance(result, tuple)
    nodes = [_returned_node(builder, part) for part in (result if is_tuple else (result,))]
    return builder.finish(nodes, is_tuple, names=tuple(parameters))


def _returned_node(builder: Builder, part: Any) -> int:
    try:
        return _node_of(builder, part)
    except TypeError:
        if isinstance(part, Symbol):  # a reduction among others
            raise
        raise TypeError(
            f"fuse: the function returned {type(part).__name__}; arithmetic on its arguments would do"
        ) from None


def _find(module: str, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


def find_fused(module: str, name: str) -> Any:
    """The fused function of this name, for pickles; fused anew where the name is the function's own."""
    found = _find(module, name)
    return found if isinstance(found, forzium.Expression) else forzium.fuse(found)


def name_fused(function: Callable[..., Any]) -> tuple[str, str]:
    """By what find_fused finds a fused function, for pickles."""
    try:
        place = function.__module__, function.__qualname__
        found = _find(*place)
    except (ImportError, AttributeError):
        found = None
    if isinstance(found, forzium.Expression):
        found = getattr(found, "__wrapped__", None)
    if found is not function:
        raise pickle.PicklingError(
            f"fuse: {function!r} is not what has its name; a function of a module, or expression, would do"
        )
    return place

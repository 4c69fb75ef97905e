"""From the text of an expression to the program that libforzium runs.

Imported when the first expression is made, whose caller waits for it: what only an error needs is in
expression_errors. Text is parsed by Python's own parser, and its tree is walked against closed lists of
operators and names, without recursion: whatever is not in them is an error that names the column.
"""

from __future__ import annotations

import _ast
import math
import operator
import struct
from collections.abc import Callable, Sequence
from typing import Any

import forzium
from forzium import _core

Number = bool | int | float
Axis = int | tuple[int, ...] | None

_OPS: dict[str, tuple[int, int]] = _core.expression_operations()
CONVERSION = len(_OPS)
DTYPES: dict[str, int] = _core.expression_dtypes()

_BINARY: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    _ast.Add: ("add", operator.add),
    _ast.Sub: ("subtract", operator.sub),
    _ast.Mult: ("multiply", operator.mul),
    _ast.Div: ("divide", operator.truediv),
    _ast.FloorDiv: ("floor_divide", operator.floordiv),
    _ast.Mod: ("remainder", operator.mod),
    _ast.Pow: ("power", operator.pow),
    _ast.LShift: ("left_shift", operator.lshift),
    _ast.RShift: ("right_shift", operator.rshift),
    _ast.BitAnd: ("bitwise_and", operator.and_),
    _ast.BitOr: ("bitwise_or", operator.or_),
    _ast.BitXor: ("bitwise_xor", operator.xor),
}
_UNARY: dict[type, tuple[str, Callable[[Any], Any]]] = {
    _ast.USub: ("negative", operator.neg),
    _ast.UAdd: ("positive", operator.pos),
    _ast.Invert: ("invert", operator.invert),
}
_COMPARE: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    _ast.Eq: ("equal", operator.eq),
    _ast.NotEq: ("not_equal", operator.ne),
    _ast.Lt: ("less", operator.lt),
    _ast.LtE: ("less_equal", operator.le),
    _ast.Gt: ("greater", operator.gt),
    _ast.GtE: ("greater_equal", operator.ge),
}
_PYTHON = {name: function for table in (_BINARY, _UNARY, _COMPARE) for name, function in table.values()}

# Names of numexpr, Python and NumPy for operations that have another here.
ALIASES = {
    "abs": "absolute",
    "round": "rint",
    "copy": "positive",
    "true_divide": "divide",
    "mod": "remainder",
    "pow": "power",
    "amax": "max",
    "amin": "min",
}
_COMPLEX = {"real", "imag", "conj", "conjugate", "complex"}
REDUCTIONS = set(_core.expression_reductions())
PLACES = {"argmax", "argmin"}

_MAX_INTEGER_BITS = 1024  # of a constant: what a float can hold, and no more work than that
_HUGE = 2  # FZ_HUGE of forzium.h: an integer beyond 64 bits


# What an expression comes to, in the form that the extension takes: names, constants, instructions, outputs,
# whether it gives a tuple; the reduction that closes it, and its axis.
Program = tuple[tuple[str, ...], bytes, bytes, tuple[int, ...], bool, str | None, Axis]


class Builder:
    """A program as it grows. A node is a name, a constant, or an operation on nodes; equal ones are one."""

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = []
        self.known: dict[tuple[Any, ...], int] = {}

    def add(self, *node: Any) -> int:
        found = self.known.setdefault(node, len(self.nodes))
        if found == len(self.nodes):
            self.nodes.append(node)
        return found

    def name(self, name: str) -> int:
        return self.add("name", name)

    def constant(self, value: Number, weak: bool = True) -> int:
        """A Python number is weak (NEP 50), a bool and a NumPy scalar are not."""
        if isinstance(value, int):
            try:
                float(value)
            except OverflowError:
                raise ValueError("an integer constant is too large") from None
        kind, key = type(value).__name__, value if value == value else _nan(value)
        return self.add("constant", kind, key, str(value), weak and kind != "bool")

    def value_of(self, node: int) -> tuple[Number, bool] | None:
        """The number that a node is, and whether it is weak; None where it is no constant."""
        if self.nodes[node][0] != "constant":
            return None
        _, kind, value, _, weak = self.nodes[node]
        return (float(value) if isinstance(value, str) else value), weak and kind != "bool"

    def operation(self, name: str, *operands: int) -> int:
        if name not in _OPS:
            raise TypeError(f"{name} is not among forzium's operations")
        op, arity = _OPS[name]
        if len(operands) != arity:
            raise TypeError(f"{name} takes {arity} arguments; {len(operands)} were given")
        values = [value for value in map(self.value_of, operands) if value]
        are_constant = len(values) == len(operands)
        if are_constant and name in _PYTHON and all(weak for _, weak in values):
            return self.constant(calculate(name, [value for value, _ in values]))
        if are_constant and _is_folded(name):
            return self.constant(getattr(forzium, name)(*(value for value, _ in values)).item(), weak=False)
        return self.add(op, *operands)

    def power(self, base: int, exponent: int) -> int:
        """The exponent for which NumPy's ** gives another operation's bits."""
        value = self.value_of(exponent)
        constant = self.value_of(base)
        if value is not None and value[1] and not (constant and constant[1]) and value[0] == 2:
            if isinstance(value[0], float):  # makes integers floats
                base = self.operation("multiply", base, self.constant(1.0))
            return self.operation("square", base)
        return self.operation("power", base, exponent)

    def finish(
        self,
        outputs: Sequence[int],
        is_tuple: bool,
        reduction: tuple[str, Axis] | None = None,
        names: Sequence[str] | None = None,
    ) -> Program:
        """Numbers the nodes that outputs need: inputs, constants, instructions."""
        nodes = self.nodes
        needed = set(outputs)
        for node in range(len(nodes) - 1, -1, -1):
            if node in needed and isinstance(nodes[node][0], int):
                needed.update(nodes[node][1 : 1 + _ARITIES[nodes[node][0]]])
        order = sorted(needed)
        named = [node for node in order if nodes[node][0] == "name"]
        constants = [node for node in order if nodes[node][0] == "constant"]
        operations = [node for node in order if isinstance(nodes[node][0], int)]
        inputs = tuple(nodes[node][1] for node in named) if names is None else tuple(names)
        numbers = {node: inputs.index(nodes[node][1]) for node in named}
        numbers.update((node, i) for i, node in enumerate([*constants, *operations], len(inputs)))
        code: list[int] = []
        for node in operations:
            op = nodes[node][0]
            arity = _ARITIES[op]
            code += op, nodes[node][2] if op == CONVERSION else 0
            code += [numbers[operand] for operand in nodes[node][1 : 1 + arity]] + _ZEROS[arity:]
        name, axis = reduction or (None, None)
        return (
            inputs,
            b"".join(map(self.pack, constants)),
            struct.pack(f"{len(code)}i", *code),
            tuple(numbers[node] for node in outputs),
            is_tuple,
            name,
            axis,
        )

    def pack(self, node: int) -> bytes:
        """A constant as the extension reads it: dtype, weak, eight bytes."""
        value, weak = self.value_of(node) or (0, True)
        if isinstance(value, bool):
            return struct.pack("iiQ", DTYPES["bool"], 0, int(value))
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            return struct.pack("iid", DTYPES["float64"], _HUGE, float(value))
        if isinstance(value, int):
            dtype, form = ("int64", "iiq") if value < 2**63 else ("uint64", "iiQ")
            return struct.pack(form, DTYPES[dtype], weak, value)
        return struct.pack("iid", DTYPES["float64"], weak, value)


_ARITIES = {op: arity for op, arity in _OPS.values()} | {CONVERSION: 1}
_ZEROS = [0, 0, 0]  # in place of operands that an operation has not


def _nan(value: Number) -> str:
    """A key for NaN, which equals nothing: its sign is all that counts."""
    return "-nan" if math.copysign(1, value) < 0 else "nan"


def _is_folded(name: str) -> bool:
    """Is its value at constants computed once? Of functions of floats; the others are left for each call."""
    if name.startswith(("is", "logical_", "bitwise_")) or name in {row for row, _ in _COMPARE.values()}:
        return False
    return name not in {"invert", "left_shift", "right_shift", "signbit", "where"}


def check_size(name: str, numbers: Sequence[Number]) -> None:
    """Refuses integer constants of more bits than a float holds, before they are computed."""
    if not all(isinstance(number, int) for number in numbers):
        return
    sizes = [int(number).bit_length() for number in numbers]
    if name == "power":
        bits = max(sizes[0], 1) * max(int(numbers[1]), 1)
    elif name == "left_shift":
        bits = sizes[0] + max(int(numbers[1]), 0)
    else:
        bits = sum(sizes)
    if bits > 2 * _MAX_INTEGER_BITS:
        raise ValueError("an integer constant is too large")


def calculate(name: str, numbers: Sequence[Number]) -> Number:
    """An operator on Python numbers: Python's result; IEEE 754's of a quotient by zero and of overflow."""
    check_size(name, numbers)
    try:
        result = _PYTHON[name](*numbers)
    except (ZeroDivisionError, OverflowError) as error:
        if isinstance(error, ZeroDivisionError) and name != "divide":
            raise ValueError("division by zero among constants") from None
        return float(getattr(forzium, name)(*map(float, numbers)))
    if isinstance(result, complex):
        raise ValueError(f"a fractional power of {numbers[0]} is complex")
    return result  # type: ignore[no-any-return]


# ---- text --------------------------------------------------------------------------------------------------


class Refusal(Exception):
    """What is wrong with a node of the tree; expression_errors finds where that is."""

    def __init__(self, node: Any, message: str, kind: type[Exception] = ValueError) -> None:
        self.node, self.message, self.kind = node, message, kind


def parse(text: str, builder: Builder | None = None) -> Program:
    """The program of an expression's text."""
    if not isinstance(text, str):
        raise TypeError(f"expression: it must be a str, not {type(text).__name__}")
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # the lines that Python's parser counts
    try:
        return _build(builder or Builder(), _parse_tree(text).body)
    except Refusal as refusal:
        from forzium.expression_errors import place_refusal

        raise place_refusal(text, refusal) from None


def _build(builder: Builder, body: _ast.expr) -> Program:
    reduction = _closing_reduction(body)
    if reduction:
        name, axis, body = reduction
        return builder.finish([_Walk(builder).run(body)], False, (name, axis))
    is_tuple = isinstance(body, _ast.Tuple)
    parts = body.elts if isinstance(body, _ast.Tuple) else [body]
    if not parts:
        raise Refusal(body, "an empty tuple has nothing to compute")
    walk = _Walk(builder)
    return builder.finish([walk.run(part) for part in parts], is_tuple)


def _parse_tree(text: str) -> _ast.Expression:
    try:
        tree = compile(text.strip(), "<expression>", "eval", _ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        from forzium.expression_errors import place_syntax_error

        raise place_syntax_error(text, error) from None
    assert isinstance(tree, _ast.Expression)
    return tree


def _closing_reduction(body: _ast.expr) -> tuple[str, Axis, _ast.expr] | None:
    """The name, axis and argument of a reduction that is the whole expression."""
    if not isinstance(body, _ast.Call) or not isinstance(body.func, _ast.Name):
        return None
    if body.func.id not in REDUCTIONS:
        return None
    given = [*body.args[1:], *(keyword.value for keyword in body.keywords)]
    if not body.args or len(given) > 1 or any(keyword.arg != "axis" for keyword in body.keywords):
        raise Refusal(body, f"{body.func.id} takes an argument and axis")
    if not given:
        return body.func.id, None, body.args[0]
    return body.func.id, _read_axis(given[0]), body.args[0]


def _read_axis(node: Any) -> Axis:
    """None, an integer or a tuple of integers, as written."""
    if isinstance(node, _ast.Tuple):
        return tuple(_read_index(part) for part in node.elts)
    if isinstance(node, _ast.Constant) and node.value is None:
        return None
    return _read_index(node)


def _read_index(node: Any) -> int:
    sign = 1
    if isinstance(node, _ast.UnaryOp) and isinstance(node.op, _ast.USub):
        node, sign = node.operand, -1
    if not isinstance(node, _ast.Constant) or type(node.value) is not int:
        raise Refusal(node, "axis must be an integer, a tuple of them or None")
    return sign * node.value


def clip_name(given: Sequence[bool]) -> str:
    """The operation on those arguments of clip that are there."""
    low, high = (*given[1:], False, False)[:2]
    return "clip" if low and high else "maximum" if low else "minimum" if high else "positive"


class _Walk:
    """Visits a tree without recursion: operands first, then what joins them."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.results: list[int] = []

    def run(self, root: _ast.expr) -> int:
        todo: list[tuple[Any, Callable[[], int] | None]] = [(root, None)]
        while todo:
            node, join = todo.pop()
            if join is None:
                join, parts = self.visit(node)
                if parts:
                    todo.append((node, join))
                    todo.extend((part, None) for part in reversed(parts))
                    continue
            try:
                self.results.append(join())
            except (ValueError, TypeError, OverflowError) as error:
                raise Refusal(node, str(error), type(error)) from None
        return self.results.pop()

    def visit(self, node: Any) -> tuple[Callable[[], int], Sequence[Any]]:
        """What to do once these parts have been visited."""
        handler = _VISITS.get(type(node))
        if handler is None:
            kind, message = _REFUSED.get(type(node), (ValueError, "this is not arithmetic"))
            raise Refusal(node, message, kind)
        joined: tuple[Callable[[], int], Sequence[Any]] = handler(self, node)
        return joined

    def take(self, count: int) -> list[int]:
        taken = self.results[len(self.results) - count :]
        del self.results[len(self.results) - count :]
        return taken

    def visit_name(self, node: _ast.Name) -> tuple[Callable[[], int], Sequence[Any]]:
        if node.id.startswith("__"):
            raise Refusal(node, f"the name {node.id} is not allowed")
        return (lambda: self.builder.name(node.id)), ()

    def visit_constant(self, node: _ast.Constant) -> tuple[Callable[[], int], Sequence[Any]]:
        if isinstance(node.value, complex):
            raise Refusal(node, "complex numbers are not supported", TypeError)
        if isinstance(node.value, (str, bytes)):
            raise Refusal(node, "text is not supported", TypeError)
        if not isinstance(node.value, (bool, int, float)):
            raise Refusal(node, f"{node.value!r} is no number")
        value = node.value
        return (lambda: self.builder.constant(value)), ()

    def visit_binary(self, node: _ast.BinOp) -> tuple[Callable[[], int], Sequence[Any]]:
        if type(node.op) not in _BINARY:
            raise Refusal(node, "@ is not arithmetic on elements")
        name = _BINARY[type(node.op)][0]
        build = self.builder.power if name == "power" else None
        join = (
            (lambda: build(*self.take(2))) if build else (lambda: self.builder.operation(name, *self.take(2)))
        )
        return join, (node.left, node.right)

    def visit_unary(self, node: _ast.UnaryOp) -> tuple[Callable[[], int], Sequence[Any]]:
        if type(node.op) not in _UNARY:
            raise Refusal(node, "not is for single truth values; ~ would do", TypeError)
        name = _UNARY[type(node.op)][0]
        return (lambda: self.builder.operation(name, *self.take(1))), (node.operand,)

    def visit_compare(self, node: _ast.Compare) -> tuple[Callable[[], int], Sequence[Any]]:
        if len(node.ops) > 1:
            raise Refusal(node, "a chain of comparisons; (a < b) & (b < c) would do", TypeError)
        if type(node.ops[0]) not in _COMPARE:
            raise Refusal(node, "is and in are not arithmetic")
        name = _COMPARE[type(node.ops[0])][0]
        return (lambda: self.builder.operation(name, *self.take(2))), (node.left, node.comparators[0])

    def visit_call(self, node: _ast.Call) -> tuple[Callable[[], int], Sequence[Any]]:
        if not isinstance(node.func, _ast.Name):
            raise Refusal(node, "only functions of the table can be called, by their names")
        name = ALIASES.get(node.func.id, node.func.id)
        if name in _COMPLEX:
            raise Refusal(node, f"{name} is for complex numbers, which are not supported", TypeError)
        if name == "contains":
            raise Refusal(node, "contains is for text, which is not supported", TypeError)
        if name in REDUCTIONS:
            raise Refusal(node, f"{name} can only be the outermost function")
        if name in PLACES:
            raise Refusal(node, f"{name} is not for expressions; forzium.{name} of an array would do")
        if node.keywords:
            raise Refusal(node, f"{name} takes no keywords here")
        count = len(node.args)
        if name == "clip" and 1 <= count <= 3:
            return self.visit_clip(node.args)
        if name in DTYPES:
            if count != 1:
                raise Refusal(node, f"{name} converts one argument; {count} were given", TypeError)
            return (lambda: self.builder.add(CONVERSION, *self.take(1), DTYPES[name])), node.args
        if name == "ones_like" and count == 1:
            return (
                lambda: self.builder.operation("power", *self.take(1), self.builder.constant(0))
            ), node.args
        if name not in _OPS:
            raise Refusal(node, f"there is no function {node.func.id}")
        return (lambda: self.builder.operation(name, *self.take(count))), node.args

    def visit_clip(self, args: Sequence[Any]) -> tuple[Callable[[], int], Sequence[Any]]:
        """Bounds may be None, or absent."""
        given = [not (isinstance(arg, _ast.Constant) and arg.value is None) for arg in args]
        name = clip_name(given)
        parts = [arg for arg, is_given in zip(args, given, strict=True) if is_given]
        return (lambda: self.builder.operation(name, *self.take(len(parts)))), parts


_VISITS: dict[type, Callable[..., Any]] = {
    _ast.Name: _Walk.visit_name,
    _ast.Constant: _Walk.visit_constant,
    _ast.BinOp: _Walk.visit_binary,
    _ast.UnaryOp: _Walk.visit_unary,
    _ast.Compare: _Walk.visit_compare,
    _ast.Call: _Walk.visit_call,
}
_REFUSED: dict[type, tuple[type[Exception], str]] = {
    _ast.BoolOp: (TypeError, "and, or are for single truth values; & and | would do"),
    _ast.IfExp: (TypeError, "if is for single truth values; where(condition, x, y) would do"),
    _ast.Attribute: (ValueError, "attributes are not allowed"),
    _ast.Subscript: (ValueError, "indexes are not allowed"),
    _ast.Lambda: (ValueError, "functions are not allowed"),
}

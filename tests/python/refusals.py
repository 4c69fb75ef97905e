"""Calls of every operation with one bad argument, and what it means that they are refused."""

import re

import forzium
import numpy as np
import pytest
from oracle import BINARY, UNARY

REDUCTIONS = ("sum", "mean", "var", "min", "max")
SQUARE = np.arange(1.0, 17.0).reshape(4, 4)

# name: the names of its array arguments, good values for them, and its other arguments
OPERATIONS = {
    **{name: (("x",), [SQUARE], {}) for name in UNARY},
    **{name: (("x", "y"), [SQUARE, SQUARE], {}) for name in BINARY},
    "where": (("condition", "x", "y"), [SQUARE, SQUARE, SQUARE], {}),
    "fma": (("a", "b", "c"), [SQUARE, SQUARE, SQUARE], {}),
    "clip": (("x", "min", "max"), [SQUARE, SQUARE, SQUARE], {}),
    **{name: (("x",), [SQUARE], {"axis": 0}) for name in REDUCTIONS},
    "matmul": (("a", "b"), [SQUARE, SQUARE], {}),
    "transpose": (("x",), [SQUARE], {}),
    "conv2d": (("x", "weight"), [SQUARE, SQUARE[:2, :2]], {}),
    "max_pool2d": (("x",), [SQUARE], {"window": 2}),
}

# Of other dtypes than SQUARE's: each operation takes them or refuses them clearly.
WRONG_DTYPES = {
    "int64": SQUARE.astype(np.int64),
    "int8": SQUARE.astype(np.int8),
    "uint64": SQUARE.astype(np.uint64),
    "bool": SQUARE > 3,
    "complex128": SQUARE + 1j,
    "float16": SQUARE.astype(np.float16),
    "object": SQUARE.astype(object),
    "datetime64": SQUARE.astype("M8[s]"),
    "timedelta64": SQUARE.astype("m8[s]"),
    "str": SQUARE.astype(str),
    "bytes": SQUARE.astype("S4"),
    "void": SQUARE.view("V8"),
    "structured": SQUARE.view([("re", "f4"), ("im", "f4")]),
    "empty int64": np.empty((0, 4), np.int64),
    "0-d int64": np.array(3),
    "NumPy int64": np.int64(3),
    "NumPy bool": np.bool_(True),
    "NumPy complex": np.complex128(1),
}
if np.dtype(np.longdouble) != np.float64:
    WRONG_DTYPES["longdouble"] = SQUARE.astype(np.longdouble)
for code in ("i2", "i4", "i8", "u4", "f2", "c8", "c16", "U2", "M8[D]", "m8[s]"):
    WRONG_DTYPES[f"byte-swapped {code}"] = np.ones((4, 4), np.dtype(code).newbyteorder())

ARGUMENTS = [(name, argument) for name, (arguments, *_) in OPERATIONS.items() for argument in arguments]
operations = pytest.mark.parametrize("name", OPERATIONS)
arguments = pytest.mark.parametrize(("name", "argument"), ARGUMENTS)


def nested(depth):
    """One number in `depth` lists."""
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


def result_of(name):
    _, values, options = OPERATIONS[name]
    return getattr(forzium, name)(*values, **options)


def call_with(name, argument, value, **more):
    """The call with good arguments but one."""
    names, values, options = OPERATIONS[name]
    values = [value if own == argument else good for own, good in zip(names, values, strict=True)]
    return getattr(forzium, name)(*values, **{**options, **more})


def assert_refused(call, kind, *words, out=None):
    """The call fails with this kind of error, whose message has these words, and leaves out alone."""
    before = None if out is None else out.tobytes()
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert re.search(rf"\b{re.escape(word)}\b", str(caught.value)), f"no {word!r} in {caught.value}"
    assert out is None or out.tobytes() == before

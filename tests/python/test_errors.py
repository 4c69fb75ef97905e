"""Bad input gives NumPy's result or a clear error of the right kind, before anything is written."""

import re
import sys

import forzium
import numpy as np
import pytest
from oracle import BINARY, ELEMENTWISE, outcome
from refusals import (
    ARGUMENTS,
    OPERATIONS,
    REDUCTIONS,
    SQUARE,
    WRONG_DTYPES,
    arguments,
    assert_refused,
    call_with,
    operations,
    result_of,
)

# ---- kinds and dtypes --------------------------------------------------------------------------

# What element-wise operations compute on all the same.
NARROW = {
    "int64",
    "int8",
    "uint64",
    "bool",
    "float16",
    "empty int64",
    "0-d int64",
    "NumPy int64",
    "NumPy bool",
}
NARROW |= {f"byte-swapped {code}" for code in ("i2", "i4", "i8", "u4", "f2")}
TABLE = [*ELEMENTWISE, "where", "fma", "clip"]
ANY_DTYPE = [*TABLE, *REDUCTIONS, "matmul", "transpose", "conv2d", "max_pool2d"]

WRONG_KINDS = {
    "None": None,
    "str": "12",
    "bytes": b"12345678",
    "bytearray": bytearray(64),
    "dict": {0: 1.0},
    "set": {1.0, 2.0},
    "object": object(),
    "complex": 1 + 2j,
    "type": float,
    "generator": (float(i) for i in range(3)),
    "list of str": [["1", "2"], ["3", "4"]],
    "list of None": [[None, 1.0], [1.0, 2.0]],
    "list of complex": [[1j, 2.0], [1.0, 2.0]],
    "list of objects": [[object()]],
    "integer memoryview": memoryview(SQUARE.astype(np.int64)),
}


@pytest.mark.parametrize(
    ("name", "argument", "dtype"),
    [
        (name, argument, dtype)
        for name, argument in ARGUMENTS
        for dtype in WRONG_DTYPES
        if name not in ANY_DTYPE or dtype not in NARROW
    ],
)
def test_other_dtypes_are_refused_by_name(name, argument, dtype):
    out = np.full(np.shape(result_of(name)), 7.0)
    value = WRONG_DTYPES[dtype]
    assert_refused(lambda: call_with(name, argument, value, out=out), TypeError, name, argument, out=out)


@pytest.mark.parametrize(
    ("name", "argument", "kind"),
    [
        (name, argument, kind)
        for name, argument in ARGUMENTS
        for kind in WRONG_KINDS
        if not (name in ANY_DTYPE and kind in ("integer memoryview", "bytearray"))
        and not (name == "clip" and argument != "x" and kind == "None")
    ],
)
def test_what_is_no_array_is_refused(name, argument, kind):
    out = np.full(np.shape(result_of(name)), 7.0)
    value = WRONG_KINDS[kind]
    assert_refused(lambda: call_with(name, argument, value, out=out), TypeError, name, argument, out=out)


@arguments
def test_masked_arrays_are_refused(name, argument):
    masked = np.ma.masked_greater(SQUARE, 3)
    assert_refused(lambda: call_with(name, argument, masked), TypeError, name, argument, "masked")
    assert_refused(lambda: call_with(name, argument, masked[:0]), TypeError, name, argument, "masked")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name in [*ELEMENTWISE, "sum", "mean", "var"]
        for dtype in [
            "int64",
            int,
            complex,
            object,
            "c16",
            "M8[s]",
            "U3",
            "V8",
            "nonsense",
            3,
            [],
            1.5,
            "f8,f8",
        ]
        if not (
            name in ("sum", "mean", "var") and dtype in ("int64", int)
        )  # they choose what floats are converted to
    ],
)
def test_dtype_argument(name, dtype):
    _, values, options = OPERATIONS[name]
    out = np.full(np.shape(result_of(name)), 7.0)
    operation = getattr(forzium, name)
    assert_refused(lambda: operation(*values, **options, out=out, dtype=dtype), TypeError, name, out=out)


# ---- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("x", "y"), [((3,), (4,)), ((2, 3), (3, 2)), ((0,), (2,)), ((5, 1, 3), (4, 2, 3))])
def test_shapes_that_do_not_broadcast(name, x, y):
    out = np.full((3,), 7.0)
    call = getattr(forzium, name)
    assert_refused(
        lambda: call(np.ones(x), np.ones(y), out=out), ValueError, name, str(x)[1:-1].strip(","), out=out
    )


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize(
    ("axis", "kind"),
    [(2, ValueError), (-3, ValueError), ((0, 0), ValueError), ((0, -2), ValueError), ((0, 5), ValueError),
     (2**40, ValueError), (2**70, (ValueError, OverflowError)), (-(2**70), (ValueError, OverflowError)),
     (1.0, TypeError), ("0", TypeError), ((0, "1"), TypeError), ((0, None), TypeError), ({}, TypeError)],
    ids=repr,
)  # fmt: skip
def test_bad_axis(name, axis, kind):
    out = np.full(4, 7.0)
    assert_refused(lambda: getattr(forzium, name)(SQUARE, axis=axis, out=out), kind, name, out=out)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_keepdims_that_is_neither_true_nor_false(name):
    out = np.full(4, 7.0)
    call = getattr(forzium, name)
    assert_refused(
        lambda: call(SQUARE, axis=0, out=out, keepdims=np.ones(2)), (ValueError, TypeError), name, out=out
    )


@pytest.mark.parametrize("name", ["min", "max"])
def test_extremes_of_nothing(name):
    out = np.full((), 7.0)
    assert_refused(lambda: getattr(forzium, name)(np.empty(0), out=out), ValueError, name, out=out)


# ---- arguments ---------------------------------------------------------------------------------


@operations
def test_wrong_numbers_of_arguments(name):
    operation = getattr(forzium, name)
    names, values, options = OPERATIONS[name]
    assert_refused(operation, TypeError, name)
    if name != "clip":  # whose bounds may be absent
        assert_refused(lambda: operation(*values[: len(names) - 1], out=np.empty((4, 4))), TypeError, name)
    assert_refused(lambda: operation(*values, *[None] * 9, **options), TypeError, name)


@operations
def test_unknown_keyword(name):
    _, values, options = OPERATIONS[name]
    for keyword in ("nonsense", "ou", "outs", "", "öut", "where_"):
        call = getattr(forzium, name)
        assert_refused(lambda k=keyword, f=call: f(*values, **options, **{k: None}), TypeError, name)


@operations
def test_unhashable_or_odd_keyword_names(name):
    _, values, options = OPERATIONS[name]
    odd = type("Name", (str,), {})("out")
    out = np.empty(np.shape(result_of(name)))
    assert getattr(forzium, name)(*values, **options, **{odd: out}) is out
    built = "".join(["o", "ut"])  # equal to, and not the same object as, the interned name
    assert getattr(forzium, name)(*values, **options, **{built: out}) is out


@operations
def test_an_argument_given_twice(name):
    names, values, options = OPERATIONS[name]
    call = getattr(forzium, name)
    if name in ELEMENTWISE:
        assert_refused(lambda: call(*values, None, out=None), TypeError, name, "out")
        assert_refused(lambda: call(**dict(zip(names, values, strict=True))), TypeError, name)
    else:
        assert_refused(lambda: call(*values, **options, **{names[0]: SQUARE}), TypeError, name, names[0])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_dtype_is_by_keyword_only(name):
    _, values, _ = OPERATIONS[name]
    assert_refused(lambda: getattr(forzium, name)(*values, None, "float32"), TypeError, name)


@operations
def test_the_operation_still_works_after_an_error(name):
    want = result_of(name)
    for bad in (None, [[1.0], []], np.ones(3, int)):
        outcome(lambda bad=bad: call_with(name, OPERATIONS[name][0][0], bad))
    np.testing.assert_array_equal(result_of(name), want)


# ---- memory ------------------------------------------------------------------------------------

HUGE = """
    import resource, numpy as np, forzium

    warm = np.ones((600, 600))
    forzium.matmul(warm, warm)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, used + 2**30))

    row = np.broadcast_to(1.0, (2**31,))
    plane = np.broadcast_to(1.0, (2**31, 3))
    calls = {
        "add": lambda: forzium.add(row, 1.0),
        "add of float32": lambda: forzium.add(np.broadcast_to(np.float32(1), (2**31,)), 1),
        "add of a column and a row": lambda: forzium.add(np.ones((2**16, 1)), np.ones((1, 2**16))),
        "add of more than any memory": lambda: forzium.add(*[np.broadcast_to(1.0, (2**40,))] * 2),
        "sqrt": lambda: forzium.sqrt(row),
        "negative": lambda: forzium.negative(plane),
        "sum": lambda: forzium.sum(plane, axis=1),
        "max": lambda: forzium.max(plane, axis=1, keepdims=True),
        "matmul": lambda: forzium.matmul(np.ones((2**16, 1)), np.ones((1, 2**16))),
        "transpose": lambda: forzium.transpose(plane),
        "conv2d": lambda: forzium.conv2d(plane, np.ones((2, 2))),
        "max_pool2d": lambda: forzium.max_pool2d(plane, 1),
    }
    for name, call in calls.items():
        try:
            call()
        except MemoryError as error:
            assert str(error).startswith(name.split()[0]), f"{name}: {error}"
            continue
        raise AssertionError(f"{name}: no MemoryError")
    for x, y in [((2**40, 1), (1, 2**40)), ((2**31, 1), (1, 2**31))]:
        try:
            forzium.add(np.broadcast_to(1.0, x), np.broadcast_to(1.0, y))
        except (MemoryError, ValueError) as error:
            assert "add" in str(error), error
            continue
        raise AssertionError(f"{x} + {y}: no error")
    assert forzium.sum(np.broadcast_to(1.0, (2**40, 0))) == 0
    assert np.all(forzium.matmul(warm, warm) == 600)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")
def test_results_larger_than_memory(run_python, under_sanitizer):
    if under_sanitizer:
        pytest.skip("a sanitizer's own address space exceeds any limit")
    run_python(HUGE)


def test_numpys_words_on_memory_are_kept():
    huge = np.broadcast_to(1.0, (2**28, 2**28))
    with pytest.raises(MemoryError) as by_numpy:
        np.empty(huge.shape)
    with pytest.raises(MemoryError, match=re.escape(f"negative: out: {by_numpy.value}")):
        forzium.negative(huge)


# ---- the environment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["nonsense", "AVX2 ", "sse", "avx512,avx2", "\N{SNOWMAN}", b"\xff", "x" * 10_000]
)
def test_unknown_instruction_set(run_python, value):
    process = run_python("import forzium", check=False, FORZIUM_SIMD=value)
    assert process.returncode == 1, process.stderr
    message = process.stderr.strip().splitlines()[-1]
    assert re.match(r"(ValueError|ImportError): ", message)
    assert "FORZIUM_SIMD" in message
    assert forzium.detect_simd_support() in message


def test_instruction_set_of_another_cpu(run_python):
    other = "neon" if forzium.detect_simd_support() != "neon" else "avx2"
    process = run_python("import forzium", check=False, FORZIUM_SIMD=other)
    assert process.returncode == 1, process.stderr
    message = process.stderr.strip().splitlines()[-1]
    assert "FORZIUM_SIMD" in message
    assert forzium.detect_simd_support() in message


@pytest.mark.parametrize(
    "value", ["0", "-1", "257", "two", "2.5", "1e2", "2x", "99999999999999999999", "0x2", b"\xff"]
)
def test_bad_number_of_threads(run_python, value):
    process = run_python("import forzium", check=False, FORZIUM_NUM_THREADS=value)
    assert process.returncode == 1, process.stderr
    message = process.stderr.strip().splitlines()[-1]
    assert re.match(r"(ValueError|ImportError): ", message)
    assert "FORZIUM_NUM_THREADS" in message
    assert "256" in message

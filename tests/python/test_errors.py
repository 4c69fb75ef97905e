"""Bad input gives NumPy's result or a clear error of the right kind, before anything is written."""

import inspect
import re
import sys

import forzium
import numpy as np
import pytest
from forzium import _core
from oracle import BINARY, ELEMENTWISE, UNARY, outcome

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
ARGUMENTS = [(name, argument) for name, (arguments, *_) in OPERATIONS.items() for argument in arguments]
operations = pytest.mark.parametrize("name", OPERATIONS)
arguments = pytest.mark.parametrize(("name", "argument"), ARGUMENTS)


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


# ---- kinds and dtypes --------------------------------------------------------------------------

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


# ---- sequences ---------------------------------------------------------------------------------


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


def cyclic():
    value = []
    value.append(value)
    return value


RAGGED = {
    "rows of two lengths": [[1.0, 2.0], [3.0]],
    "a number among rows": [[1.0, 2.0], 3.0],
    "a row among numbers": [1.0, [2.0, 3.0]],
    "deep": [[[1.0], [2.0]], [[3.0], [4.0, 5.0]]],
    "an empty row": [[1.0], []],
    "uneven depth": [[1.0], [[2.0]]],
    "65 levels": nested(65),
    "100,000 levels": nested(100_000),
    "itself within": cyclic(),
}


@arguments
@pytest.mark.parametrize("kind", RAGGED)
def test_ragged_and_too_deep_sequences(name, argument, kind):
    out = np.full(np.shape(result_of(name)), 7.0)
    value = RAGGED[kind]
    assert_refused(lambda: call_with(name, argument, value, out=out), ValueError, name, argument, out=out)


def test_sequences_as_deep_as_numpy_allows():
    np.testing.assert_array_equal(forzium.negative(nested(64)), -np.array(nested(64)))


@arguments
def test_integers_too_large_for_a_float(name, argument):
    for value in (10**400, [10**400], [[10**400] * 4] * 4, -(10**400)):
        assert_refused(lambda value=value: call_with(name, argument, value), OverflowError, name, argument)


def test_lists_that_convert_themselves_to_other_memory(run_python):
    """What NumPy makes of such a list need not lie in order, nor hold its items: no crash."""
    run_python(
        """
        import forzium, numpy as np

        class Reversed(list):
            def __array__(self, dtype=None, copy=None):
                return np.array([1, 2, 3, 2**70], object)[::-1]

        class Spread(Reversed):
            def __array__(self, dtype=None, copy=None):
                return np.array([[1, 0]] * 2 + [[2**70, 0]] * 2, object)[:, 0]

        class Repeated(Reversed):
            def __array__(self, dtype=None, copy=None):
                return np.broadcast_to(np.array(2**70, object), (4,))

        for kind in (Reversed, Spread, Repeated):
            for items in ([1, 2, 3, 2**70], [1.0] * 4, [2**70], []):
                value = kind(items)
                for given in (value, [value, value], [kind([2**70])]):
                    for call in (forzium.negative, forzium.sum, forzium.max, forzium.transpose,
                                 lambda x: forzium.add(x, 1.0), lambda x: forzium.add(1.0, x),
                                 lambda x: forzium.matmul(x, np.ones((4, 1)))):
                        for _ in range(20):
                            try:
                                np.asarray(call(given)).tobytes()
                            except (TypeError, ValueError):
                                pass
        """
    )


@arguments
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_byte_swapped_floats_are_taken(name, argument, dtype):
    value = OPERATIONS[name][1][OPERATIONS[name][0].index(argument)].astype(dtype)
    swapped = value.astype(value.dtype.newbyteorder())
    np.testing.assert_array_equal(call_with(name, argument, swapped), call_with(name, argument, value))


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0", reason="this NumPy crashes on them: np.asarray(victim)"
)
def test_sequences_that_change_while_they_are_read(run_python):
    """Numbers whose conversion empties the list they are in: an error or a result, never a crash."""
    run_python(
        """
        import forzium

        class Saboteur(float):
            def __float__(self):
                victim.clear()
                rows.clear()
                return 1.0

        class Integer:
            def __index__(self):
                victim.clear()
                return 1
            __float__ = __index__

        class Row(list):
            def __len__(self):
                return 10**6
            def __getitem__(self, index):
                raise RuntimeError("no")

        for saboteur in (Saboteur(1.0), Integer()):
            for position in range(3):
                victim = [1.0, 2.0, 3.0]
                victim[position] = saboteur
                rows = [victim, [1.0, 2.0, 3.0]]
                for call in (lambda: forzium.add(victim, 1.0), lambda: forzium.sum(rows)):
                    try:
                        call()
                    except (TypeError, ValueError, RuntimeError):
                        pass
        for row in (Row([1.0]), [Row([1.0]), [2.0]]):
            try:
                forzium.add(row, 1.0)
            except (TypeError, ValueError, RuntimeError, MemoryError):
                pass
        """
    )


# ---- exporters that lie or fail ----------------------------------------------------------------


class Interface:
    def __init__(self, interface):
        self.__array_interface__ = interface


GOOD_INTERFACE = SQUARE.__array_interface__


@pytest.mark.parametrize(
    "change",
    [{"typestr": "<c16"}, {"typestr": "nonsense"}, {"typestr": 8}, {"shape": (-1, 4)}, {"shape": "44"},
     {"shape": (2.5,)}, {"data": "here"}, {"data": (None, False)}, {"strides": (8,)}, {"strides": "88"}],
    ids=repr,
)  # fmt: skip
def test_malformed_array_interface(change):
    exporter = Interface({**GOOD_INTERFACE, **change})
    _, error = outcome(lambda: forzium.negative(exporter))
    assert isinstance(error, (TypeError, ValueError)), error


@pytest.mark.parametrize("interface", [None, 3, {}, {"version": 3}, ()], ids=repr)
def test_array_interface_that_is_none(interface):
    _, error = outcome(lambda: forzium.negative(Interface(interface)))
    assert isinstance(error, (TypeError, ValueError)), error


@pytest.mark.parametrize("attribute", ["__array_interface__", "__dlpack__"])
def test_an_exporters_own_error_comes_through(attribute):
    def fail(self, *args, **kwargs):
        raise RuntimeError("exporter says no")

    body = {"__array_interface__": property(fail)} if attribute == "__array_interface__" else {
        "__dlpack__": fail, "__dlpack_device__": lambda self: (1, 0)
    }  # fmt: skip
    exporter = type("Exporter", (), body)()
    with pytest.raises(RuntimeError, match="exporter says no"):
        forzium.negative(exporter)


@pytest.mark.parametrize("device", [(2, 0), (8, 0)])
def test_dlpack_of_another_device(device):
    class Exporter:
        def __dlpack__(self, **options):
            raise BufferError("not on the CPU")

        def __dlpack_device__(self):
            return device

    _, error = outcome(lambda: forzium.negative(Exporter()))
    assert isinstance(error, (TypeError, ValueError, BufferError)), error


def test_dlpack_that_is_no_capsule():
    class Exporter:
        def __dlpack__(self, **options):
            return 3

        def __dlpack_device__(self):
            return (1, 0)

    _, error = outcome(lambda: forzium.negative(Exporter()))
    assert isinstance(error, (TypeError, ValueError)), error


# ---- out ---------------------------------------------------------------------------------------


WHOLE = np.arange(1, 17).reshape(4, 4)
CUBE = np.arange(64.0).reshape(4, 4, 4)
OF_BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift")

# All that have an out: good positional arguments, and others.
WRITING = {
    **{
        name: ([WHOLE if name in OF_BITS else SQUARE] * operands, {})
        for name, (_, operands) in _core.expression_operations().items()
    },
    **{
        name: ([SQUARE], {"axis": 0})
        for name in (
            *("sum", "mean", "var", "std", "prod", "max", "min", "argmax", "argmin", "any", "all"),
            *("nansum", "nanmean", "nanvar", "nanstd", "nanprod", "nanmax", "nanmin", "cumsum", "cumprod"),
            *("softmax", "log_softmax", "layer_norm", "rms_norm", "normalize"),
        )
    },
    "matmul": ([SQUARE, SQUARE], {}),
    "dot": ([SQUARE, SQUARE], {}),
    "linear": ([SQUARE, SQUARE, SQUARE[0], "relu"], {}),
    "transpose": ([SQUARE], {}),
    "conv2d": ([SQUARE, SQUARE[:2, :2]], {}),
    "conv1d": ([CUBE, CUBE[:, :, :2]], {}),
    "max_pool2d": ([SQUARE, 2], {}),
    "avg_pool2d": ([SQUARE, 2], {}),
    "adaptive_avg_pool2d": ([SQUARE, 2], {}),
    "global_max_pool2d": ([CUBE], {}),
    "global_avg_pool2d": ([CUBE], {}),
}
every_out = pytest.mark.parametrize("name", WRITING)


def call_into(name, out):
    values, options = WRITING[name]
    return getattr(forzium, name)(*values, **options, out=out)


def written(name):
    """What it gives where no out is wrong."""
    return call_into(name, None)


def has_out(item):
    return type(item) is type(forzium.add) and "out" in inspect.signature(item).parameters


def test_every_operation_with_an_out_is_tried():
    assert set(WRITING) == {name for name in forzium.__all__ if has_out(getattr(forzium, name))}


@every_out
def test_a_good_out_is_written_and_returned(name):
    want = written(name)
    out = np.full(want.shape, 7, want.dtype)
    assert call_into(name, out) is out
    np.testing.assert_array_equal(out, want)


@every_out
def test_read_only_out(name):
    want = written(name)
    out = np.full(want.shape, 7, want.dtype)
    out.flags.writeable = False
    assert_refused(lambda: call_into(name, out), ValueError, name, "out", out=out)


@every_out
@pytest.mark.parametrize(("axis", "more"), [(0, 1), (0, -1), (-1, 1), (-1, -1)])
def test_out_of_another_shape(name, axis, more):
    want = written(name)
    shape = list(want.shape)
    shape[axis] += more
    out = np.full(shape, 7, want.dtype)
    assert_refused(lambda: call_into(name, out), ValueError, name, "out", out=out)


@every_out
def test_out_of_fewer_axes(name):
    want = written(name)
    for shape in {(), want.shape[1:]} - {want.shape}:
        out = np.full(shape, 7, want.dtype)
        assert_refused(lambda out=out: call_into(name, out), ValueError, name, "out", out=out)


def is_castable(result, dtype):
    """Within a kind, or to a wider one; truths are integers, too."""
    dtype = np.dtype(dtype)
    return dtype.kind in {"f": "f", "i": "if", "b": "bif"}[result.kind]


@every_out
@pytest.mark.parametrize("dtype", ["i8", "?", "c16", "f2", "O", "M8[s]", "U8", "V8"])
def test_out_of_another_dtype(name, dtype):
    want = written(name)
    for swapped in (False, True):
        if is_castable(want.dtype, dtype) and not (swapped and dtype != "?"):
            continue
        out = np.zeros(want.shape, np.dtype(dtype).newbyteorder() if swapped else dtype)
        assert_refused(
            lambda out=out: call_into(name, out), TypeError, name, "out", out=None if dtype == "O" else out
        )


@every_out
@pytest.mark.parametrize(
    "out", [[0.0] * 4, 3.0, "out", object(), np.float64(1), ()], ids=lambda out: type(out).__name__
)
def test_out_that_is_no_array(name, out):
    assert_refused(lambda: call_into(name, out), TypeError, name, "out")


@every_out
def test_masked_out(name):
    want = written(name)
    out = np.ma.array(np.full(want.shape, 7, want.dtype), mask=True)
    assert_refused(lambda: call_into(name, out), TypeError, name, "out", "masked", out=out.data)


@operations
def test_out_that_overlaps_itself(name):
    shape = np.shape(result_of(name))
    memory = np.full(40, 7.0)
    for strides in ((0,) * len(shape), (8,) * len(shape), (4,) * len(shape)):
        if len(shape) == 1 and strides == (8,):
            continue  # that one is an ordinary array
        out = np.lib.stride_tricks.as_strided(memory, shape, strides)
        assert_refused(lambda out=out: call_into(name, out), ValueError, name, "out", out=memory)


@operations
@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("shares_an_input", [False, True])
def test_out_that_overlaps_itself_and_needs_a_conversion_or_a_copy(name, dtype, shares_an_input):
    names, values, _ = OPERATIONS[name]
    shape = np.shape(result_of(name))
    for argument, value in zip(names, values, strict=True):
        memory = np.full(64, 7.0)
        memory[: value.size] = value.ravel()
        given = memory[: value.size].reshape(value.shape) if shares_an_input else value
        for step in (0, dtype.itemsize // 2):
            out = np.lib.stride_tricks.as_strided(memory.view(dtype), shape, (step,) * len(shape))
            call = lambda a=argument, g=given, o=out: call_with(name, a, g, out=o)  # noqa: E731
            assert_refused(call, ValueError, name, "out", out=memory)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_inputs_much_larger_than_out_which_they_overlap(name, dtype):
    """The shapes are what is wrong; no copy of such an input is even tried."""
    out = np.full(10, 7.0)
    huge = np.broadcast_to(out[:1], (10**11,))
    rest = [1.0] * (len(OPERATIONS[name][0]) - 1)
    call = getattr(forzium, name)
    assert_refused(lambda: call(huge, *rest, out=out), ValueError, name, "out", "10", str(10**11), out=out)
    assert_refused(lambda: call(*rest, huge, out=out.astype(dtype)), ValueError, name, "out", "10")


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in ELEMENTWISE])
def test_out_of_the_other_float_is_numpys_result_or_refused(name):
    out = np.full(np.shape(result_of(name)), 7.0, np.float32)
    _, error = outcome(lambda: call_into(name, out))
    if error is None:
        np.testing.assert_array_equal(out, result_of(name).astype(np.float32))
    else:
        assert isinstance(error, TypeError)
        assert "out" in str(error)
        assert np.all(out == 7)


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

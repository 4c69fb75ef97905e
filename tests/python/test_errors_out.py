"""An out that does not fit is refused before anything is written."""

import inspect

import forzium
import numpy as np
import pytest
from forzium import _core
from oracle import ELEMENTWISE, outcome
from refusals import OPERATIONS, SQUARE, assert_refused, call_with, operations, result_of

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

"""conv2d, conv1d and SciPy's two with all of their options at once and all their dtypes, of whole numbers."""

import forzium
import numpy as np
import pytest
import scipy.signal
from activations import ACTIVATIONS, assert_activated
from hypothesis import given
from hypothesis import strategies as st
from layouts import integer_arrays, layouts, seeds
from oracle import assert_equal
from test_convolution import convolved

bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

DTYPES = [
    ("float32", "float32", "float32"),
    ("float64", "float64", "float64"),
    ("float64", "float32", "float64"),
    ("float16", "float16", "float16"),
    (bfloat16, bfloat16, bfloat16),
    (bfloat16, "float16", "float32"),
    ("uint8", "float32", "float32"),
    ("float16", "int8", "float16"),
    ("float32", "int16", "float32"),
    ("int32", "float32", "float64"),
    ("uint8", "uint8", "int32"),
    ("uint8", "int8", "int32"),
    ("int8", "int16", "int32"),
    ("uint16", "uint8", "int32"),
    ("int32", "int32", "int32"),
    ("uint8", "uint32", "uint32"),
    ("int64", "int16", "int64"),
    ("int32", "uint32", "int64"),
    ("uint64", "uint64", "uint64"),
]
"""Of x, of weight, and of the result: what NumPy and ml_dtypes promote them to, or int32 of narrow ones."""
INTEGERS = ["int32", "uint32", "int64", "uint64"]
NARROW_INTEGERS = ["int8", "uint8", "int16", "uint16"]

few = st.integers(1, 3)
pairs = st.tuples(few, few)


@st.composite
def paddings(draw, kernel, dilation):
    """As they may be written, and the zeros that this means on either side of each axis."""
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    side = st.integers(0, 3)
    how = draw(st.sampled_from(["valid", "same", "number", "axes", "sides"]))
    if how == "valid":
        return how, ((0, 0),) * len(kernel)
    if how == "same":  # as PyTorch: of an odd number of zeros one more comes after
        return how, tuple((span // 2, span - span // 2) for span in spans)
    if how == "number":
        number = draw(side)
        return number, ((number, number),) * len(kernel)
    if how == "axes" and len(kernel) == 2:
        numbers = draw(st.tuples(side, side))
        return numbers, tuple((n, n) for n in numbers)
    sides = tuple(draw(st.tuples(side, side)) for _ in kernel)
    return (sides if len(kernel) == 2 else sides[0]), sides


@st.composite
def problems(draw, axes):
    """The shapes of x and weight, options, and the zeros of their padding."""
    groups, inputs = draw(st.sampled_from([(1, 1), (1, 1), (1, 3), (2, 2), (1, 20), (7, 1)]))
    outputs = 1 if groups == 7 else draw(st.integers(1, 5) | st.integers(6, 40))
    kernel, stride, dilation = (tuple(draw(few) for _ in range(axes)) for _ in range(3))
    padding, zeros = draw(paddings(kernel, dilation))
    stride = (1,) * axes if padding == "same" else stride
    least = [(k - 1) * d + 1 - sum(z) for k, d, z in zip(kernel, dilation, zeros, strict=True)]
    sides = [draw(st.integers(max(1, n), max(1, n) + 20)) for n in least]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = (draw(st.integers(1, 2)), inputs * groups, *sides)
    return x, (outputs * groups, inputs, *kernel), options, zeros


def summed(x, weight, bias, options, zeros):
    """In int64, where no sum is rounded."""
    x, weight, bias = (None if a is None else a.astype(np.int64) for a in (x, weight, bias))
    return convolved(x, weight, bias, options["stride"], zeros, options["dilation"], options["groups"])[0]


def check(call, data, sums, activation, dtype):
    """The result, and what goes into an out of any layout, beside which nothing is written."""
    assert_activated(call(out=None), sums, activation, dtype)
    layout = data.draw(layouts(sums.shape))
    (out, got_memory), (zeros, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert call(out=out) is out
    assert_activated(out, sums, activation, dtype)
    out[...] = zeros[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory, "wrote beside out")


def draw_bias(data, count, dtype):
    """Of integers where sums are."""
    kinds = ["int32", "int8"] if dtype in INTEGERS else ["float32", "float64", "float16", "int16"]
    kind = data.draw(st.sampled_from([None, *kinds]))
    return None if kind is None else data.draw(integer_arrays((count,), kind))


def activations_of(dtype):
    return st.just(None) if dtype in INTEGERS else st.sampled_from(ACTIVATIONS)


@pytest.mark.parametrize(("x_dtype", "weight_dtype", "dtype"), DTYPES)
@given(data=st.data(), problem=problems(2), layout=st.sampled_from(["NCHW", "NHWC"]))
def test_conv2d(x_dtype, weight_dtype, dtype, data, problem, layout):
    x_shape, weight_shape, options, zeros = problem
    order = (0, 1, 2, 3) if layout == "NCHW" else (0, 2, 3, 1)
    x = data.draw(integer_arrays([x_shape[axis] for axis in order], x_dtype))
    weight = data.draw(integer_arrays(weight_shape, weight_dtype))
    bias, activation = draw_bias(data, weight_shape[0], dtype), data.draw(activations_of(dtype))
    sums = summed(x.transpose(np.argsort(order)), weight, bias, options, zeros).transpose(order)
    options = {**options, "layout": layout, "activation": activation}
    check(lambda out: forzium.conv2d(x, weight, bias, **options, out=out), data, sums, activation, dtype)


@pytest.mark.parametrize(("x_dtype", "weight_dtype", "dtype"), DTYPES)
@given(data=st.data(), problem=problems(1))
def test_conv1d(x_dtype, weight_dtype, dtype, data, problem):
    x_shape, weight_shape, options, zeros = problem
    x = data.draw(integer_arrays(x_shape, x_dtype))
    weight = data.draw(integer_arrays(weight_shape, weight_dtype))
    bias, activation = draw_bias(data, weight_shape[0], dtype), data.draw(activations_of(dtype))
    row = {name: (1, *options[name]) for name in ("stride", "dilation")} | {"groups": options["groups"]}
    sums = summed(x[:, :, None], weight[:, :, None], bias, row, ((0, 0), *zeros))[:, :, 0]
    options |= {name: options[name][0] for name in ("stride", "dilation")} | {"activation": activation}
    check(lambda out: forzium.conv1d(x, weight, bias, **options, out=out), data, sums, activation, dtype)


# ---- images of integers ------------------------------------------------------------------------------


def any_integers(seed, shape, dtype):
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


def convolved_by_scipy(name, in1, in2, *options):
    """The low 32 bits of sums in int64."""
    return getattr(scipy.signal, name)(in1.astype(np.int64), in2.astype(np.int64), *options).astype(np.int32)


@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize(
    ("image_dtype", "window_dtype"),
    [("uint8", "uint8"), ("uint8", "int8"), ("int16", "int16"), ("uint8", "int16"), ("uint16", "int8")],
)
@given(
    data=st.data(),
    image=st.tuples(st.integers(1, 30), st.integers(1, 40)),
    window=pairs | st.tuples(*[st.integers(1, 16)] * 2),
    mode=st.sampled_from(["full", "same", "valid"]),
    boundary=st.sampled_from(["fill", "wrap", "symm"]),
    fillvalue=st.sampled_from([0, 1, 100]),
    seed=seeds,
)
def test_scipys_of_integers(
    name, image_dtype, window_dtype, data, image, window, mode, boundary, fillvalue, seed
):
    window = tuple(map(min, image, window)) if mode == "valid" else window
    in1 = data.draw(layouts(image)).place(any_integers(seed, image, image_dtype))
    in2 = data.draw(layouts(window)).place(any_integers(seed + 1, window, window_dtype))
    want = convolved_by_scipy(name, in1, in2, mode, boundary, fillvalue)
    assert_equal(getattr(forzium, name)(in1, in2, mode, boundary, fillvalue), want)


@pytest.mark.parametrize("dtype", NARROW_INTEGERS)
@pytest.mark.parametrize("side", [5, 14, 41])
def test_large_images_of_integers(dtype, side):
    """Also of windows that floats have by Fourier transforms."""
    in1, in2 = any_integers(1, (120, 130), dtype), any_integers(2, (side, side), dtype)
    for mode, boundary in [("same", "symm"), ("full", "fill"), ("valid", "wrap")]:
        want = convolved_by_scipy("correlate2d", in1, in2, mode, boundary)
        assert_equal(forzium.correlate2d(in1, in2, mode, boundary), want)


@pytest.mark.parametrize("integer", NARROW_INTEGERS)
def test_scipys_of_an_image_of_integers_and_a_window_of_floats(integer):
    in1, in2 = any_integers(1, (20, 30), integer), np.arange(-4.0, 5).reshape(3, 3)
    want = scipy.signal.convolve2d(in1.astype(float), in2, "same", "symm")
    for dtype in ("float32", "float64"):
        got = forzium.convolve2d(in1, in2.astype(dtype), "same", "symm")
        assert_equal(got, want.astype(dtype))

"""conv2d with all of its options, conv1d, and SciPy's convolve2d, against sums over windows written out."""

import itertools
import math

import forzium
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from layouts import awkward_values, dtypes, integer_arrays, layouts
from numpy.lib.stride_tricks import sliding_window_view
from oracle import assert_equal, assert_within, numbers_of_threads

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def windows_of(x, kernel, stride, padding, dilation):
    """(n, c, oh, ow, kh, kw): what each output sees of zero-padded images."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    windows = sliding_window_view(padded, spans, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def convolved(x, weight, bias, stride, padding, dilation, groups):
    """In the dtype of x: the sums, and the sums of the magnitudes of their terms."""
    windows = windows_of(x, weight.shape[2:], stride, padding, dilation)
    results = []
    for f in (lambda a: a, np.abs):
        parts = zip(np.split(f(windows), groups, axis=1), np.split(f(weight), groups), strict=True)
        total = np.concatenate([np.einsum("ncijpq,ocpq->noij", x, w) for x, w in parts], axis=1)
        results.append(total + (0 if bias is None else f(bias)[:, None, None]))
    return results


@st.composite
def problems(draw, most_channels=5):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, most_channels)), draw(st.integers(1, 9) | st.integers(10, 40))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = draw(st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2))
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sides = [draw(st.integers(max(1, s - sum(p)), s + 20)) for s, p in zip(spans, padding, strict=True)]
    x = (draw(st.integers(1, 2)), inputs * groups, *sides)
    return x, (outputs * groups, inputs, *kernel), stride, padding, dilation, groups


@given(data=st.data(), dtype=dtypes, problem=problems(), last=st.booleans(), biased=st.booleans())
def test_options(data, dtype, problem, last, biased):
    x_shape, weight_shape, stride, padding, dilation, groups = problem
    x = data.draw(integer_arrays(tuple(np.take(x_shape, [0, 2, 3, 1])) if last else x_shape, dtype))
    weight = data.draw(integer_arrays(weight_shape, dtype))
    bias = data.draw(integer_arrays(weight_shape[:1], dtype)) if biased else None
    planes = np.moveaxis(x, 3, 1) if last else x
    want, _ = convolved(planes, weight, bias, stride, padding, dilation, groups)
    want = np.moveaxis(want, 1, 3) if last else want
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    options["layout"] = "NHWC" if last else "NCHW"
    got = forzium.conv2d(x, weight, bias, **options)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)
    out, _ = data.draw(layouts(want.shape)).allocate(dtype)
    assert forzium.conv2d(x, weight, bias, **options, out=out) is out
    np.testing.assert_array_equal(out, want)


@given(problem=problems(), seed=st.integers(0, 2**32 - 1), dtype=dtypes)
def test_error_bound(problem, seed, dtype):
    x_shape, weight_shape, stride, padding, dilation, groups = problem
    x = awkward_values(seed, x_shape, dtype, share_special=0)
    weight = awkward_values(seed + 1, weight_shape, dtype, share_special=0)
    exact, magnitude = convolved(
        x.astype(np.longdouble), weight.astype(np.longdouble), None, stride, padding, dilation, groups
    )
    got = forzium.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    limits = np.finfo(dtype)
    assert_within(got, exact, weight[0].size * (limits.eps * magnitude + limits.smallest_subnormal))


LAYERS = [
    ((2, 3, 37, 41), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((1, 64, 30, 30), (64, 64, 3, 3), {"padding": 1}),
    ((2, 48, 7, 7), (96, 48, 3, 3), {"padding": 1}),
    ((2, 48, 5, 3), (40, 48, 3, 3), {"padding": 1}),
    ((1, 64, 15, 17), (130, 64, 1, 1), {}),
    ((3, 40, 7, 7), (70, 40, 1, 1), {}),
    ((1, 40, 4, 5), (33, 40, 1, 1), {}),
    ((2, 40, 3, 3), (33, 40, 1, 1), {}),
    ((2, 40, 7, 7), (5, 40, 1, 1), {}),
    ((3, 64, 1, 1), (130, 64, 1, 1), {}),
    ((1, 32, 14, 14), (64, 32, 1, 1), {"stride": 2}),
    ((2, 64, 29, 31), (64, 1, 3, 3), {"padding": 1, "groups": 64}),
    ((1, 64, 29, 31), (64, 1, 5, 5), {"padding": 2, "stride": 2, "groups": 64}),
    ((3, 37, 7, 7), (37, 1, 3, 3), {"padding": 1, "groups": 37}),
    ((2, 64, 14, 15), (64, 1, 3, 5), {"padding": 2, "groups": 64, "stride": 2}),
    ((1, 33, 5, 6), (33, 1, 2, 2), {"groups": 33}),
    ((1, 40, 1, 2), (40, 1, 3, 3), {"padding": 3, "groups": 40}),
    ((1, 4, 300, 310), (4, 4, 3, 3), {}),
    ((1, 2, 9, 9000), (3, 2, 3, 5), {"padding": 1}),
    ((1, 16, 3, 3000), (33, 16, 3, 3), {"padding": 1}),
    ((1, 17000, 3, 5), (20, 17000, 1, 1), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "weight_shape", "options"), LAYERS)
def test_layers(x_shape, weight_shape, options, dtype):
    random = np.random.default_rng(1)
    x, weight, bias = (
        random.integers(-8, 9, s).astype(dtype) for s in (x_shape, weight_shape, weight_shape[:1])
    )
    stride, padding = options.get("stride", 1), options.get("padding", 0)
    want, _ = convolved(
        x, weight, bias, (stride, stride), ((padding, padding),) * 2, (1, 1), options.get("groups", 1)
    )
    np.testing.assert_array_equal(forzium.conv2d(x, weight, bias, **options), want)
    np.testing.assert_array_equal(
        forzium.conv2d(x, weight, bias, **options, activation="relu"), np.maximum(want, 0)
    )
    last = np.ascontiguousarray(np.moveaxis(x, 1, 3))
    got = forzium.conv2d(last, weight, bias, **options, layout="NHWC")
    np.testing.assert_array_equal(np.moveaxis(got, 3, 1), want)
    for _ in numbers_of_threads(1, 3):
        np.testing.assert_array_equal(forzium.conv2d(x, weight, bias, **options), want)


DILATED = [
    ((1, 512, 9, 9), (20, 512, 3, 3), (1, 1), 12),
    ((1, 1024, 41, 17), (1, 1024, 3, 3), (1, 1), 24),
    ((1, 1024, 41, 17), (1, 1024, 3, 3), (24, 2), 24),
    ((1, 1024, 41, 17), (1, 1024, 3, 3), (12, 3), 24),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "weight_shape", "stride", "dilation"), DILATED)
def test_windows_far_wider_than_their_weights(x_shape, weight_shape, stride, dilation, dtype):
    """Outputs whose rows are computed one at a time, from the rows that they see."""
    random = np.random.default_rng(1)
    x, weight = (random.integers(-8, 9, s).astype(dtype) for s in (x_shape, weight_shape))
    padding = ((dilation, dilation),) * 2
    want, _ = convolved(x, weight, None, stride, padding, (dilation, dilation), 1)
    options = {"stride": stride, "padding": dilation, "dilation": dilation}
    np.testing.assert_array_equal(forzium.conv2d(x, weight, **options), want)
    last = np.ascontiguousarray(np.moveaxis(x, 1, 3))
    got = forzium.conv2d(last, weight, **options, layout="NHWC")
    np.testing.assert_array_equal(np.moveaxis(got, 3, 1), want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "groups"),
    [
        ((2, 1, 9, 40), (3, 1, 3, 3), 1),
        ((1, 1, 9, 40), (1, 1, 5, 5), 1),
        ((1, 6, 9, 40), (6, 1, 3, 3), 6),
        ((1, 40, 9, 11), (30, 40, 3, 3), 1),
    ],
)
def test_rows_that_no_output_sees_take_no_memory(x_shape, weight_shape, groups, dtype):
    """All rows of the window but the middle one lie beyond x, and petabytes between them."""
    random = np.random.default_rng(1)
    outputs, inputs, k, _ = weight_shape
    x, down, across = (
        random.integers(-8, 9, s).astype(dtype)
        for s in (x_shape, (outputs, inputs, k, 1), (outputs, inputs, 1, k))
    )
    middle = down[:, :, k // 2, None] * across
    want, _ = convolved(x, middle, None, (1, 1), ((0, 0), (k - 1, k - 1)), (1, 2), groups)
    got = forzium.conv2d(x, down * across, padding="same", dilation=(2**40, 2), groups=groups)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("channels", [1, 40])
def test_windows_that_exceed_memory(channels):
    x, weight = np.ones((1, channels, 1, 1)), np.ones((channels, channels, 3, 3))
    out = np.full(x.shape, 7.0)
    for dilation in (2**59, 2**61):
        with pytest.raises(MemoryError, match=r"conv2d: no memory for \d+ bytes of scratch"):
            forzium.conv2d(x, weight, padding="same", dilation=dilation, out=out)
    assert np.all(out == 7)


def test_weights_that_exceed_memory():
    with pytest.raises(MemoryError, match=r"conv2d: no memory for \d+ bytes of scratch"):
        forzium.conv2d(np.ones((1, 1), np.int8), np.broadcast_to(np.int8(1), (2**31, 2**31)),
                       padding=((2**31 - 1, 0), (0, 2**31 - 1)))  # fmt: skip


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "silu", "gelu", "exp", "absolute"])
@pytest.mark.parametrize("shape", [(1, 5, 9, 40), (1, 40, 9, 11)])
def test_activation_is_forziums_function(name, shape):
    x, weight = np.random.default_rng(0).standard_normal(shape), np.ones((shape[1], shape[1], 2, 2)) / 8
    want = getattr(forzium, name)(forzium.conv2d(x, weight))
    np.testing.assert_array_equal(forzium.conv2d(x, weight, activation=name), want)


@pytest.mark.parametrize("shape", [(1, 1, 9, 40), (1, 40, 9, 11)])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "float16", "int32", "bool"])
def test_images_of_other_dtypes_with_weights_of_floats(shape, dtype):
    random = np.random.default_rng(0)
    x = random.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    weight = random.integers(-8, 9, (shape[1], shape[1], 3, 3)).astype("float32")
    if dtype == "bool":
        with pytest.raises(TypeError, match="conv2d: x is bool"):
            forzium.conv2d(x, weight)
        return
    want, _ = convolved(x.astype(float), weight, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    got = forzium.conv2d(x, weight, padding=1)
    assert got.dtype == np.result_type(x, weight)
    np.testing.assert_array_equal(got, want)


def test_float16_is_summed_in_float32():
    x, weight = np.ones((64, 64), np.float16), np.full((40, 40), 0.1, np.float16)
    got = forzium.conv2d(x, weight)
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, np.float16(np.float32(np.float16(0.1)) * 1600))


@pytest.mark.parametrize("x_dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("weight_dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("channels", [1, 40])
def test_integers_are_exact_and_wrap(x_dtype, weight_dtype, channels):
    random = np.random.default_rng(0)

    def draw(shape, dtype):
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max + 1, shape).astype(dtype)

    x, weight = draw((1, channels, 20, 22), x_dtype), draw((channels, channels, 5, 5), weight_dtype)
    want, _ = convolved(x.astype(np.int64), weight.astype(np.int64), None, (1, 1), ((0, 0),) * 2, (1, 1), 1)
    got = forzium.conv2d(x, weight)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want.astype(np.int32))


WIDE_INTEGERS = ["int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("dtype", WIDE_INTEGERS)
@pytest.mark.parametrize("weight_dtype", ["int8", "uint16", *WIDE_INTEGERS])
@pytest.mark.parametrize("width", [1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100])
def test_wide_integers_wrap_as_numpys(dtype, weight_dtype, width):
    random = np.random.default_rng(width)
    x, weight = (
        random.integers(*(np.iinfo(d).min, np.iinfo(d).max), shape, d, endpoint=True)
        for d, shape in ((dtype, (1, 2, 9, width + 2)), (weight_dtype, (3, 2, 4, 3)))
    )
    want = np.result_type(x, weight)
    if want.kind == "f":  # as NumPy has it of int64 with uint64
        x, weight = x % 100, weight % 100
    sums = convolved(x.astype(want), weight.astype(want), None, (1, 1), ((0, 0),) * 2, (1, 1), 1)[0]
    got = forzium.conv2d(x, weight)
    assert got.dtype == want
    np.testing.assert_array_equal(got, sums)


@pytest.mark.parametrize("dtype", WIDE_INTEGERS)
def test_large_images_of_wide_integers(dtype):
    random = np.random.default_rng(0)
    x, weight = random.integers(0, 2**31, (700, 900), dtype), random.integers(0, 2**31, (5, 7), dtype)
    want = scipy.signal.convolve2d(x, weight)
    for _ in numbers_of_threads():
        assert_equal(forzium.convolve2d(x, weight), want)


def test_padding_in_words():
    x, weight = np.arange(30.0).reshape(5, 6), np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(forzium.conv2d(x, weight, padding="valid"), forzium.conv2d(x, weight))
    np.testing.assert_array_equal(
        forzium.conv2d(x, weight, padding="same"), forzium.conv2d(x, weight, padding=((0, 1), (1, 2)))
    )
    np.testing.assert_array_equal(
        forzium.conv2d(x, weight, padding=(1, 2)), forzium.conv2d(x, weight, padding=((1, 1), (2, 2)))
    )


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"groups": 2}, ValueError, "groups is 2"),
        ({"groups": 0}, ValueError, "groups is 0"),
        ({"stride": 0}, ValueError, "stride is 0"),
        ({"stride": (1, -1)}, ValueError, "stride is -1"),
        ({"dilation": 0}, ValueError, "dilation is 0"),
        ({"padding": -1}, ValueError, "padding is"),
        ({"padding": ((0, 0), (0, -1))}, ValueError, "padding is"),
        ({"padding": "full"}, ValueError, "padding is 'full'"),
        ({"padding": "same", "stride": 2}, ValueError, "stride is 2"),
        ({"padding": (1, 2, 3)}, ValueError, "padding has 3"),
        ({"dilation": 3}, ValueError, "window must not be larger"),
        ({"dilation": 2**62}, ValueError, "window must not be larger"),
        ({"padding": 2**62}, ValueError, "conv2d"),
        ({"layout": "CHWN"}, ValueError, "layout is 'CHWN'"),
        ({"layout": 1}, TypeError, "layout"),
        ({"activation": "nothing"}, ValueError, "activation is 'nothing'"),
        ({"activation": "isnan"}, ValueError, "activation is isnan"),
        ({"activation": "add"}, ValueError, "activation is 'add'"),
        ({"activation": 3}, TypeError, "activation is 3"),
        ({"stride": 1.5}, TypeError, "stride"),
        ({"bias": np.ones(3)}, ValueError, r"bias is \(3,\)"),
        ({"bias": np.ones((2, 1))}, ValueError, "bias is"),
    ],
)
def test_bad_options(options, kind, words):
    out = np.full((1, 2, 3, 3), 7.0)
    with pytest.raises((kind, MemoryError), match=words):
        forzium.conv2d(np.ones((1, 3, 5, 5)), np.ones((2, 3, 3, 3)), **options, out=out)
    assert np.all(out == 7)


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        ((1, 3, 5, 5), (2, 2, 3, 3)),
        ((1, 3, 5, 5), (3, 3)),
        ((5, 5), (1, 1, 3, 3)),
        ((1, 3, 5, 5), (0, 3, 3, 3)),
        ((1, 0, 5, 5), (2, 0, 3, 3)),
        ((1, 3, 0, 5), (2, 3, 1, 1)),
        ((3, 5, 5), (3, 3, 3)),
    ],
)
def test_shapes_that_do_not_fit(x, weight):
    with pytest.raises(ValueError, match=r"conv2d: .*weight is \("):
        forzium.conv2d(np.ones(x), np.ones(weight), padding=1)


def test_no_images_have_no_results():
    assert forzium.conv2d(np.ones((0, 3, 5, 5)), np.ones((2, 3, 3, 3))).shape == (0, 2, 3, 3)


@pytest.mark.parametrize("channels", [1, 3, 32])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_reach_what_sees_them(value, channels):
    for at in itertools.product([0, 11, 22], [0, 17, 39]):
        x, weight = (
            np.ones((1, channels, 23, 40), np.float32),
            np.ones((channels, channels, 3, 3), np.float32),
        )
        weight[0, 0, 1, 1] = 0
        x[0, 0][at] = value
        with np.errstate(invalid="ignore"):
            want, _ = convolved(x, weight, None, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
        np.testing.assert_array_equal(forzium.conv2d(x, weight, padding=1), want)


# ---- large windows -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [(31, 31), (41, 33), (101, 101), (5, 90), (64, 64)])
@pytest.mark.parametrize("shape", [(150, 170), (300, 700)])
def test_large_windows(dtype, kernel, shape):
    random = np.random.default_rng(1)
    x, weight = random.standard_normal(shape).astype(dtype), random.standard_normal(kernel).astype(dtype)
    want = scipy.signal.fftconvolve(
        x.astype(np.longdouble), weight[::-1, ::-1].astype(np.longdouble), "valid"
    )
    largest = np.sqrt(weight.size) * 6
    for _ in numbers_of_threads(1, 2):
        got = forzium.conv2d(x, weight)
        assert got.dtype == dtype
        assert_within(got, want, np.full(want.shape, 20 * np.finfo(dtype).eps * largest))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_windows_of_dark_images_beside_bright_ones(dtype):
    random = np.random.default_rng(2)
    weight = random.standard_normal((1, 1, 15, 15)).astype(dtype)
    for sides in ((64, 64), (200, 90)):
        images = random.standard_normal((5, 1, *sides)).astype(dtype)
        images *= np.array([1e9, 1, 0, 1e-6, 1e3], dtype)[:, None, None, None]
        got = forzium.conv2d(images, weight)
        for image, result in zip(images, got, strict=True):
            want = scipy.signal.fftconvolve(
                image[0].astype(np.longdouble), weight[0, 0, ::-1, ::-1].astype(np.longdouble), "valid"
            )
            bound = 20 * np.finfo(dtype).eps * 15 * 6 * np.abs(image).max()
            assert_within(result[0], want, np.full(want.shape, bound))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_large_windows_over_values_that_are_not_small(value):
    x, weight = np.ones((300, 420), np.float32), np.ones((41, 41), np.float32)
    x[200, 130] = value
    got = forzium.conv2d(x, weight)
    with np.errstate(invalid="ignore", over="ignore"):
        want = np.where(
            sliding_window_view(x == value if value == value else np.isnan(x), weight.shape).any(axis=(2, 3)),
            np.float32(value), np.float32(1681),
        )  # fmt: skip
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", ["full", "same"])
def test_large_windows_beyond_the_edges(mode, boundary):
    random = np.random.default_rng(1)
    x, weight = random.standard_normal((120, 140)), random.standard_normal((41, 36))
    want = scipy.signal.convolve2d(x, weight, mode, boundary)
    np.testing.assert_allclose(forzium.convolve2d(x, weight, mode, boundary), want, rtol=0, atol=1e-11)


# ---- conv1d ---------------------------------------------------------------------------------------


@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_conv1d_is_conv2d_of_one_row(problem, seed):
    x_shape, weight_shape, stride, padding, dilation, groups = problem
    random = np.random.default_rng(seed)
    x = random.integers(-8, 9, (x_shape[0], x_shape[1], x_shape[3])).astype(float)
    weight = random.integers(-8, 9, (*weight_shape[:2], weight_shape[3])).astype(float)
    bias = random.integers(-8, 9, weight_shape[0]).astype(float)
    want, _ = convolved(
        x[:, :, None],
        weight[:, :, None],
        bias,
        (1, stride[1]),
        ((0, 0), padding[1]),
        (1, dilation[1]),
        groups,
    )
    got = forzium.conv1d(
        x, weight, bias, stride=stride[1], padding=padding[1], dilation=dilation[1], groups=groups
    )
    np.testing.assert_array_equal(got, want[:, :, 0])


def test_conv1d_of_a_signal_is_numpys_correlate():
    x, weight = np.arange(50.0) % 7, np.array([1.0, -2, 3])
    np.testing.assert_array_equal(forzium.conv1d(x, weight), np.correlate(x, weight, "valid"))
    np.testing.assert_array_equal(forzium.conv1d(x, weight, padding="same"), np.correlate(x, weight, "same"))
    with pytest.raises(ValueError, match="conv1d: weight"):
        forzium.conv1d(weight, x)


# ---- SciPy's --------------------------------------------------------------------------------------


@given(
    data=st.data(),
    shapes=st.tuples(
        st.tuples(st.integers(1, 12), st.integers(1, 30)), pairs | st.tuples(*[st.integers(1, 15)] * 2)
    ),
    mode=st.sampled_from(["full", "same", "valid"]),
    boundary=st.sampled_from(["fill", "wrap", "symm"]),
    name=st.sampled_from(["convolve2d", "correlate2d"]),
    dtype=dtypes | st.sampled_from(WIDE_INTEGERS),
    fillvalue=st.sampled_from([0, 3.0]),
)
def test_convolve2d_is_scipys(data, shapes, mode, boundary, name, dtype, fillvalue):
    in1, in2 = (data.draw(integer_arrays(shape, dtype)) for shape in shapes)
    larger = [np.all(np.subtract(*order) >= 0) for order in (shapes, shapes[::-1])]
    if mode == "valid" and not any(larger):
        with pytest.raises(ValueError, match=f"{name}: in1"):
            getattr(forzium, name)(in1, in2, mode=mode)
        return
    want = getattr(scipy.signal, name)(in1, in2, mode, boundary, fillvalue)
    got = getattr(forzium, name)(in1, in2, mode, boundary, fillvalue)
    if min(in1.size, in2.size) < 196 or np.dtype(dtype).kind != "f":
        assert_equal(got, want.astype(dtype))
        return
    # Windows of 196 elements may go by Fourier transforms, whose error is one of the largest sums.
    largest = getattr(scipy.signal, name)(abs(in1), abs(in2), "full", boundary, fillvalue).max()
    np.testing.assert_allclose(got, want, rtol=0, atol=36 * np.finfo(dtype).eps * largest)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"mode": "half"}, ValueError, "mode is 'half'"),
        ({"mode": 1}, TypeError, "mode is a int"),
        ({"boundary": "reflect"}, ValueError, "boundary is 'reflect'"),
        ({"fillvalue": "x"}, TypeError, "fillvalue"),
        ({"in2": np.ones((0, 3))}, ValueError, "in2 is"),
        ({"in2": np.ones(3)}, ValueError, "in2 is"),
    ],
)
def test_convolve2d_bad_arguments(arguments, kind, words):
    with pytest.raises(kind, match="convolve2d: .*" + words):
        forzium.convolve2d(**{"in1": np.ones((4, 4)), "in2": np.ones((2, 2)), **arguments})


# Without a fill value in1 may be the window of in2; the cases on either side of that are here.
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("mode", ["full", "same"])
@pytest.mark.parametrize("fillvalue", [0, 2])
@pytest.mark.parametrize("dtype", ["float64", "int16"])
@pytest.mark.parametrize("shapes", [((2, 3), (9, 7)), ((2, 7), (9, 7)), ((2, 8), (9, 7)), ((1, 1), (30, 31))])
def test_convolve2d_by_a_larger_second_matrix(name, mode, fillvalue, dtype, shapes):
    in1, in2 = (np.arange(h * w).reshape(h, w) % 11 - 4 for h, w in shapes)
    want = getattr(scipy.signal, name)(in1, in2, mode, fillvalue=fillvalue)
    got = getattr(forzium, name)(in1.astype(dtype), in2.astype(dtype), mode, fillvalue=fillvalue)
    np.testing.assert_array_equal(got, want)


# SciPy refuses what in1's dtype cannot hold, and cuts fractions.
@pytest.mark.parametrize("fillvalue", [math.nan, math.inf, -math.inf, 0.5, 1e300, 65536, -32769])
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_convolve2d_of_integers_is_filled_with_whole_numbers(dtype, fillvalue):
    x = np.ones((4, 4), dtype)
    for function in (forzium.convolve2d, forzium.correlate2d):
        with pytest.raises(ValueError, match=r"fillvalue is .*; of integers a whole number"):
            function(x, x, fillvalue=fillvalue)


@pytest.mark.parametrize("dtype", WIDE_INTEGERS)
def test_convolve2d_of_wide_integers_is_filled_with_their_own(dtype):
    x, limits = np.arange(20, dtype=dtype).reshape(4, 5), np.iinfo(dtype)
    for fillvalue in (float(limits.max) + 1, 1.5 * limits.min - 1, 0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"fillvalue is .*; of integers a whole number of {dtype}"):
            forzium.convolve2d(x, x, fillvalue=fillvalue)
    for fillvalue in (limits.max // 2 + 1, limits.min, 70_000):
        want = scipy.signal.convolve2d(x, x, fillvalue=np.array(int(fillvalue), dtype))
        assert_equal(forzium.convolve2d(x, x, fillvalue=fillvalue), want)


def test_convolve2d_is_not_filled_with_what_float64_would_round():
    x = np.ones((3, 3), int)
    with pytest.raises(ValueError, match="fillvalue is 9007199254740993; a number that float64 holds"):
        forzium.convolve2d(x, x, fillvalue=2**53 + 1)


def test_convolutions_of_lists_are_numpys():
    got = forzium.convolve2d([[1, 2], [3, 4]], [[1, -1]])
    assert_equal(got, scipy.signal.convolve2d([[1, 2], [3, 4]], [[1, -1]]))
    assert_equal(forzium.conv1d([1, 2, 4], [1, 1]), np.array([3, 6]))


@pytest.mark.parametrize("fillvalue", [65535, -32768, 300, -1])
@pytest.mark.parametrize("dtype", ["int8", "uint16"])
def test_convolve2d_of_integers_may_be_filled_with_wider_ones(dtype, fillvalue):
    x, window = np.arange(20, dtype=dtype).reshape(4, 5), np.arange(6, dtype=dtype).reshape(2, 3)
    want = scipy.signal.convolve2d(x.astype(int), window.astype(int), fillvalue=fillvalue)
    np.testing.assert_array_equal(forzium.convolve2d(x, window, fillvalue=fillvalue), want.astype(np.int32))


@pytest.mark.parametrize("huge", [2**31, 2**62, 2**63 - 1])
@pytest.mark.parametrize("shape", [(1, 1, 4, 5), (1, 40, 4, 5)])
def test_steps_that_are_never_taken_may_be_of_any_size(huge, shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    whole, single = np.ones((3, shape[1], 3, 4)), np.ones((3, shape[1], 1, 1))
    first = np.full((1, 3, 1, 1), x[:, :, :3, :4].sum())
    np.testing.assert_array_equal(forzium.conv2d(x, whole, stride=huge), first)
    want = np.broadcast_to(x.sum(1, keepdims=True), (1, 3, 4, 5))
    np.testing.assert_array_equal(forzium.conv2d(x, single, dilation=huge), want)
    np.testing.assert_array_equal(forzium.max_pool2d(x, (3, 4), stride=huge), x[:, :, 2:3, 3:4])
    np.testing.assert_array_equal(forzium.max_pool2d(x, 1, dilation=huge), x)
    np.testing.assert_array_equal(
        forzium.avg_pool2d(x, (3, 4), stride=huge, ceil_mode=True),
        x[:, :, :3, :4].mean((2, 3), keepdims=True),
    )

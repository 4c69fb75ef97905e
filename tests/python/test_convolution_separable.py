"""Windows that are a column times a row, and some that nearly are, against sums over all their elements."""

import forzium
import numpy as np
import pytest
import scipy.signal
from oracle import assert_same, assert_within, numbers_of_threads
from test_convolution import convolved

BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
SOBEL = np.outer([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1])


def gaussian(k, width=3.0):
    row = np.exp(-(np.linspace(-width, width, k) ** 2) / 2)
    return row / row.sum()


def correlated(x, weight):
    """In long double: the sums where the window fits, and the sums of the magnitudes of their terms."""
    x, weight = x.astype(np.longdouble), weight.astype(np.longdouble)
    shape = tuple(n - k + 1 for n, k in zip(x.shape, weight.shape, strict=True))
    results = np.zeros((2, *shape), np.longdouble)
    with np.errstate(invalid="ignore"):
        for (p, q), w in np.ndenumerate(weight):
            term = w * x[p : p + shape[0], q : q + shape[1]]
            results += term, abs(term)
    return results


def check(x, weight):
    """Within the bound of sums over the whole window, and the same bits with any number of threads."""
    exact, magnitude = correlated(x, weight)
    got = forzium.conv2d(x, weight)
    assert_within(got, exact, weight.size * np.finfo(got.dtype).eps * magnitude)
    for _ in numbers_of_threads(1, 3):
        assert_same(forzium.conv2d(x, weight), got)


def image(shape, dtype=np.float64):
    """Of magnitudes from 1e-9 to 1e9."""
    random = np.random.default_rng(1)
    return (random.standard_normal(shape) * 10 ** random.uniform(-9, 9, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (9, 4), (3, 15), (15, 3), (15, 15), (29, 60)])
@pytest.mark.parametrize("shape", [(30, 40), (150, 9), (3, 2500)])
def test_products(kernel, shape, dtype):
    x = image([n + k - 1 for n, k in zip(shape, kernel, strict=True)], dtype)
    columns = [gaussian(k).astype(dtype) for k in kernel]
    check(x, np.outer(*columns))
    check(x, np.outer(columns[0], np.gradient(columns[1])).astype(dtype))
    check(x, np.full(kernel, 1 / np.prod(kernel), dtype))
    check(x, np.outer(*[np.random.default_rng(k).standard_normal(k) for k in kernel]).astype(dtype))
    check(x, (np.outer(*columns) / np.outer(*columns).sum()).astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("change", [1e-3, 1e-5, 16, 2])
@pytest.mark.parametrize("at", [(0, 0), (2, 2), (3, 1)])
def test_windows_that_are_nearly_products(at, change, dtype):
    weight = np.outer(gaussian(5), gaussian(5)).astype(dtype)
    weight[at] *= 1 + (change if change < 1 else change * np.finfo(dtype).eps)
    check(image((30, 40), dtype), weight)
    alone = np.zeros((30, 40), dtype)
    alone[10:20, 15] = 1
    check(alone, weight)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_window_of_101_in_long_rows(dtype):
    check(image((104, 300), dtype), np.outer(gaussian(101), gaussian(101)).astype(dtype))


@pytest.mark.parametrize("weight", [BINOMIAL, SOBEL, np.ones((7, 5)), BINOMIAL / 256])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_numbers_stay_exact(weight, dtype):
    x = np.random.default_rng(1).integers(0, 256, (40, 50)).astype(np.uint8)
    want = scipy.signal.correlate2d(x.astype(float), weight, "valid").astype(dtype)
    assert_same(forzium.conv2d(x, weight.astype(dtype)), want)
    assert_same(forzium.conv2d(x.astype(dtype), weight.astype(dtype)), want)


@pytest.mark.parametrize("x_dtype", ["uint8", "int16"])
@pytest.mark.parametrize("weight_dtype", ["int8", "int16", "uint16"])
def test_integers(x_dtype, weight_dtype):
    random = np.random.default_rng(1)
    limits = np.iinfo(x_dtype)
    x = random.integers(limits.min, limits.max + 1, (40, 50)).astype(x_dtype)
    weights = [np.outer(random.integers(-11, 12, 7), random.integers(-11, 12, 9)) for _ in range(5)]
    weights += [6 * np.outer([3, 2, 3, 1, 1], [1, 0, 4, 2, 5]), np.full((5, 5), np.iinfo(weight_dtype).max)]
    weights.append(BINOMIAL)
    weights[-1][1, 1] += 1
    for weight in weights:
        weight = weight.astype(weight_dtype)
        want = scipy.signal.correlate2d(x.astype(np.int64), weight.astype(np.int64), "valid").astype(np.int32)
        assert_same(forzium.conv2d(x, weight), want)


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("fillvalue", [0, 2.5])
def test_convolve2d(name, mode, boundary, fillvalue):
    x = np.random.default_rng(1).standard_normal((37, 45))
    for weight in (np.outer(gaussian(5), gaussian(8, 2)), np.outer([1, 2, 0, 5, -3], [3, 1, 4, -1, 9, 2.5])):
        for in1, in2 in ((x, weight), (weight, x))[: 2 if mode == "valid" else 1]:
            want = getattr(scipy.signal, name)(in1, in2, mode, boundary, fillvalue)
            got = getattr(forzium, name)(in1, in2, mode, boundary, fillvalue)
            terms = getattr(scipy.signal, name)(abs(in1), abs(in2), mode, boundary, fillvalue)
            assert_within(got, want, 2 * weight.size * np.finfo(float).eps * terms)


@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_options_of_layers(stride, dilation, activation, layout):
    random = np.random.default_rng(1)
    x, bias = random.integers(-8, 9, (2, 3, 40, 50)).astype(float), np.array([1.0, -2, 3, 4, 5, 6])
    rows, columns = (random.integers(-3, 4, (6, k)) for k in (5, 7))
    weight = (rows[:, None, :, None] * columns[:, None, None, :]).astype(float)
    steps = [n if isinstance(n, tuple) else (n, n) for n in (stride, dilation)]
    want, _ = convolved(x, weight, bias, steps[0], ((3, 3), (3, 3)), steps[1], 3)
    want = np.maximum(want, 0) if activation else want
    if layout == "NHWC":
        x, want = (np.ascontiguousarray(np.moveaxis(a, 1, 3)) for a in (x, want))
    out = np.full_like(want, np.nan)
    options = {"stride": stride, "dilation": dilation, "padding": 3, "groups": 3}
    options.update(activation=activation, layout=layout)
    assert_same(forzium.conv2d(x, weight, bias, **options, out=out), want)
    assert_same(out, want)
    spread = np.zeros((*want.shape[:-1], 2 * want.shape[-1]))[..., ::2]
    forzium.conv2d(x, weight, bias, **options, out=spread)
    np.testing.assert_array_equal(spread, want)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "weight", [SOBEL, SOBEL.T, np.ones((6, 6)), np.outer([0, 1, 2, 1, 0], [0, 1, -1, 1, 0])]
)
def test_non_finite_values_reach_what_sees_them(weight, value):
    for at in ((12, 20), (0, 0), (29, 39)):
        x = np.random.default_rng(1).integers(1, 9, (30, 40)).astype(float)
        x[at] = value
        x[20, 20] = np.inf
        want, _ = correlated(x, weight)
        assert_same(forzium.conv2d(x, weight.astype(float)), want.astype(float))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_overflow_where_the_whole_sum_does(dtype):
    largest, ones = np.finfo(dtype).max, np.ones((5, 5), dtype)
    x = np.full((30, 40), largest, dtype)
    assert_same(forzium.conv2d(x, ones / 32), np.full((26, 36), largest / 32 * 25))
    assert np.all(np.isposinf(forzium.conv2d(x, ones)))
    x[:, ::2] *= -1
    got = forzium.conv2d(x / 5, ones)
    np.testing.assert_allclose(np.abs(got), largest, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiny_and_huge_weights(dtype):
    limits, x = np.finfo(dtype), np.random.default_rng(1).uniform(1, 2, (30, 40)).astype(dtype)
    for scale in (limits.tiny * 1e5, limits.tiny, limits.smallest_subnormal, 1e-5, 1e9, limits.max / 2):
        weight = (np.outer(gaussian(7), gaussian(7)) * scale).astype(dtype)
        exact, magnitude = correlated(x, weight)
        bound = weight.size * (limits.eps * magnitude + limits.smallest_subnormal)
        assert_within(forzium.conv2d(x, weight), exact, bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [8, 12, 30])
def test_weights_that_fall_off_to_nothing(dtype, width):
    weight = np.outer(gaussian(13, width), gaussian(13, width)).astype(dtype)
    alone = np.zeros((50, 60), dtype)
    alone[25, 25] = 1e30
    check(alone, weight)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_weights_that_are_no_numbers_or_zero(value):
    x, weight = np.ones((30, 40)), BINOMIAL.astype(float)
    weight[3, 1] = value
    want, _ = correlated(x, weight)
    assert_same(forzium.conv2d(x, weight), want.astype(float))
    assert_same(forzium.conv2d(x, np.full((5, 5), value)), np.full((26, 36), 25 * value))

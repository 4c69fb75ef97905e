"""conv2d and max_pool2d against SciPy and NumPy's sliding windows."""

import forzium
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, arrays, awkward_values, dtypes, integer_arrays, layouts
from numpy.lib.stride_tricks import sliding_window_view
from oracle import assert_equal, assert_within, outcome

sides = st.integers(1, 12) | st.integers(1, 12) | st.integers(13, 70)


def convolved(x, weight):
    """Long double: the sums that define conv2d, and the sums of their terms' magnitudes."""
    windows = sliding_window_view(x.astype(np.longdouble), weight.shape)
    wide = weight.astype(np.longdouble)
    return np.einsum("ijpq,pq->ij", windows, wide), np.einsum("ijpq,pq->ij", np.abs(windows), np.abs(wide))


def pooled(x, window, stride=None):
    stride = stride or window
    return sliding_window_view(x, (window, window))[::stride, ::stride].max(axis=(2, 3))


# ---- conv2d ------------------------------------------------------------------------------------


@st.composite
def image_and_weight(draw, array, x_dtype, weight_dtype):
    h, w = draw(sides), draw(sides)
    kh, kw = draw(st.integers(1, min(h, 9))), draw(st.integers(1, min(w, 9)))
    return draw(array((h, w), x_dtype)), draw(array((kh, kw), weight_dtype))


@given(data=st.data(), x_dtype=dtypes, weight_dtype=dtypes)
def test_conv2d_of_whole_numbers_is_scipys(data, x_dtype, weight_dtype):
    x, weight = data.draw(image_and_weight(integer_arrays, x_dtype, weight_dtype))
    want = scipy.signal.correlate2d(x.astype(float), weight.astype(float), mode="valid")
    assert_equal(forzium.conv2d(x, weight), want.astype(np.result_type(x, weight)))


@given(data=st.data(), dtype=dtypes)
def test_conv2d_is_within_the_error_bound(data, dtype):
    x, weight = data.draw(image_and_weight(lambda s, d: arrays(s, d, specials=False), dtype, dtype))
    got = forzium.conv2d(x, weight)
    exact, magnitude = convolved(x, weight)
    limits = np.finfo(dtype)
    assert got.dtype == dtype
    assert_within(got, exact, weight.size * (limits.eps * magnitude + limits.smallest_subnormal))


@given(data=st.data(), dtype=dtypes)
def test_conv2d_writes_out_of_any_layout_and_nothing_beside_it(data, dtype):
    x, weight = data.draw(image_and_weight(integer_arrays, dtype, dtype))
    layout = data.draw(layouts([n - k + 1 for n, k in zip(x.shape, weight.shape, strict=True)]))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.conv2d(x, weight, out=got) is got
    want[...] = convolved(x, weight)[0]
    got += 0  # the sign of a zero sum is left open
    want += 0
    np.testing.assert_array_equal(got_memory, want_memory)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel", [(1, 1), (1, 7), (7, 1), (3, 3), (5, 5), (11, 13), (2, 40), (64, 64)])
@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (300, 401)])
def test_conv2d_sizes(dtype, kernel, shape):
    random = np.random.default_rng(1)
    x, weight = (random.integers(-8, 9, s).astype(dtype) for s in (shape, kernel))
    got = forzium.conv2d(x, weight)
    assert got.dtype == dtype
    want = convolved_exactly(x, weight)
    if weight.size < 196:
        np.testing.assert_array_equal(got, want)
    else:  # by way of Fourier transforms
        assert_within(got, want, np.full(want.shape, weight.size * np.finfo(dtype).eps * 64))


def convolved_exactly(x, weight):
    """Whole numbers, one shifted product for each weight."""
    rows, columns = (n - k + 1 for n, k in zip(x.shape, weight.shape, strict=True))
    total = np.zeros((rows, columns))
    for (p, q), factor in np.ndenumerate(weight):
        total += float(factor) * x[p : p + rows, q : q + columns]
    return total


@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d_of_a_large_image(dtype):
    random = np.random.default_rng(2)
    x = random.integers(-8, 9, (1001, 1203)).astype(dtype)
    for kernel in [(3, 3), (5, 2), (1001, 1), (1, 1203)]:
        weight = random.integers(-8, 9, kernel).astype(dtype)
        np.testing.assert_array_equal(forzium.conv2d(x, weight), convolved_exactly(x, weight))


@pytest.mark.parametrize("stride", [1, (1, 2), (4, 1), (8, 1)])
def test_conv2d_of_images_that_repeat_a_column_or_a_row(stride):
    weight, steps = np.array([[2.0]]), np.broadcast_to(stride, 2)
    for image in (np.arange(8.0)[:, None], np.arange(100.0)[None]):
        repeated = np.broadcast_to(image, (8, 100))
        for x in (repeated, repeated[1:2], repeated[:, 1:2]):
            assert_equal(forzium.conv2d(x, weight, stride=stride), 2 * x[:: steps[0], :: steps[1]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_conv2d_of_non_finite_values(value, dtype):
    for row, column in [(0, 0), (19, 32), (10, 31), (0, 32), (19, 0)]:
        x = np.ones((20, 33), dtype)
        x[row, column] = value
        got = forzium.conv2d(x, np.ones((3, 3), dtype))
        np.testing.assert_array_equal(got, sliding_window_view(x, (3, 3)).sum(axis=(2, 3)))


def test_conv2d_accepts_lists_keywords_and_byte_orders():
    x, weight = np.arange(12.0).reshape(3, 4), np.array([[1.0, 2], [3, 4]])
    want = scipy.signal.correlate2d(x, weight, mode="valid")
    for got in (
        forzium.conv2d(x.tolist(), weight.tolist()),
        forzium.conv2d(x=x, weight=weight, out=None),
        forzium.conv2d(x.astype(">f8"), weight.astype(">f8")),
    ):
        assert_equal(got, want)


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        ((3, 3), (4, 1)),
        ((3, 3), (1, 4)),
        ((2, 2), (3, 3)),
        ((3, 3), (0, 2)),
        ((3, 3), (2, 0)),
        ((0, 0), (1, 1)),
        ((0, 3), (1, 1)),
        ((3,), (2, 2)),
        ((3, 3), (2,)),
        ((), (2, 2)),
        ((3, 3), ()),
        ((3, 3), (1, 1, 1)),
    ],
)
def test_conv2d_shapes_that_do_not_fit(x, weight):
    out = np.full((2, 2), 7.0)
    with pytest.raises(ValueError, match=r"conv2d.*\b(x|weight)\b"):
        forzium.conv2d(np.ones(x), np.ones(weight), out=out)
    assert np.all(out == 7)


# ---- max_pool2d --------------------------------------------------------------------------------


@st.composite
def image_and_window(draw, dtype):
    h, w = draw(sides), draw(sides)
    window = draw(st.integers(1, min(h, w, 9)))
    return draw(arrays((h, w), dtype)), window, draw(st.none() | st.integers(1, 12))


@given(data=st.data(), dtype=dtypes)
def test_max_pool2d_is_the_maximum_of_each_window(data, dtype):
    x, window, stride = data.draw(image_and_window(dtype))
    got = forzium.max_pool2d(x, window, stride=stride)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, pooled(x, window, stride))


@given(data=st.data(), dtype=dtypes)
def test_max_pool2d_writes_out_of_any_layout_and_nothing_beside_it(data, dtype):
    x, window, stride = data.draw(image_and_window(dtype))
    expected = pooled(x, window, stride)
    layout = data.draw(layouts(expected.shape))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.max_pool2d(x, window, stride=stride, out=got) is got
    np.testing.assert_array_equal(got, expected)
    got[...] = want[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 7, 8, 16, 33])
def test_max_pool2d_sizes(dtype, window):
    for shape in [(64, 64), (65, 131), (33, 400), (700, 801)]:
        x = np.random.default_rng(window).standard_normal(shape).astype(dtype)
        for stride in (None, 1, window + 1):
            if x.size < 10_000 or stride != 1:
                np.testing.assert_array_equal(
                    forzium.max_pool2d(x, window, stride=stride), pooled(x, window, stride)
                )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_max_pool2d_of_special_values(dtype, value):
    for window, stride in [(2, 2), (3, 1), (3, 3)]:
        for row, column in np.ndindex(6, 19):
            x = -awkward_values(8, (6, 19), dtype, share_special=0) - 100
            x[row, column] = value
            np.testing.assert_array_equal(
                forzium.max_pool2d(x, window, stride=stride), pooled(x, window, stride)
            )
    everywhere = np.full((9, 9), value, dtype)
    np.testing.assert_array_equal(forzium.max_pool2d(everywhere, 3), everywhere[:3, :3])


def test_max_pool2d_accepts_lists_numpy_integers_and_byte_orders():
    x = np.arange(16.0).reshape(4, 4)
    for got in (
        forzium.max_pool2d(x.tolist(), 2),
        forzium.max_pool2d(x=x, window=2, stride=None, out=None),
        forzium.max_pool2d(x, np.int64(2), stride=np.int32(2)),
        forzium.max_pool2d(x.astype(">f8"), 2),
    ):
        assert_equal(got, np.array([[5.0, 7.0], [13.0, 15.0]]))


def test_max_pool2d_over_more_than_31_bits_of_elements():
    """Far apart windows in an image of 2**32 elements that lie in the memory of one row."""
    row = np.arange(2.0**16, dtype=np.float32)
    x = np.broadcast_to(row, (2**16, 2**16))
    np.testing.assert_array_equal(forzium.max_pool2d(x, 2, stride=2**15), [[1.0, 2**15 + 1.0]] * 2)


def test_max_pool2d_stride_beyond_the_image():
    x = np.arange(16.0).reshape(4, 4)
    for stride in (4, 2**31, 2**62, 2**63 - 1):
        np.testing.assert_array_equal(forzium.max_pool2d(x, 2, stride=stride), [[5.0]])


@pytest.mark.parametrize(
    ("shape", "window", "options", "kind"),
    [
        ((4, 4), 0, {}, ValueError),
        ((4, 4), -1, {}, ValueError),
        ((4, 4), 5, {}, ValueError),
        ((4, 2), 3, {}, ValueError),
        ((0, 0), 1, {}, ValueError),
        ((0, 4), 1, {}, ValueError),
        ((4,), 2, {}, ValueError),
        ((), 1, {}, ValueError),
        ((4, 4), 2, {"stride": 0}, ValueError),
        ((4, 4), 2, {"stride": -1}, ValueError),
        ((4, 4), 2**40, {}, ValueError),
        ((4, 4), 2**70, {}, (ValueError, OverflowError)),
        ((4, 4), -(2**70), {}, (ValueError, OverflowError)),
        ((4, 4), 2, {"stride": 2**70}, (ValueError, OverflowError)),
        ((4, 4), 2.0, {}, TypeError),
        ((4, 4), "2", {}, TypeError),
        ((4, 4), None, {}, TypeError),
        ((4, 4), 2, {"stride": 1.5}, TypeError),
    ],
)
def test_max_pool2d_bad_arguments(shape, window, options, kind):
    out = np.full((2, 2), 7.0)
    with pytest.raises(kind, match=r"max_pool2d.*\b(x|window|stride)\b"):
        forzium.max_pool2d(np.ones(shape), window, **options, out=out)
    assert np.all(out == 7)


def test_max_pool2d_oblong_window_is_pooled_or_refused():
    x = np.arange(24.0).reshape(4, 6)
    got, error = outcome(lambda: forzium.max_pool2d(x, (2, 3)))
    if error is None:
        np.testing.assert_array_equal(got, [[8.0, 11.0], [20.0, 23.0]])
    else:
        assert isinstance(error, (TypeError, ValueError))
        assert "window" in str(error)


@pytest.mark.parametrize("call", [lambda x, out: forzium.conv2d(x, np.array([[2.0]]), out=out),
                                  lambda x, out: forzium.max_pool2d(x, 1, out=out)])  # fmt: skip
def test_overlapping_out_is_refused_or_as_with_copies(call):
    for window in (np.s_[:8], np.s_[1:9], np.s_[7::-1]):
        memory = awkward_values(1, (10, 10), "float64", share_special=0)
        before = memory.copy()
        _, error = outcome(lambda memory=memory, window=window: call(memory[:8], memory[window]))
        if error is None:
            factor = 2 if np.any(memory[window] != before[:8]) else 1
            np.testing.assert_array_equal(memory[window], before[:8] * factor)
        else:
            assert isinstance(error, ValueError)
            assert "out" in str(error)
            np.testing.assert_array_equal(memory, before)

"""Layers that have ways of their own: windows of one pixel, depthwise ones of channels side by side. Products
of operands that begin anywhere in a line of the cache. Of small integers, whose sums are exact in any order.
"""

import itertools

import forzium
import numpy as np
import pytest

CHANNELS = [1, 2, 3, 7, 8, 15, 16, 17, 33, 64]


def integers(shape, seed, dtype):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def convolved(x, weight, bias=None, stride=1, padding=((0, 0), (0, 0)), dilation=1, groups=1):
    """In int64, tap by tap; NCHW."""
    x, weight = x.astype(np.int64), weight.astype(np.int64)
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    (down, across), (p_step, q_step) = pair(stride), pair(dilation)
    outputs, channels, height, width = weight.shape
    rows = (x.shape[2] - (height - 1) * p_step - 1) // down + 1
    columns = (x.shape[3] - (width - 1) * q_step - 1) // across + 1
    x = x.reshape(len(x), groups, channels, *x.shape[2:])
    weight = weight.reshape(groups, outputs // groups, channels, height, width)
    out = np.zeros((len(x), groups, outputs // groups, rows, columns), np.int64)
    for p, q in np.ndindex(height, width):
        seen = x[:, :, :, p * p_step :, q * q_step :][:, :, :, ::down, ::across][:, :, :, :rows, :columns]
        out += np.einsum("ngchw,goc->ngohw", seen, weight[..., p, q])
    out = out.reshape(len(x), outputs, rows, columns)
    return out if bias is None else out + bias.astype(np.int64)[:, None, None]


def to_layout(x, layout):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if layout == "NHWC" else x


# ---- windows of one pixel ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("outputs", CHANNELS)
def test_windows_of_one_pixel(outputs, layout, dtype):
    for channels, (images, height, width) in itertools.product(
        CHANNELS, [(1, 1, 1), (1, 5, 7), (2, 4, 16), (3, 1, 49), (1, 9, 33)]
    ):
        x = integers((images, channels, height, width), channels, dtype)
        weight, bias = integers((outputs, channels, 1, 1), 1, dtype), integers((outputs,), 2, "f8")
        want = to_layout(np.maximum(convolved(x, weight, bias), 0), layout)
        got = forzium.conv2d(
            to_layout(x, layout), weight, bias.astype(dtype), layout=layout, activation="relu"
        )
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(
            forzium.conv2d(to_layout(x, layout), weight, layout=layout),
            to_layout(convolved(x, weight), layout),
        )


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_windows_of_one_pixel_of_views_into_views(layout):
    x, weight = integers((2, 40, 12, 18), 0, "f4"), integers((34, 20, 1, 1), 1, "f4")
    views = [
        lambda x: x[:, ::2],
        lambda x: x[:, 19::-1],
        lambda x: x[:, :20, ::2],
        lambda x: x[:, :20, :, 1:-1],
        lambda x: x[::-1, 20:, ::-1, ::-1],
        lambda x: x[:, :20].transpose(0, 1, 3, 2),
        lambda x: np.broadcast_to(x[:1, :20], (3, 20, 12, 18)),
    ]
    for view in views:
        seen = view(x)
        want = convolved(seen, weight)
        if layout == "NHWC":
            seen, want = seen.transpose(0, 2, 3, 1), want.transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(forzium.conv2d(seen, weight, layout=layout), want)
        memory = np.full([2 * n for n in want.shape], 99, "f4")
        out = memory[tuple(slice(None, None, 2) for _ in want.shape)]
        forzium.conv2d(seen, weight, layout=layout, out=out)
        np.testing.assert_array_equal(out, want)
        out[...] = 99
        assert (memory == 99).all()
        turned = np.empty(want.shape[::-1], "f4").T
        forzium.conv2d(seen, weight, layout=layout, out=turned)
        np.testing.assert_array_equal(turned, want)


def test_windows_of_one_pixel_of_other_dtypes():
    x, weight = integers((1, 20, 3, 5), 0, "f8"), integers((18, 20, 1, 1), 1, "f8")
    want = convolved(x, weight)
    for dtypes in itertools.product(["f2", "f4", "f8", "i1", "u1", "i2"], repeat=2):
        a, b = (abs(array).astype(dtype) for array, dtype in zip((x, weight), dtypes, strict=True))
        np.testing.assert_array_equal(forzium.conv2d(a, b), convolved(a, b))
    bias = integers((18,), 2, "f2")
    np.testing.assert_array_equal(
        forzium.conv2d(x.astype("f4"), weight.astype("f4"), bias[::-1]), want + bias[::-1, None, None]
    )
    np.testing.assert_array_equal(forzium.conv1d(x[:, :, 0], weight[..., 0]), want[:, :, 0])


# ---- depthwise, channels side by side ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("channels", [1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 40])
def test_depthwise_with_channels_last(channels, dtype):
    random = np.random.default_rng(channels)
    for _ in range(60):
        height, width = (int(n) for n in random.integers(1, 6, 2))
        stride, dilation = (tuple(int(n) for n in random.integers(1, 4, 2)) for _ in range(2))
        padding = tuple(tuple(int(n) for n in random.integers(0, 5, 2)) for _ in range(2))
        images, rows, columns = (int(n) for n in random.integers(1, (4, 12, 20)))
        reach = [(n - 1) * d + 1 for n, d in zip((height, width), dilation, strict=True)]
        if any(n + sum(p) < r for n, p, r in zip((rows, columns), padding, reach, strict=True)):
            continue
        x = integers((images, channels, rows, columns), 0, dtype)
        weight, bias = integers((channels, 1, height, width), 1, dtype), integers((channels,), 2, dtype)
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
        want = np.maximum(convolved(x, weight, bias, **options), 0).transpose(0, 2, 3, 1)
        seen = to_layout(x, "NHWC")
        got = forzium.conv2d(seen, weight, bias, layout="NHWC", activation="relu", **options)
        np.testing.assert_array_equal(got, want, str(options))
        wide = np.full((*want.shape[:3], channels + 3), 99, dtype)
        forzium.conv2d(
            seen, weight, bias, layout="NHWC", activation="relu", out=wide[..., :channels], **options
        )
        np.testing.assert_array_equal(wide[..., :channels], want)
        assert (wide[..., channels:] == 99).all()


def test_depthwise_of_views_with_channels_last():
    memory, weight = integers((4, 18, 20, 70), 0, "f4"), integers((33, 1, 3, 3), 1, "f4")
    for x in (
        memory[:, :, :, :33],
        memory[:, :, :, 5:38],
        memory[::2, ::2, ::3, 1:34],
        memory[::-1, ::-1, ::-1, :33],
        memory[..., ::2][..., :33],
        memory.transpose(0, 2, 1, 3)[..., :33],
    ):
        want = convolved(x.transpose(0, 3, 1, 2), weight, padding=((1, 1), (1, 1)), groups=33)
        got = forzium.conv2d(x, weight, padding=1, groups=33, layout="NHWC")
        np.testing.assert_array_equal(got, want.transpose(0, 2, 3, 1))


def test_depthwise_with_channels_last_has_the_same_bits_on_any_number_of_threads():
    random = np.random.default_rng(0)
    x, weight = random.random((2, 37, 41, 50), "f4"), random.random((50, 1, 5, 4), "f4")
    results = []
    for threads in (1, 2, 3, 7):
        forzium.set_num_threads(threads)
        results.append(forzium.conv2d(x, weight, padding=2, groups=50, layout="NHWC").tobytes())
    assert len(set(results)) == 1


# ---- products of operands that begin anywhere -------------------------------------------------------------


def begins_at(x, offset, gap=0):
    """A copy that begins `offset` elements behind a line of the cache, and has a gap behind each row."""
    rows, columns = x.shape
    memory = np.full(rows * (columns + gap) + 200, 9, x.dtype)
    first = -memory.ctypes.data % 64 // x.itemsize + offset
    view = memory[first : first + rows * (columns + gap)].reshape(rows, columns + gap)[:, :columns]
    view[...] = x
    return view


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (97, 128, 131),
        (128, 128, 128),
        (100, 256, 96),
        (200, 190, 210),
        (130, 300, 50),
        (5, 90, 3000),
        (50, 200, 2000),
        (64, 600, 1500),
        (33, 1, 2500),
        (8, 257, 4100),
    ],
)
def test_products_of_operands_that_begin_anywhere(m, k, n, dtype):
    a, b = integers((m, k), 0, dtype), integers((k, n), 1, dtype)
    want = (
        (a.astype(np.int64) @ b.astype(np.int64)).astype(dtype)
        if m * k * n < 3e6
        else a.astype("f8") @ b.astype("f8")
    )
    for offset, gap in itertools.product((0, 1, 4, 64 // np.dtype(dtype).itemsize - 1), (0, 1, 16)):
        out = begins_at(np.zeros((m, n), dtype), (offset + 3) % 8, gap)
        forzium.matmul(begins_at(a, 2 * offset % 7, gap), begins_at(b, offset, gap), out=out)
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize(
    ("m", "k", "n"), [(128, 128, 128), (200, 190, 210), (50, 200, 3000), (16, 300, 5000)]
)
def test_products_have_the_same_bits_on_any_number_of_threads(m, k, n):
    random = np.random.default_rng(0)
    for offset in (0, 4):
        a, b = (begins_at(random.random(shape, "f4"), offset) for shape in ((m, k), (k, n)))
        results = []
        for threads in (1, 2, 3, 7):
            forzium.set_num_threads(threads)
            results.append(forzium.matmul(a, b).tobytes())
        assert len(set(results)) == 1


# ---- powers that underflow --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n", [1, 4, 15, 16, 17, 100])
def test_softmax_of_rows_with_masks_and_distant_elements(n, dtype):
    least = -87 if dtype == "f4" else -708
    x = np.random.default_rng(n).standard_normal((40, n)).astype(dtype)
    x[1::4, ::2], x[2::4, 1:] = -np.inf, 1.2 * least
    x[3::4, 1:] = least - np.arange(n - 1) / 5
    x[1::4, 0] = 0
    wide = x.astype(np.longdouble)
    powers = np.exp(wide - wide.max(-1, keepdims=True))
    want = powers / powers.sum(-1, keepdims=True)
    got = forzium.softmax(x)
    smallest = np.finfo(dtype).smallest_subnormal
    np.testing.assert_allclose(got, want.astype(dtype), 6 * np.finfo(dtype).eps, 2 * smallest)
    assert (got[np.isneginf(x)] == 0).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_functions_of_e_where_their_powers_vanish(dtype):
    huge = float(np.finfo(dtype).max)
    x = np.array([50, 100, 120, 700, 800, 1e5, huge, np.inf] * 5).astype(dtype)
    np.testing.assert_array_equal(forzium.sigmoid(x), np.ones_like(x))
    np.testing.assert_array_equal(forzium.silu(x), x)
    far = -x[x > 780]
    for got in (forzium.exp(far), forzium.sigmoid(far), forzium.silu(far[far > -np.inf])):
        assert (got == 0).all()
    assert np.signbit(forzium.silu(far[far > -np.inf])).all()
    few = np.linspace(-104, -80, 500).astype("f4") if dtype == "f4" else np.linspace(-745, -700, 500)
    smallest = np.finfo(dtype).smallest_subnormal
    np.testing.assert_allclose(
        forzium.exp(few), np.exp(few.astype(np.longdouble)).astype(dtype), np.finfo(dtype).eps, smallest
    )
    assert np.isnan(forzium.exp(np.array([np.nan] * 17, dtype))).all()

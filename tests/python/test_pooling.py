"""Pooling with all of its options against windows written out, of every dtype."""

import functools
import math
import sys

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import layouts

DTYPES = [
    "float32", "float64", "float16", "uint8", "int8", "int16", "uint16", "int32", "int64", "uint64", "bool",
]  # fmt: skip
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4)) | st.tuples(st.integers(1, 9), st.integers(1, 9))


def count_outputs(n, window, stride, padding, dilation, ceil_mode):
    left = n + 2 * padding - dilation * (window - 1) - 1
    count = (math.ceil if ceil_mode else math.floor)(left / stride) + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= n + padding else count


def windows_of(x, window, stride, padding, dilation, ceil_mode):
    """Each output's index, and the slices of x and of the padded x that it sees."""
    counts = [
        count_outputs(*a, ceil_mode)
        for a in zip(x.shape[-2:], window, stride, padding, dilation, strict=True)
    ]
    for index in np.ndindex(*counts):
        inside, size = [], 1
        for d, i in enumerate(index):
            start = i * stride[d] - padding[d]
            places = start + dilation[d] * np.arange(window[d])
            inside.append(places[(places >= 0) & (places < x.shape[d - 2])])
            size *= np.sum(places < x.shape[d - 2] + padding[d])
        yield index, counts, x[..., inside[0][:, None], inside[1]], size


def pooled(reduce, dtype, x, *options):
    results = {index: reduce(seen, size) for index, counts, seen, size in windows_of(x, *options)}
    counts = [max(i) + 1 for i in zip(*results, strict=True)]
    out = np.empty((*x.shape[:-2], *counts), dtype)
    for (i, j), value in results.items():
        out[..., i, j] = value
    return out


@st.composite
def problems(draw, dilated):
    window, stride = draw(pairs), draw(pairs)
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)
    sides = [max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 12))
             for d, k, p in zip(dilation, window, padding, strict=True)]  # fmt: skip
    return (
        draw(st.sampled_from([(), (3,), (2, 3)])),
        sides,
        (window, stride, padding, dilation, draw(st.booleans())),
    )


def draw_planes(seed, shape, dtype):
    return np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def place(data, planes, dtype, last):
    """Channels moved last in memory and shape, where asked for, in any layout."""
    values = np.moveaxis(planes, -3, -1) if last else planes
    return data.draw(layouts(values.shape)).place(np.ascontiguousarray(values))


@given(data=st.data(), problem=problems(dilated=True), dtype=st.sampled_from(DTYPES), last=st.booleans(),
       seed=st.integers(0, 2**32 - 1))  # fmt: skip
def test_max_pool2d_options(data, problem, dtype, last, seed):
    outer, sides, options = problem
    window, stride, padding, dilation, ceil_mode = options
    planes = (
        np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 100, (*outer, *sides)).astype(dtype)
    )
    last = last and bool(outer)
    least = -np.inf if planes.dtype.kind == "f" else False if dtype == "bool" else np.iinfo(dtype).min
    want = pooled(lambda seen, size: seen.max(axis=(-2, -1), initial=least), dtype, planes, *options)
    want = np.moveaxis(want, -3, -1) if last else want
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    arguments["layout"] = "NHWC" if last else "NCHW"
    x = place(data, planes, dtype, last)
    got = forzium.max_pool2d(x, window, **arguments)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, want)
    out, _ = data.draw(layouts(want.shape)).allocate(dtype)
    assert forzium.max_pool2d(x, window, **arguments, out=out) is out
    np.testing.assert_array_equal(out, want)


@given(data=st.data(), problem=problems(dilated=False), dtype=st.sampled_from(DTYPES), last=st.booleans(),
       include=st.booleans(), seed=st.integers(0, 2**32 - 1))  # fmt: skip
def test_avg_pool2d_options(data, problem, dtype, last, include, seed):
    outer, sides, options = problem
    window, stride, padding, _, ceil_mode = options
    planes = (
        np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 100, (*outer, *sides)).astype(dtype)
    )
    last = last and bool(outer)

    def mean(seen, size):
        return seen.sum(axis=(-2, -1), dtype=float) / (
            size if include else seen[..., :, :].shape[-1] * seen.shape[-2]
        )

    result = dtype if dtype.startswith("float") else "float64"
    exact = np.float32 if dtype in ("float16", "float32") else np.float64
    want = pooled(mean, exact, planes, *options).astype(result)
    want = np.moveaxis(want, -3, -1) if last else want
    got = forzium.avg_pool2d(place(data, planes, dtype, last), window, stride=stride, padding=padding,
                             ceil_mode=ceil_mode, count_include_pad=include,
                             layout="NHWC" if last else "NCHW")  # fmt: skip
    assert got.dtype == result
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("window", [3, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_non_finite_values_stay_in_their_windows(value, window, stride):
    x = np.ones((31, 45), np.float32)
    x[14, 22] = value
    options = ((window,) * 2, (stride,) * 2, (1, 1), (1, 1), False)
    for name, reduce in (
        ("max", lambda seen, size: seen.max()),
        ("avg", lambda seen, size: seen.sum() / size),
    ):
        got = getattr(forzium, f"{name}_pool2d")(x, window, stride=stride, padding=1)
        np.testing.assert_allclose(got, pooled(reduce, np.float32, x, *options), rtol=1e-6)


def test_means_of_large_windows_are_accurate():
    x = np.random.default_rng(0).random((200, 220)).astype(np.float32)
    x[:20, :20] = 1e8  # would drown a running sum
    want = np.lib.stride_tricks.sliding_window_view(x.astype(float), (31, 31)).mean(axis=(2, 3))
    np.testing.assert_allclose(forzium.avg_pool2d(x, 31, stride=1), want, rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int64"])
@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (3, 14, 12), (5, 1), (1, 40, 41, 43), (2, 140, 105)])
def test_global_and_adaptive(dtype, shape):
    x = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    np.testing.assert_allclose(
        forzium.global_avg_pool2d(x), x.mean((-2, -1), keepdims=True), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(forzium.global_max_pool2d(x), x.max((-2, -1), keepdims=True))
    for size in (1, (2, 3), (7, 5)):
        h, w = (size, size) if isinstance(size, int) else size
        want = np.empty((*shape[:-2], h, w))
        for i, j in np.ndindex(h, w):
            rows = slice(i * shape[-2] // h, -(-(i + 1) * shape[-2] // h))
            columns = slice(j * shape[-1] // w, -(-(j + 1) * shape[-1] // w))
            want[..., i, j] = x[..., rows, columns].mean(axis=(-2, -1), dtype=float)
        np.testing.assert_allclose(forzium.adaptive_avg_pool2d(x, size), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 7, 9, 3), (14, 13, 5), (5, 4), (3, 12, 14, 5), (12, 8, 3)])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_global_and_adaptive_by_channels_into_out(shape, dtype):
    """Channels last gives what channels first gives, and goes where it is told to, strided or not."""
    x = np.random.default_rng(1).integers(0, 99, shape).astype(dtype)
    last = x.ndim > 2
    planes = np.moveaxis(x, -1, -3) if last else x
    for pool, arguments in (
        (forzium.global_max_pool2d, ()),
        (forzium.global_avg_pool2d, ()),
        (forzium.adaptive_avg_pool2d, ((3, 2),)),
    ):
        want = pool(np.ascontiguousarray(planes), *arguments)
        want = np.moveaxis(want, -3, -1) if last else want
        np.testing.assert_allclose(pool(x, *arguments, layout="NHWC"), want, rtol=1e-6)
        out = np.full((*want.shape[:-1], 2 * want.shape[-1]), 7, want.dtype)[..., ::2]
        assert pool(x, *arguments, layout="NHWC", out=out) is out
        np.testing.assert_allclose(out, want, rtol=1e-6)
        with pytest.raises(ValueError, match=f"{pool.__name__}: layout is 'HWC'"):
            pool(x, *arguments, layout="HWC")
        with pytest.raises(ValueError, match=pool.__name__):
            pool(x, *arguments, out=np.empty((2, 2, 2)))


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("window", [2, 3, (4, 4), (2, 5), 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_layouts_and_strides_give_the_same_bits(name, window, stride):
    """However x lies in memory, sums are added up in the same order."""
    pool = getattr(forzium, name)
    x = np.random.default_rng(2).standard_normal((3, 40, 90)).astype(np.float32)
    want = pool(x, window, stride=stride, padding=1)
    spread = np.empty((3, 80, 180), np.float32)[:, ::2, ::2]
    spread[...] = x
    pixels = np.ascontiguousarray(np.moveaxis(x, 0, -1))
    np.testing.assert_array_equal(pool(spread, window, stride=stride, padding=1), want)
    np.testing.assert_array_equal(
        pool(x[:, :, ::-1].copy()[:, :, ::-1], window, stride=stride, padding=1), want
    )
    got = pool(pixels, window, stride=stride, padding=1, layout="NHWC")
    np.testing.assert_array_equal(np.moveaxis(got, -1, 0), want)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("shape", [(5, 14, 14), (2, 7, 6), (3, 5, 2), (2, 14, 15), (2, 3000, 14)])
@pytest.mark.parametrize(("rows", "step"), [(2, 2), (3, 1), (2, 3), (5, 4)])
def test_short_rows(dtype, shape, rows, step):
    x = np.random.default_rng(4).integers(-99, 99, shape).astype(dtype)
    for laid in (x, np.asfortranarray(x), x[:, ::-1]):
        seen = np.lib.stride_tricks.sliding_window_view(laid, (rows, 2), axis=(1, 2))[:, ::step, ::2]
        got = forzium.max_pool2d(laid, (rows, 2), stride=(step, 2))
        np.testing.assert_array_equal(got, seen.max((-2, -1)))
        means = forzium.avg_pool2d(laid, (rows, 2), stride=(step, 2))
        np.testing.assert_allclose(means, seen.mean((-2, -1)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8"])
@pytest.mark.parametrize("shape", [(1, 9, 11, 67), (2, 7, 8, 128), (1, 131, 197, 1), (1, 2401, 2403, 1)])
@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 2, 0)])
def test_pixels_of_many_channels_and_large_images(dtype, shape, window, stride, padding):
    """Whole vectors of channels and a rest; images of one channel, also larger than caches."""
    x = np.random.default_rng(5).integers(0, 99, shape).astype(dtype)
    edge = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    padded = np.pad(x, edge, constant_values=0)  # no element is less
    n = [(padded.shape[d] - window) // stride + 1 for d in (1, 2)]
    seen = [
        padded[:, p : p + stride * n[0] : stride, q : q + stride * n[1] : stride][:, : n[0], : n[1]]
        for p in range(window)
        for q in range(window)
    ]
    options = {"stride": stride, "padding": padding, "layout": "NHWC"}
    got = forzium.max_pool2d(x, window, **options)
    assert np.array_equal(got, functools.reduce(np.maximum, seen))
    if got.dtype.kind == "f":
        means = functools.reduce(np.add, seen) / np.asarray(window**2, dtype)
        assert np.array_equal(forzium.avg_pool2d(x, window, **options), means)


@pytest.mark.parametrize("window", [(4, 5), (17, 33), (64, 2), (100, 100)])
def test_large_windows_at_steps_of_one(window):
    """Whole numbers, so that sums are exact in any order."""
    x = np.random.default_rng(3).integers(-99, 99, (120, 131)).astype(np.float64)
    seen = np.lib.stride_tricks.sliding_window_view(x, window)
    np.testing.assert_array_equal(forzium.max_pool2d(x, window, stride=1), seen.max((2, 3)))
    np.testing.assert_array_equal(forzium.avg_pool2d(x, window, stride=1), seen.sum((2, 3)) / np.prod(window))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [100, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_tall_windows_on_wide_images(rows, channels, dtype):
    """More rows at a time than stay close: columns go in strips, of whole pixels."""
    x = np.random.default_rng(3).integers(-99, 99, (170, 9000 // channels, channels)).astype(dtype)
    seen = np.lib.stride_tricks.sliding_window_view(x, rows, axis=0)
    largest, total = seen.max(-1), seen.sum(-1)
    wanted = {
        forzium.max_pool2d: np.maximum(largest[:, 1:], largest[:, :-1]),
        forzium.avg_pool2d: (total[:, 1:] + total[:, :-1]) / (2 * rows),
    }
    for laid in (x, x[:, ::-1].copy()[:, ::-1], x.astype("int32")):
        for pool, want in wanted.items():
            got = pool(laid, (rows, 2), stride=1, layout="NHWC")
            np.testing.assert_array_equal(got.astype(dtype), want)


TALL = """
    import resource, numpy as np, forzium

    x = np.broadcast_to((np.arange(10_000) % 8).astype(np.float32), (8001, 10_000))
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
    for pool in (forzium.max_pool2d, forzium.avg_pool2d):
        np.testing.assert_array_equal(pool(x, (8000, 1), stride=1), x[:2])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")
def test_tall_windows_do_not_hold_all_of_their_rows(run_python, under_sanitizer):
    """Those would be 320 MB."""
    if under_sanitizer:
        pytest.skip("a sanitizer's own address space exceeds any limit")
    run_python(TALL)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("window", "padding", "stride", "shape"),
    [
        (2**61, 2**60, 2**61, (1, 1)),
        ((1, 2**61), (0, 2**60), 3, (1, 1)),
        ((2**61, 3), (2**60, 1), 1, (3, 2)),
    ],
)
def test_windows_that_exceed_memory(name, window, padding, stride, shape):
    out = np.full(shape, 7.0)
    with pytest.raises(MemoryError, match=rf"{name}: no memory for \d+ bytes of scratch"):
        getattr(forzium, name)(np.ones((2, 2)), window, padding=padding, stride=stride, out=out)
    assert np.all(out == 7)


def test_windows_of_any_number_of_rows():
    """Rows beyond x are neither stored nor visited; those of a mean are counted."""
    x = np.arange(8.0).reshape(2, 4)
    options = {"padding": (2**60, 0), "stride": 2**61}
    np.testing.assert_array_equal(forzium.max_pool2d(x, (2**61, 4), **options), [[7]])
    np.testing.assert_array_equal(
        forzium.avg_pool2d(x, (2**61, 4), **options, count_include_pad=False), [[x.mean()]]
    )
    np.testing.assert_array_equal(forzium.avg_pool2d(x, (2**61, 4), **options), [[x.sum() / 2.0**63]])


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"padding": 2}, ValueError, "padding is 2 and window is 3"),
        ({"padding": -1}, ValueError, "padding is -1"),
        ({"stride": (1, 0)}, ValueError, "stride is 0"),
        ({"window": (3, 0)}, ValueError, "window is 0"),
        ({"window": (1, 2, 3)}, ValueError, "window has 3 entries"),
        ({"window": 6}, ValueError, r"window is 6 and x is \(2, 5, 5\)"),
        ({"layout": "HWC"}, ValueError, "layout is 'HWC'"),
    ],
)
def test_bad_options(name, options, kind, words):
    out = np.full((2, 1, 1), 7.0)
    with pytest.raises(kind, match=f"{name}: .*{words}"):
        getattr(forzium, name)(np.ones((2, 5, 5)), **{"window": 3, **options}, out=out)
    assert np.all(out == 7)


def test_adaptive_refuses():
    with pytest.raises(ValueError, match="adaptive_avg_pool2d: size is"):
        forzium.adaptive_avg_pool2d(np.ones((3, 3)), 0)
    with pytest.raises(ValueError, match="adaptive_avg_pool2d: x is"):
        forzium.adaptive_avg_pool2d(np.ones(3), 1)
    with pytest.raises(ValueError, match="global_avg_pool2d: x has 1 axes"):
        forzium.global_avg_pool2d(np.ones(3))
    with pytest.raises(ValueError, match="global_max_pool2d: x has images of no element"):
        forzium.global_max_pool2d(np.ones((2, 0, 3)))

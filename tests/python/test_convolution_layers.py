"""Layers with ways of their own: windows of one pixel, and depthwise ones with their channels last. Of whole
numbers, whose sums are exact, beside sums written out; of reals beside long double and PyTorch."""

import forzium
import numpy as np
import pytest
from activations import ACTIVATIONS, assert_activated
from layouts import Layout
from oracle import assert_same, assert_within, numbers_of_threads
from test_convolution import windows_of

FLOATS = ["float32", "float64"]
LAYOUTS = ["NCHW", "NHWC"]
BIASES = [None, "float32", "float64", "float16", "int16"]


def whole(random, shape, dtype):
    return random.integers(-8, 9, shape).astype(dtype)


def draw_layout(random, shape):
    """Half of them in the order of their axes; with steps and gaps along any axis."""
    axes = len(shape)
    order = range(axes) if random.random() < 0.5 else random.permutation(axes).tolist()
    steps = random.choice([1, 1, 1, 1, -1, 2, -2, 3], axes).tolist()
    return Layout(tuple(shape), tuple(order), tuple(steps), int(random.choice([0, 4, 8, 1])))


def in_order(planes, layout):
    """Planes as images of this layout, contiguous."""
    return np.ascontiguousarray(np.moveaxis(planes, 1, 3) if layout == "NHWC" else planes)


def pointwise(planes, weight, bias=None):
    """Sums over channels, of whole numbers in float64."""
    sums = np.tensordot(weight[:, :, 0, 0].astype(float), planes.astype(float), (1, 1)).swapaxes(0, 1)
    return sums if bias is None else sums + bias.astype(float)[:, None, None]


def depthwise(planes, weight, bias, stride, zeros, dilation):
    """In the dtype of the planes, whose windows each have one filter or several."""
    channels = planes.shape[1]
    windows = windows_of(planes, weight.shape[2:], stride, zeros, dilation)
    filters = weight.reshape(channels, -1, *weight.shape[2:]).astype(planes.dtype)
    sums = np.einsum("ncijpq,cmpq->ncmij", windows, filters)
    sums = sums.reshape(len(planes), len(weight), *sums.shape[3:])
    return sums if bias is None else sums + bias.astype(planes.dtype)[:, None, None]


def assert_written(call, layout, sums, activation, dtype):
    """Into an out of this layout, and nothing beside it."""
    (out, got_memory), (zeros, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert call(out=out) is out
    assert_activated(out, sums, activation, dtype)
    out[...] = zeros[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory, "wrote beside out")


def check_layer(random, planes, weight, sums_of, options, layout, dtype, activation, bias):
    """An x, a weight, a bias and an out that lie anyhow."""
    x = in_order(planes, layout)
    x = draw_layout(random, x.shape).place(x)
    weight = draw_layout(random, weight.shape).place(weight) if random.random() < 0.3 else weight
    bias = None if bias is None else draw_layout(random, weight.shape[:1]).place(
        whole(random, weight.shape[:1], bias)
    )  # fmt: skip
    sums = in_order(sums_of(bias), layout).astype(np.int64)
    options = {**options, "layout": layout, "activation": activation}
    assert_activated(forzium.conv2d(x, weight, bias, **options), sums, activation, dtype)
    assert_written(
        lambda out: forzium.conv2d(x, weight, bias, **options, out=out),
        draw_layout(random, sums.shape), sums, activation, dtype,
    )  # fmt: skip


# ---- windows of one pixel ----------------------------------------------------------------------------

CHANNELS = [1, 2, 3, 7, 8, 15, 16, 17, 33, 64]


def draw_image(random):
    """Up to 50 pixels in a row, in a column, or in an image."""
    if random.random() < 0.5:
        return tuple(random.integers(1, 8, 2).tolist())
    pixels = int(random.integers(1, 51))
    return (1, pixels) if random.random() < 0.5 else (pixels, 1)


def check_pointwise(random, x_shape, outputs, layout, dtype):
    planes, weight = whole(random, x_shape, dtype), whole(random, (outputs, x_shape[1], 1, 1), dtype)
    want = in_order(pointwise(planes, weight), layout).astype(dtype)
    np.testing.assert_array_equal(forzium.conv2d(in_order(planes, layout), weight, layout=layout), want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_pointwise_channels(channels, layout, dtype):
    random = np.random.default_rng(channels)
    for outputs in CHANNELS:
        for batch in (1, 2, 3):
            check_pointwise(random, (batch, channels, *draw_image(random)), outputs, layout, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("channels", "outputs"), [(3, 17), (17, 8), (33, 33)])
def test_pointwise_pixels(channels, outputs, layout, dtype):
    random = np.random.default_rng(1)
    for pixels in range(1, 51):
        check_pointwise(random, (1 + pixels % 2, channels, 1, pixels), outputs, layout, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [257, 600, 2049, 5001])
def test_pointwise_of_many_channels(channels, layout, dtype):
    random = np.random.default_rng(1)
    for outputs, image in [(1, (5, 7)), (17, (1, 1)), (64, (3, 5)), (3, (9, 11)), (200, (6, 1))]:
        check_pointwise(random, (2, channels, *image), outputs, layout, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("x_shape", "outputs"),
    [((1, 5, 150, 151), 9), ((2, 65, 57, 59), 70), ((1, 130, 28, 28), 257), ((3, 40, 3, 701), 33)],
)
def test_pointwise_of_many_pixels(x_shape, outputs, layout, dtype):
    check_pointwise(np.random.default_rng(1), x_shape, outputs, layout, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_pointwise_options(channels, layout, dtype):
    random = np.random.default_rng(channels + 100)
    for case in range(20):
        planes = whole(random, (random.integers(1, 4), channels, *draw_image(random)), dtype)
        weight = whole(random, (random.choice(CHANNELS), channels, 1, 1), dtype)
        activation = ACTIVATIONS[case % len(ACTIVATIONS)] if case % 3 else None
        check_layer(
            random, planes, weight, lambda bias, x=planes, w=weight: pointwise(x, w, bias),
            {}, layout, dtype, activation, BIASES[case % len(BIASES)],
        )  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", CHANNELS)
def test_pointwise_of_signals(channels, dtype):
    random = np.random.default_rng(channels + 200)
    for case in range(20):
        signals = whole(random, (random.integers(1, 4), channels, random.integers(1, 51)), dtype)
        weight = whole(random, (random.choice(CHANNELS), channels, 1), dtype)
        bias = whole(random, len(weight), BIASES[case % len(BIASES)]) if case % len(BIASES) else None
        activation = ACTIVATIONS[case % len(ACTIVATIONS)]
        sums = pointwise(signals[:, :, None], weight[:, :, None], bias)[:, :, 0].astype(np.int64)
        x = draw_layout(random, signals.shape).place(signals)
        for given_x in (signals, x):
            got = forzium.conv1d(given_x, weight, bias, activation=activation)
            assert_activated(got, sums, activation, dtype)
        assert_written(
            lambda out, x=x, w=weight, b=bias, f=activation: forzium.conv1d(x, w, b, activation=f, out=out),
            draw_layout(random, sums.shape), sums, activation, dtype,
        )  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 17, 5, 7), (1, 8, 40, 31), (3, 64, 1, 1), (2, 1, 9, 50)])
def test_pointwise_of_parts_of_larger_images(shape, layout, dtype):
    """Some of the channels, of the rows and of the columns; every image the same; and turned ones."""
    random = np.random.default_rng(1)
    weight = whole(random, (15, shape[1], 1, 1), dtype)
    larger = in_order(whole(random, [2 * n + 3 for n in shape], dtype), layout)
    n, c, h, w = shape
    if layout == "NHWC":
        larger = np.moveaxis(larger, 3, 1)
    parts = [
        larger[:n, 1 : c + 1, :h, :w],
        larger[1 : n + 1, :c, 2 : h + 2, 3 : w + 3],
        larger[:n, 2 * c - 1 : c - 1 : -1, h : 2 * h, :w],
        larger[n - 1 :: -1, :c, h - 1 :: -1, w - 1 :: -1],
        larger[: 2 * n : 2, : 2 * c : 2, : 2 * h : 2, : 2 * w : 2],
        np.asfortranarray(larger[:n, :c, :h, :w]),
        np.ascontiguousarray(larger[:n, :c, :h, :w].swapaxes(2, 3)).swapaxes(2, 3),
        np.broadcast_to(larger[:1, :c, :h, :w], shape),
        np.broadcast_to(larger[:n, :c, :1, :w], shape),
        np.broadcast_to(larger[:n, :1, :h, :w], shape),
    ]
    for planes in parts:
        assert planes.shape == shape
        want = pointwise(planes, weight).astype(dtype)
        x, want = (np.moveaxis(a, 1, 3) if layout == "NHWC" else a for a in (planes, want))
        np.testing.assert_array_equal(forzium.conv2d(x, weight, layout=layout), want)


def overlapping(shape, dtype):
    """Views of one memory, each of which lies over the first."""
    memory = np.zeros((shape[0] + 1, *shape[1:]), dtype)
    x = memory[:-1]
    later = memory.reshape(-1)[1 : 1 + x.size].reshape(shape)
    return memory, x, [x, x[::-1], x[:, ::-1], x[..., ::-1], memory[1:], later]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3, 16, 33])
def test_out_over_x(channels, layout, dtype):
    """As if x were copied: of one pixel, and of a depthwise window."""
    random = np.random.default_rng(1)
    planes = whole(random, (2, channels, 9, 14), dtype)
    single, window = (
        whole(random, (channels, channels, 1, 1), dtype),
        whole(random, (channels, 1, 3, 3), dtype),
    )
    ones = ((1, 1), (1, 1))
    cases = [
        (single, {}, pointwise(planes, single)),
        (window, {"groups": channels, "padding": 1},
         depthwise(planes, window, None, (1, 1), ones, (1, 1))),
    ]  # fmt: skip
    values = in_order(planes, layout)
    for weight, options, sums in cases:
        memory, x, outs = overlapping(values.shape, dtype)
        for out in outs:
            memory[...] = 0
            x[...] = values
            forzium.conv2d(x, weight, **options, layout=layout, out=out)
            np.testing.assert_array_equal(out, in_order(sums, layout).astype(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 7, 40])
@pytest.mark.parametrize(
    ("x_dtype", "weight_dtype", "dtype"),
    [
        ("uint8", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float64"),
        ("int32", "float32", "float64"),
        ("uint8", "int8", "int32"),
        ("int16", "int16", "int32"),
    ],
)
def test_other_dtypes(x_dtype, weight_dtype, dtype, channels, layout):
    random = np.random.default_rng(1)
    planes = random.integers(0, 5, (2, channels, 6, 11)).astype(x_dtype)
    single = random.integers(-3, 4, (9, channels, 1, 1)).astype(weight_dtype)
    window = random.integers(-3, 4, (channels, 1, 3, 2)).astype(weight_dtype)
    x = in_order(planes, layout)
    want = in_order(pointwise(planes, single), layout).astype(dtype)
    assert_same(forzium.conv2d(x, single, layout=layout) + np.zeros((), dtype), want)
    want = depthwise(planes.astype(float), window, None, (1, 1), ((0, 0),) * 2, (1, 1))
    got = forzium.conv2d(x, window, groups=channels, layout=layout)
    assert_same(got + np.zeros((), dtype), in_order(want, layout).astype(dtype))


# ---- depthwise windows -------------------------------------------------------------------------------

DEPTHS = [1, 3, 7, 8, 15, 16, 17, 31, 32, 40]


def draw_problem(random, axes=2):
    """Options, and the zeros and a shape of images that go with them; half of these are narrow."""
    kernel, stride, dilation = (random.integers(1, most + 1, axes).tolist() for most in (5, 3, 3))
    if random.random() < 0.2:
        kernel[random.integers(axes)] = 1
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if random.random() < 0.25:
        stride, padding = [1] * axes, "same"
        zeros = [(span // 2, span - span // 2) for span in spans]
    else:
        padding = zeros = [tuple(random.integers(0, 1 + min(span + 2, 5), 2).tolist()) for span in spans]
    least = [max(1, span + 1 - sum(z)) for span, z in zip(spans, zeros, strict=True)]
    image = [n + int(random.integers(0, random.choice([3, 30]))) for n in least]
    options = {"stride": tuple(stride), "padding": padding, "dilation": tuple(dilation)}
    return tuple(kernel), options, tuple(zeros), tuple(image)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", DEPTHS)
def test_depthwise(channels, dtype):
    random = np.random.default_rng(channels)
    for _ in range(40):
        kernel, options, zeros, image = draw_problem(random)
        planes = whole(random, (random.integers(1, 4), channels, *image), dtype)
        weight = whole(random, (channels * random.choice([1, 1, 1, 2]), 1, *kernel), dtype)
        want = in_order(
            depthwise(planes, weight, None, options["stride"], zeros, options["dilation"]), "NHWC"
        )
        x = in_order(planes, "NHWC")
        got = forzium.conv2d(x, weight, **options, groups=channels, layout="NHWC")
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, want, str((x.shape, weight.shape, options)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", [32, 63, 64, 72, 80, 128])
def test_depthwise_wherever_pixels_begin(channels, dtype):
    """Behind the begin of a line of the cache by any number of elements."""
    random, ones = np.random.default_rng(channels), (1, 1)
    planes, weight = whole(random, (2, channels, 4, 9), dtype), whole(random, (channels, 1, 3, 3), dtype)
    want = in_order(depthwise(planes, weight, None, ones, (ones, ones), ones), "NHWC")
    memory = np.empty(planes.size + 64, dtype)
    first = -memory.ctypes.data % 64 // memory.itemsize
    for past in range(64 // memory.itemsize):
        x = memory[first + past :][: planes.size].reshape(want.shape)
        x[...] = in_order(planes, "NHWC")
        got = forzium.conv2d(x, weight, padding=1, groups=channels, layout="NHWC")
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", DEPTHS)
def test_depthwise_options(channels, layout, dtype):
    random = np.random.default_rng(channels + 100)
    for case in range(20 if layout == "NHWC" else 6):
        kernel, options, zeros, image = draw_problem(random)
        planes = whole(random, (random.integers(1, 4), channels, *image), dtype)
        weight = whole(random, (channels * random.choice([1, 1, 1, 3]), 1, *kernel), dtype)
        steps = options["stride"], zeros, options["dilation"]
        check_layer(
            random, planes, weight, lambda bias, x=planes, w=weight, s=steps: depthwise(x, w, bias, *s),
            {**options, "groups": channels}, layout, dtype,
            ACTIVATIONS[case % len(ACTIVATIONS)] if case % 3 else None, BIASES[case % len(BIASES)],
        )  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kernel", [(1, 3), (3, 1), (2, 2), (3, 3), (4, 5), (5, 5)])
@pytest.mark.parametrize("channels", [3, 17])
def test_images_narrower_than_a_depthwise_window(channels, kernel, dtype):
    """No output sees columns, or rows, of x alone; some see nothing but padding."""
    random = np.random.default_rng(1)
    weight, bias = whole(random, (channels, 1, *kernel), dtype), whole(random, channels, dtype)
    for stride in (1, 2, 3):
        for dilation in (1, 2, 3):
            spans = [(k - 1) * dilation for k in kernel]
            for short, side in [(0, 1), (0, 2), (1, 1), (1, 2), (1, 4), (0, spans[0] + 1), (1, spans[1] + 1)]:
                image = [side, 9] if short == 0 else [9, side]
                zeros = tuple((span, span + 1) for span in spans)
                planes = whole(random, (2, channels, *image), dtype)
                want = depthwise(planes, weight, bias, (stride,) * 2, zeros, (dilation,) * 2)
                options = {"stride": stride, "padding": zeros, "dilation": dilation, "groups": channels}
                got = forzium.conv2d(in_order(planes, "NHWC"), weight, bias, **options, layout="NHWC")
                np.testing.assert_array_equal(got, in_order(want, "NHWC"), str((image, options)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", [7, 32, 40])
def test_depthwise_of_some_channels_of_wider_pixels(channels, dtype):
    """Rows, columns, images and channels further apart than they are long."""
    random = np.random.default_rng(1)
    weight = whole(random, (channels, 1, 3, 5), dtype)
    larger = whole(random, (5, 19, 23, 2 * channels + 3), dtype)
    options = {"padding": ((1, 1), (2, 2)), "groups": channels, "layout": "NHWC"}
    for part in (
        np.s_[:2, :, :, 1 : channels + 1],
        np.s_[::2, 3:12, 4:15, 3 : channels + 3],
        np.s_[::-1, ::-1, ::-1, channels : 2 * channels],
        np.s_[:1, ::2, ::3, channels - 1 :: -1],
        np.s_[:2, 18:3:-3, 22::-4, : 2 * channels : 2],
    ):
        x, out = larger[part], np.full_like(larger, 77)
        want = depthwise(np.moveaxis(x, 3, 1), weight, None, (1, 1), options["padding"], (1, 1))
        np.testing.assert_array_equal(forzium.conv2d(x, weight, **options), np.moveaxis(want, 1, 3))
        forzium.conv2d(x, weight, **options, out=out[part])
        np.testing.assert_array_equal(out[part], np.moveaxis(want, 1, 3))
        out[part] = 77
        assert np.all(out == 77), "wrote beside out"


# ---- reals -------------------------------------------------------------------------------------------

REAL = [
    ((2, 57, 61, 40), (40, 1, 3, 3), {"padding": 1, "groups": 40}),
    ((1, 113, 90, 33), (33, 1, 5, 5), {"padding": 2, "stride": 2, "groups": 33}),
    ((3, 40, 41, 17), (34, 1, 3, 4), {"padding": 3, "dilation": 2, "groups": 17}),
    ((2, 57, 61, 40), (70, 40, 1, 1), {}),
    ((1, 30, 40, 600), (33, 600, 1, 1), {}),
    ((3, 7, 7, 64), (257, 64, 1, 1), {}),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "weight_shape", "options"), REAL)
def test_the_bound_with_the_same_bits_on_any_number_of_threads(shape, weight_shape, options, layout, dtype):
    functional = pytest.importorskip("torch").nn.functional
    from torch import from_numpy

    random = np.random.default_rng(1)
    planes = np.moveaxis(random.standard_normal(shape).astype(dtype), 3, 1)
    weight, bias = (random.standard_normal(s).astype(dtype) for s in (weight_shape, weight_shape[:1]))
    wide = [from_numpy(np.array(a, float)) for a in (planes, weight, bias)]
    want = functional.conv2d(*wide, **options).numpy()
    magnitude = functional.conv2d(*(a.abs() for a in wide), **options).numpy()
    x = in_order(planes, layout)
    first = None
    for _ in numbers_of_threads():
        got = forzium.conv2d(x, weight, bias, **options, layout=layout)
        first = got if first is None else first
        assert got.tobytes() == first.tobytes()
    bound = (weight[0].size + 2) * np.finfo(dtype).eps * magnitude
    assert_within(first, in_order(want, layout), in_order(2 * bound, layout))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3, 17, 40])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_values_reach_what_sees_them(value, channels, layout, dtype):
    """Also by a weight of zero; and what sees none of them is as it was."""
    random = np.random.default_rng(1)
    single, window = whole(random, (9, channels, 1, 1), dtype), whole(random, (channels, 1, 3, 3), dtype)
    single[0, 0], window[:, :, 1, 2] = 0, 0
    for at in [(0, 0, 0, 0), (1, channels - 1, 8, 13), (0, channels // 2, 4, 6)]:
        planes = whole(random, (2, channels, 9, 14), dtype)
        planes[at] = value
        x, ones = in_order(planes, layout), ((1, 1), (1, 1))
        want = in_order(np.einsum("oc,nchw->nohw", single[:, :, 0, 0], planes), layout)
        np.testing.assert_array_equal(forzium.conv2d(x, single, layout=layout), want)
        want = in_order(depthwise(planes, window, None, (1, 1), ones, (1, 1)), layout)
        got = forzium.conv2d(x, window, padding=1, groups=channels, layout=layout)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_long_double(dtype):
    """Of magnitudes far apart: PyTorch's float64 would not do as what is right."""
    random = np.random.default_rng(1)
    for channels, kernel, groups in [(40, (3, 3), 40), (17, (5, 2), 17), (64, (1, 1), 1), (300, (1, 1), 1)]:
        shape = (2, channels, 6, 7)
        planes = (random.standard_normal(shape) * 10.0 ** random.integers(-6, 7, shape)).astype(dtype)
        weight = random.standard_normal((channels, channels // groups, *kernel)).astype(dtype)
        both = []
        for f in (np.asarray, np.abs):
            p, w = f(planes).astype(np.longdouble), f(weight).astype(np.longdouble)
            if groups == 1:
                both.append(np.einsum("oc,nchw->nohw", w[:, :, 0, 0], p))
            else:
                both.append(depthwise(p, w, None, (1, 1), ((0, 0),) * 2, (1, 1)))
        bound = weight[0].size * np.finfo(dtype).eps * both[1]
        for layout in LAYOUTS:
            got = forzium.conv2d(in_order(planes, layout), weight, groups=groups, layout=layout)
            assert_within(got, in_order(both[0], layout), in_order(bound, layout))

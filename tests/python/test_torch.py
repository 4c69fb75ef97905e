"""Operations that PyTorch has, too, beside its results in float64: each option, and all of them at once."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import awkward_values, dtypes, layouts, seeds
from oracle import assert_within

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
outer_axes = st.sampled_from([(1,), (3,), (2, 3), (1, 17)])
channel_orders = st.sampled_from(["NCHW", "NHWC"])


@pytest.fixture(scope="module")
def functional():
    """Loaded by the tests alone: it takes long, and starts threads."""
    return pytest.importorskip("torch").nn.functional


def wide(x):
    import torch

    return torch.from_numpy(np.array(x, np.float64))


def draw_reals(data, seed, shape, dtype):
    """Normal deviates of many magnitudes, in any layout."""
    return data.draw(layouts(shape)).place(awkward_values(seed, shape, dtype, share_special=0))


def assert_sums(got, dtype, call, terms, *operands):
    """Sums of so many products. PyTorch's own are rounded, too: in float64 its error is allowed for."""
    want, magnitude = call(*map(wide, operands)).numpy(), call(*(wide(x).abs() for x in operands)).numpy()
    assert got.dtype == dtype
    limits = np.finfo(dtype)
    assert_within(got, want, 2 * (terms + 1) * (limits.eps * magnitude + limits.smallest_subnormal))


def in_order(planes, layout):
    """Channels last, where they are to be."""
    return np.moveaxis(planes, -3, -1) if layout == "NHWC" else planes


# ---- convolution -------------------------------------------------------------------------------------


@st.composite
def layers(draw, axes):
    """Shapes of x and weight, and options that both libraries have."""
    groups, inputs = draw(st.sampled_from([(1, 1), (1, 3), (1, 16), (2, 3), (8, 1), (33, 1)]))
    outputs = groups * draw(st.integers(1, 2) if inputs == 1 and groups > 1 else st.integers(1, 24))
    kernel, stride, dilation = (tuple(draw(st.integers(1, 4)) for _ in range(axes)) for _ in range(3))
    padding = draw(st.sampled_from(["valid", "same"]) | st.tuples(*[st.integers(0, 3)] * axes))
    zeros = padding if isinstance(padding, tuple) else (0,) * axes
    if padding == "same":
        stride = (1,) * axes
    least = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, zeros, strict=True)]
    sides = [draw(st.integers(max(1, n), max(1, n) + 15)) for n in least]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return (draw(st.integers(1, 2)), inputs * groups, *sides), (outputs, inputs, *kernel), options


def draw_layer(data, seed, shapes, dtype, has_bias):
    operands = [draw_reals(data, seed + i, shape, dtype) for i, shape in enumerate(shapes)]
    return [*operands, draw_reals(data, seed + 2, shapes[1][:1], dtype)] if has_bias else operands


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # it is slower there, says PyTorch
@given(
    data=st.data(), layer=layers(2), dtype=dtypes, seed=seeds, has_bias=st.booleans(), layout=channel_orders
)
def test_conv2d(functional, data, layer, dtype, seed, has_bias, layout):
    *shapes, options = layer
    x, *others = draw_layer(data, seed, shapes, dtype, has_bias)
    pixels = data.draw(layouts(np.take(x.shape, [0, 2, 3, 1]))).place(np.moveaxis(x, 1, 3))
    got = forzium.conv2d(pixels if layout == "NHWC" else x, *others, **options, layout=layout)
    planes = np.moveaxis(got, 3, 1) if layout == "NHWC" else got
    terms = others[0][0].size + has_bias
    assert_sums(planes, dtype, lambda *o: functional.conv2d(*o, **options), terms, x, *others)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(data=st.data(), layer=layers(1), dtype=dtypes, seed=seeds, has_bias=st.booleans())
def test_conv1d(functional, data, layer, dtype, seed, has_bias):
    *shapes, options = layer
    operands = draw_layer(data, seed, shapes, dtype, has_bias)
    single = {name: value[0] if isinstance(value, tuple) else value for name, value in options.items()}
    got = forzium.conv1d(*operands, **single)
    terms = operands[1][0].size + has_bias
    assert_sums(got, dtype, lambda *o: functional.conv1d(*o, **options), terms, *operands)


# ---- pooling -----------------------------------------------------------------------------------------


@st.composite
def pools(draw, dilated):
    window, stride = draw(pairs), draw(pairs | st.none())
    dilation = draw(pairs) if dilated else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in window)
    least = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(window, dilation, padding, strict=True)]
    sides = [draw(st.integers(max(1, n), max(1, n) + 15)) for n in least]
    options = {"stride": stride, "padding": padding, "ceil_mode": draw(st.booleans())}
    return sides, window, {**options, "dilation": dilation} if dilated else options


def draw_planes(data, seed, shape, dtype, layout):
    """Planes as PyTorch has them, and the same in the order that is asked for, in any layout."""
    planes = awkward_values(seed, shape, dtype, share_special=0)
    x = in_order(planes, layout)
    return planes, data.draw(layouts(x.shape)).place(x)


@given(data=st.data(), outer=outer_axes, problem=pools(True), dtype=dtypes, seed=seeds, layout=channel_orders)
def test_max_pool2d(functional, data, outer, problem, dtype, seed, layout):
    sides, window, options = problem
    planes, x = draw_planes(data, seed, (*outer, *sides), dtype, layout)
    got = forzium.max_pool2d(x, window, **options, layout=layout)
    want = functional.max_pool2d(wide(planes), window, **options).numpy()
    np.testing.assert_array_equal(got, in_order(want, layout))


@given(
    data=st.data(), outer=outer_axes, problem=pools(False), dtype=dtypes, seed=seeds, layout=channel_orders,
    count=st.booleans(),
)  # fmt: skip
def test_avg_pool2d(functional, data, outer, problem, dtype, seed, layout, count):
    sides, window, options = problem
    options["count_include_pad"] = count
    planes, x = draw_planes(data, seed, (*outer, *sides), dtype, layout)
    got = forzium.avg_pool2d(x, window, **options, layout=layout)
    got = np.moveaxis(got, -1, -3) if layout == "NHWC" else got
    assert_sums(got, dtype, lambda x: functional.avg_pool2d(x, window, **options), np.prod(window), planes)


@given(
    data=st.data(), outer=outer_axes, sides=st.tuples(*[st.integers(1, 40)] * 2), dtype=dtypes, seed=seeds,
    size=st.tuples(*[st.integers(1, 12)] * 2), layout=channel_orders,
)  # fmt: skip
def test_adaptive_and_global_pooling(functional, data, outer, sides, dtype, seed, size, layout):
    planes, x = draw_planes(data, seed, (*outer, *sides), dtype, layout)
    terms = np.prod(sides)
    for got, wanted in (
        (forzium.adaptive_avg_pool2d(x, size, layout=layout), size),
        (forzium.global_avg_pool2d(x, layout=layout), (1, 1)),
    ):
        got = np.moveaxis(got, -1, -3) if layout == "NHWC" else got
        assert_sums(got, dtype, lambda x, n=wanted: functional.adaptive_avg_pool2d(x, n), terms, planes)
    largest = functional.adaptive_max_pool2d(wide(planes), 1).numpy()
    np.testing.assert_array_equal(forzium.global_max_pool2d(x, layout=layout), in_order(largest, layout))


# ---- layers ------------------------------------------------------------------------------------------


@given(
    data=st.data(), stack=st.lists(st.integers(1, 4), max_size=3), dtype=dtypes, seed=seeds,
    inputs=st.integers(1, 70), outputs=st.integers(1, 70), has_bias=st.booleans(),
)  # fmt: skip
def test_linear(functional, data, stack, dtype, seed, inputs, outputs, has_bias):
    shapes = [(*stack, inputs), (outputs, inputs)]
    x, weight, *bias = draw_layer(data, seed, shapes, dtype, has_bias)
    for given_weight in (weight, forzium.pack(weight.T)):
        got = forzium.linear(x, given_weight, *bias)
        assert_sums(got, dtype, functional.linear, inputs + has_bias, x, weight, *bias)


@pytest.mark.parametrize(
    ("activation", "name", "options"),
    [
        ("relu", "relu", {}),
        ("gelu", "gelu", {}),
        ("gelu_tanh", "gelu", {"approximate": "tanh"}),
        ("silu", "silu", {}),
        ("sigmoid", "sigmoid", {}),
        ("softplus", "softplus", {"threshold": 100}),
        ("tanh", "tanh", {}),
    ],
)
def test_activations_of_layers(functional, activation, name, options):
    random = np.random.default_rng(0)
    x, weight, image, window = (
        random.standard_normal(shape) for shape in ((9, 20), (7, 20), (1, 3, 9, 9), (5, 3, 3, 3))
    )
    for got, sums in (
        (forzium.linear(x, weight, activation=activation), functional.linear(wide(x), wide(weight))),
        (forzium.conv2d(image, window, activation=activation), functional.conv2d(wide(image), wide(window))),
    ):
        np.testing.assert_allclose(
            got, getattr(functional, name)(sums, **options).numpy(), rtol=1e-12, atol=1e-12
        )

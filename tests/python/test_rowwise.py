"""softmax, log_softmax, layer_norm, rms_norm, normalize and logsumexp against long double."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import arrays, awkward_values, dtypes, layouts, seeds, shapes
from oracle import assert_within, numbers_of_threads
from scipy import special

LONG = np.longdouble


def softmax(x, axis):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def log_softmax(x, axis):
    """The largest element's own term apart, so that results near 0 keep their digits."""
    centred = x - x.max(axis=axis, keepdims=True)
    top = centred == 0
    rest = np.where(top, LONG(0), np.exp(centred)).sum(axis=axis, keepdims=True)
    return centred - np.log1p(rest + (top.sum(axis=axis, keepdims=True) - 1))


def layer_norm(x, axis, eps=1e-5):
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axis, keepdims=True) + LONG(eps))


def rms_norm(x, axis, eps=1e-6):
    return x / np.sqrt((x**2).mean(axis=axis, keepdims=True) + LONG(eps))


def normalize(x, axis):
    return x / np.sqrt((x**2).sum(axis=axis, keepdims=True))


EXACT = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "normalize": normalize,
}
names = pytest.mark.parametrize("name", EXACT)


def bound(name, exact, dtype):
    """A few units of the result; for layer_norm of a standard deviation, as elements near the mean cancel."""
    limits = np.finfo(dtype)
    size = np.maximum(np.abs(exact), 1 if name == "layer_norm" else 0)
    return 8 * limits.eps * size + limits.smallest_subnormal


def some_axes(ndim):
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(one, min_size=1, unique_by=lambda axis: axis % ndim, max_size=ndim).map(tuple)
    return st.none() | one | several


def deviates(draw, shape, dtype, scale=4.0):
    """Normal deviates in any layout."""
    values = (scale * np.random.default_rng(draw(seeds)).standard_normal(shape)).astype(dtype)
    return draw(layouts(tuple(shape))).place(values)


def assert_right(name, x, axis, got):
    exact = EXACT[name](x.astype(LONG), axis)
    assert got.dtype == x.dtype
    assert_within(got, exact, bound(name, exact, x.dtype))


# ---- values -----------------------------------------------------------------------------------------


@names
@given(data=st.data(), dtype=dtypes)
def test_any_axes_and_layouts(name, data, dtype):
    shape = data.draw(shapes(min_dims=1).filter(lambda shape: 0 not in shape))
    x, axis = deviates(data.draw, shape, dtype), data.draw(some_axes(len(shape)))
    before = x.copy()
    assert_right(name, x, axis, getattr(forzium, name)(x, axis))
    np.testing.assert_array_equal(x, before)


@names
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((3, 70001), 1), ((70001, 3), 0), ((100, 513), 1), ((513, 100), 0), ((9000, 40), 0), ((200000,), 0)],
)
def test_long_rows(name, shape, axis, dtype):
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    for view in (x, x[::-1], np.asfortranarray(x)):
        assert_right(name, view, axis, getattr(forzium, name)(view, axis))


@names
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_length(name, dtype):
    x = np.random.default_rng(2).standard_normal(300).astype(dtype)
    for n in range(1, 300):
        assert_right(name, x[-n:], -1, getattr(forzium, name)(x[-n:]))


@names
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(2, 4), (63, 65), (64, 64), (65, 63), (130, 5), (1, 4097), (3, 4, 5), (5, 1)]
)
def test_stacks_of_rows(name, shape, dtype):
    x = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    for axis in (-1, 0, (-2, -1), None):
        for out in (
            np.empty_like(x),
            np.asfortranarray(np.empty_like(x)),
            np.repeat(x, 2, axis=-1)[..., ::2],
        ):
            assert_right(name, x, axis, getattr(forzium, name)(x, axis, out=out))
    before = x.copy()
    assert_right(name, before, -1, getattr(forzium, name)(x, -1, out=x))


@names
def test_integers_are_computed_in_float64(name):
    x = np.arange(-7, 8, dtype=np.int16).reshape(3, 5)
    assert_right(name, x.astype(np.float64), -1, getattr(forzium, name)(x))


@names
def test_narrow_floats_are_rounded_once(name):
    half = np.random.default_rng(3).standard_normal((40, 50)).astype(np.float16)
    for axis in (0, 1):
        got, wide = (getattr(forzium, name)(x, axis) for x in (half, half.astype(np.float32)))
        assert got.dtype == np.float16
        np.testing.assert_array_equal(got, wide.astype(np.float16))


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.random.default_rng(4).standard_normal((6, 33)).astype(ml_dtypes.bfloat16)
    got = forzium.softmax(x)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, forzium.softmax(x.astype(np.float32)).astype(ml_dtypes.bfloat16))


# ---- softmax ----------------------------------------------------------------------------------------


def test_far_elements_keep_their_digits():
    x = np.array([3e4, 3e4 - 80.0, 3e4 - 40.5], np.float32)
    assert_right("softmax", x, -1, forzium.softmax(x))
    x = np.array([1e300, -1e300, 1e300])
    np.testing.assert_array_equal(forzium.softmax(x), [0.5, 0.0, 0.5])


def test_log_softmax_near_zero():
    x = np.array([0.0, -40.0, -700.0])
    assert_right("log_softmax", x, -1, forzium.log_softmax(x))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]])
def test_rows_without_a_result_are_nan(name, bad):
    for n in (0, 5, 40):
        x = np.array([bad[:1] * n + bad, [0.0] * (n + 2)])
        got = getattr(forzium, name)(x)
        assert np.isnan(got[0]).all()
        assert np.isfinite(got[1]).all()


def test_softmax_of_minus_infinity_is_zero():
    np.testing.assert_array_equal(forzium.softmax(np.array([-np.inf, 2.0, 2.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(forzium.log_softmax(np.array([-np.inf, 2.0])), [-np.inf, 0])


@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_logsumexp_is_scipys(data, dtype, keepdims):
    x = data.draw(arrays(data.draw(shapes(min_dims=1).filter(lambda s: 0 not in s)), dtype))
    axis = data.draw(some_axes(x.ndim))
    exact = special.logsumexp(x.astype(LONG), axis=axis, keepdims=keepdims)
    got = forzium.logsumexp(x, axis, keepdims)
    assert np.asarray(got).dtype == x.dtype
    limits = np.finfo(dtype)
    largest = np.max(np.where(np.isfinite(x), np.abs(x), 0), axis=axis, keepdims=keepdims)
    size = np.maximum(np.abs(exact), largest.astype(LONG)) + 1
    overflow = np.isfinite(exact) & (np.abs(exact) > limits.max)
    assert not overflow.any()
    assert_within(got, exact, 4 * limits.eps * size)


def test_logsumexp_of_nothing():
    assert forzium.logsumexp(np.zeros(0)) == -np.inf
    np.testing.assert_array_equal(forzium.logsumexp(np.zeros((2, 0)), axis=1), [-np.inf, -np.inf])
    assert forzium.logsumexp(np.zeros((0, 2)), axis=1).shape == (0,)


# ---- norms ------------------------------------------------------------------------------------------


def test_a_large_mean_costs_nothing():
    x = (1e6 + np.random.default_rng(5).uniform(-1, 1, (50, 1024))).astype(np.float32)
    exact = layer_norm(x.astype(np.float64), -1)
    assert_within(forzium.layer_norm(x), exact, 4 * np.finfo(np.float32).eps * np.maximum(1, np.abs(exact)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
def test_huge_and_tiny_values(dtype, axis):
    limits = np.finfo(dtype)
    x = np.random.default_rng(6).uniform(-1, 1, (30, 40)).astype(dtype)
    for scale in (limits.max / 64, limits.max / 2, limits.tiny, limits.tiny / 4096):
        scaled = x * limits.dtype.type(scale)
        for name in ("normalize", "rms_norm", "layer_norm"):
            extra = {} if name == "normalize" else {"eps": 0}
            got = getattr(forzium, name)(scaled, axis, **extra)
            exact = EXACT[name](scaled.astype(LONG), axis, **extra)
            assert_within(got, exact, bound(name, exact, dtype))


def test_normalize_of_zeros_is_nan_as_numpys_quotient():
    got = forzium.normalize(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(got, [[np.nan, np.nan], [0.6, 0.8]], rtol=1e-15)


@pytest.mark.parametrize("axis", [-1, 0, (1, 2), (0, 2), (-1, 0), None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_have_the_shape_of_the_axes(axis, dtype):
    random = np.random.default_rng(7)
    x = random.standard_normal((4, 5, 6)).astype(dtype)
    axes = range(3) if axis is None else sorted(a % 3 for a in np.atleast_1d(axis))
    weight, bias = (random.standard_normal([x.shape[a] for a in axes]) for _ in range(2))
    spread = [x.shape[d] if d in axes else 1 for d in range(3)]
    exact = layer_norm(x.astype(LONG), axis) * weight.astype(dtype).reshape(spread)
    with_bias = exact + bias.astype(dtype).reshape(spread)
    size = np.abs(exact) + np.abs(bias.reshape(spread)) + 1
    limit = 8 * np.finfo(dtype).eps * size
    assert_within(forzium.layer_norm(x, axis, weight), exact, limit)
    assert_within(forzium.layer_norm(x, axis, weight, bias), with_bias, limit)
    alone = layer_norm(x.astype(LONG), axis) + bias.astype(dtype).reshape(spread)
    assert_within(forzium.layer_norm(x, axis, bias=bias), alone, 2 * limit)
    scaled = rms_norm(x.astype(LONG), axis) * weight.astype(dtype).reshape(spread)
    assert_within(forzium.rms_norm(x, axis, weight), scaled, limit)


# ---- out, errors, threads ---------------------------------------------------------------------------


@names
@given(data=st.data(), dtype=dtypes)
def test_out_may_be_the_input_or_overlap_it(name, data, dtype):
    function = getattr(forzium, name)
    x = deviates(data.draw, (7, 40), dtype)
    axis = data.draw(st.sampled_from([0, 1, (0, 1)]))
    want = function(x.copy("K"), axis)
    out = data.draw(layouts(x.shape)).place(np.zeros(x.shape, dtype))
    assert function(x, axis, out=out) is out
    np.testing.assert_allclose(out, want, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)
    inside = np.zeros((8, 41), dtype)
    inside[:-1, :-1] = x
    want = function(np.ascontiguousarray(x), axis)
    function(inside[:-1, :-1], axis, out=inside[1:, 1:])
    np.testing.assert_allclose(
        inside[1:, 1:], want, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps
    )
    assert function(x, axis, out=x) is x
    np.testing.assert_allclose(x, want, rtol=20 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


@names
def test_out_of_another_float_is_converted(name):
    x = np.random.default_rng(8).standard_normal((5, 60))
    for dtype in (np.float32, np.float16):
        out = np.empty(x.shape, dtype)
        getattr(forzium, name)(x, out=out)
        np.testing.assert_array_equal(out, getattr(forzium, name)(x).astype(dtype))


@names
def test_errors(name):
    function = getattr(forzium, name)
    x = np.ones((2, 3))
    read_only = np.ones((2, 3))
    read_only.flags.writeable = False
    for error, axis, out in [
        (ValueError, 2, None),
        (ValueError, -3, None),
        (ValueError, (0, -2), None),
        (ValueError, 10**30, None),
        (TypeError, 0.5, None),
        (ValueError, -1, np.ones((3, 2))),
        (ValueError, -1, np.ones(3)),
        (ValueError, -1, read_only),
        (ValueError, -1, np.broadcast_to(np.ones(1), (2, 3))),
        (TypeError, -1, np.ones((2, 3), np.int64)),
        (TypeError, -1, [1.0]),
    ]:
        with pytest.raises(error, match=name):
            function(x, axis, out=out)
    for bad in (np.ones(2, complex), np.array([object()]), np.array(["a"]), np.zeros(2, "M8[s]")):
        with pytest.raises(TypeError, match=name):
            function(bad)


def test_weights_that_do_not_fit():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"weight is \(2,\); it must be \(3,\)"):
        forzium.layer_norm(x, weight=np.ones(2))
    with pytest.raises(ValueError, match="bias"):
        forzium.layer_norm(x, bias=np.ones(2))
    with pytest.raises(ValueError, match="weight"):
        forzium.rms_norm(x, weight=np.ones((2, 3)))
    with pytest.raises(TypeError, match="weight"):
        forzium.rms_norm(x, weight=np.ones(3, complex))
    with pytest.raises(TypeError, match="eps"):
        forzium.layer_norm(x, eps="small")


@names
def test_empty_arrays_and_scalars(name):
    function = getattr(forzium, name)
    for shape in ((0,), (3, 0), (0, 3)):
        for axis in (-1, 0, None):
            assert function(np.ones(shape, np.float32), axis).shape == shape
    assert np.ndim(function(2.5)) == 0


@names
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_change_bits(name, dtype):
    function = getattr(forzium, name)
    x = awkward_values(9, (300, 1000), dtype, 0.0)
    results = set()
    for _ in numbers_of_threads():
        results.add(b"".join(function(x, axis).tobytes() for axis in (0, 1, (0, 1))))
    assert len(results) == 1


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "normalize", "layer_norm", "rms_norm"])
def test_an_overlapping_out_gets_the_bits_of_another(name):
    memory = np.random.default_rng(0).standard_normal(40).astype(np.float16)
    x, out = memory[:18], memory.view(np.float32)[2:]
    expected = getattr(forzium, name)(x.copy(), out=np.empty(18, np.float32))
    np.testing.assert_array_equal(getattr(forzium, name)(x, out=out), expected)

"""Functions of narrow numbers at every one of them: float16 and bfloat16; what integers and bools become.

float16 and bfloat16 are computed as float32, within 1 ULP of that, and rounded once: so a result is within
0.5 ULP of its own of the exact value, and the little more by which float32 may be off. Exact values are
NumPy's, SciPy's and mpmath's in a wider type.
"""

import forzium
import numpy as np
import pytest
import scipy.signal
from forzium.accuracy.oracle import ORACLES, exact
from forzium.accuracy.ulp import errors
from oracle import APPROXIMATE, EXACT, UFUNCS, assert_gives

ml_dtypes = pytest.importorskip("ml_dtypes")
bfloat16 = ml_dtypes.bfloat16

MOST = 0.5 + 2.0**-11
NARROW = [np.dtype("float16"), np.dtype(bfloat16)]
UNARY = [name for name in APPROXIMATE if ORACLES[name].operands == 1]
BINARY = [name for name in APPROXIMATE if ORACLES[name].operands == 2]
NOT_NUMPYS = [name for name in APPROXIMATE if name not in UFUNCS]
every_narrow_dtype = pytest.mark.parametrize("dtype", NARROW, ids=str)


def every_number(dtype):
    return np.arange(2**16).astype(np.uint16).view(dtype)


def narrow_errors(got, right):
    """In ULP of got's dtype, which for bfloat16 is what `errors` would say if NumPy knew its limits."""
    limits, beyond = ml_dtypes.finfo(got.dtype), float(2.0 ** ml_dtypes.finfo(got.dtype).maxexp)
    right = np.asarray(right, np.longdouble)
    got = np.where(np.isinf(got), np.copysign(beyond, got.astype("f8")), got.astype(np.longdouble))
    right = np.clip(right, -beyond, beyond)
    size = np.clip(abs(right), float(limits.tiny), beyond / 2)
    unit = np.ldexp(np.longdouble(1), np.frexp(size)[1] - 1 - limits.nmant)
    error = np.where(np.isnan(got) & np.isnan(right), 0, abs(got - right) / unit)
    return np.where(np.isnan(error), np.inf, error)


def assert_near(got, right, operands):
    error = narrow_errors(got, right)
    worst = int(np.argmax(error))
    assert error[worst] <= MOST, f"{error[worst]:.5f} ULP at {[x[worst] for x in operands]}: {got[worst]}"


@pytest.mark.parametrize(
    ("got", "right", "error"),
    [(1, 1, 0), (1 + 2**-10, 1, 1), (1 - 2**-11, 1, 0.5), (2**-24, 0, 1),
     (np.inf, 65504, 1), (np.inf, 65520, 0.5), (np.inf, 1e9, 0), (np.inf, np.inf, 0), (65504, np.inf, 1),
     (-np.inf, 65520, 4095.5), (np.nan, np.nan, 0), (np.nan, 1, np.inf), (1, np.nan, np.inf)],
)  # fmt: skip
def test_errors_are_in_units_of_float16(got, right, error):
    assert narrow_errors(np.array([got], np.float16), np.array([right]))[0] == error


# ---- every number ------------------------------------------------------------------------------------------


@every_narrow_dtype
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_every_number(name, dtype):
    x = every_number(dtype)
    x = x if ORACLES[name].limits else x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        right = exact(name, (x.astype("f4"),))
    got = getattr(forzium, name)(x)
    assert got.dtype == dtype
    assert_near(got, right, [x])


@every_narrow_dtype
def test_activations_at_infinity_have_their_limits(dtype):
    for name in ("silu", "gelu", "gelu_tanh"):
        got = getattr(forzium, name)(np.array([np.inf, -np.inf, np.nan] * 9, dtype))
        np.testing.assert_array_equal(got.astype("f4"), [np.inf, 0, np.nan] * 9)


@every_narrow_dtype
@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_elu_with_another_slope(alpha, dtype):
    x = every_number(dtype)
    wide = x.astype("f8")
    with np.errstate(all="ignore"):
        right = np.where(wide > 0, wide, alpha * np.expm1(wide))
    assert_near(forzium.elu(x, alpha), right, [x])


@pytest.mark.parametrize(
    "name", [name for name in EXACT if getattr(np, name).nin == 1 and "e" in str(getattr(np, name).types)]
)
def test_exact_operations_on_every_float16(name):
    x = every_number("float16")
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x)
    assert_gives(name, getattr(forzium, name)(x), want)


@every_narrow_dtype
def test_rectifiers_of_every_number(dtype):
    x = every_number(dtype)
    wide = x.astype("f4")
    with np.errstate(all="ignore"):
        leaky = np.where(wide < 0, wide * np.float32(0.25), wide).astype(dtype)
    for got, want in (
        (forzium.relu(x), np.maximum(wide, 0).astype(dtype)),
        (forzium.leaky_relu(x, 0.25), leaky),
    ):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.astype("f4"), want.astype("f4"))


@every_narrow_dtype
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_many_pairs(name, dtype):
    x, y = np.random.default_rng(0).integers(0, 2**16, (2, 20_000), np.uint16).view(dtype)
    y[:5000] = x[:5000] * y.dtype.type(1.5)  # neither far larger nor far smaller
    right = exact(name, (x.astype("f4"), y.astype("f4")))
    assert_near(getattr(forzium, name)(x, y), right, [x, y])


# ---- integers and bools ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("name", NOT_NUMPYS)
def test_functions_of_integers(name, dtype):
    """Which become the float that NumPy's exp makes of them, or what they are with elu's alpha, 1.0."""
    whole = [-40, -9, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 11, 30, 100]
    x = np.array(whole, dtype) if dtype[0] == "i" else abs(np.array(whole)).astype(dtype)
    function, want = getattr(forzium, name), np.add(x, 1.0).dtype if name == "elu" else np.exp(x).dtype
    right = exact(name, (x.astype(max(want, np.dtype("f4"))),))
    text = "elu(x, 1.0)" if name == "elu" else f"{name}(x)"
    for got in (function(x), function(x[::-1])[::-1], forzium.evaluate(text)):
        assert got.dtype == want
        error = errors(got, right)
        assert error.max() <= 1, f"{error.max()} ULP at {x[error.argmax()]}"
    assert type(function(x[3])) is want.type
    assert function(x[3]) == function(x)[3]
    np.testing.assert_array_equal(function(x.tolist()), function(np.array(x.tolist())), strict=True)


# ---- bfloat16 in what is no element-wise operation ---------------------------------------------------------


def numbers(shape, most=9):
    """Whole, so few and small that bfloat16 holds their sums."""
    return np.random.default_rng(1).integers(-most, most, shape, endpoint=True).astype(bfloat16)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("n", [1, 7, 33, 300])
def test_reductions_of_bfloat16(n, axis):
    x = np.random.default_rng(n).standard_normal((5, n)).astype(bfloat16)
    wide = x.astype(np.float64)
    for name in ("sum", "mean", "var", "std", "prod"):
        got = np.asarray(getattr(forzium, name)(x, axis))
        assert got.dtype == bfloat16
        assert narrow_errors(got, getattr(wide, name)(axis)).max() <= 0.51
    for name in ("max", "min"):
        got = np.asarray(getattr(forzium, name)(x, axis))
        np.testing.assert_array_equal(got, getattr(wide, name)(axis).astype(bfloat16), strict=True)
    x[3, n // 2] = x[0, 0] = 0
    for name in ("argmax", "argmin", "all", "any", "count_nonzero"):
        np.testing.assert_array_equal(
            getattr(forzium, name)(x, axis), getattr(np, name)(x.astype("f4"), axis)
        )


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reductions_of_bfloat16_without_nan(axis):
    x = np.random.default_rng(0).standard_normal((40, 70)).astype(bfloat16)
    x[::3, ::4] = np.nan
    for name in ("nansum", "nanmean", "nanvar", "nanmax", "nanmin"):
        got = np.asarray(getattr(forzium, name)(x, axis))
        assert got.dtype == bfloat16
        assert narrow_errors(got, getattr(np, name)(x.astype("f8"), axis)).max() <= 0.51
    for name in ("sum", "mean", "max", "min"):
        want = getattr(np, name)(x.astype("f8"), axis)
        np.testing.assert_array_equal(np.isnan(getattr(forzium, name)(x, axis)), np.isnan(want))


@pytest.mark.parametrize("axis", [0, 1])
def test_scans_of_bfloat16(axis):
    x = numbers((20, 20), 1)
    got = forzium.cumsum(x, axis)
    assert got.dtype == bfloat16
    np.testing.assert_array_equal(got.astype("f4"), np.cumsum(x.astype("f4"), axis))
    signs = np.where(x == 0, bfloat16(1), x)
    np.testing.assert_array_equal(
        forzium.cumprod(signs, axis).astype("f4"), np.cumprod(signs.astype("f4"), axis)
    )


@pytest.mark.parametrize("shape", [(8, 12), (3, 6, 10), (2, 4, 9, 33)])
def test_pooling_of_bfloat16(shape):
    x = numbers(shape)
    halves = [
        x.astype("f4")[..., i : shape[-2] // 2 * 2 : 2, j : shape[-1] // 2 * 2 : 2]
        for i in (0, 1)
        for j in (0, 1)
    ]
    mean = sum(halves) / 4
    even = x[..., : mean.shape[-2] * 2, : mean.shape[-1] * 2]
    for got, want in (
        (forzium.max_pool2d(x, 2), np.maximum.reduce(halves)),
        (forzium.avg_pool2d(x, 2), mean),
        (forzium.global_max_pool2d(x), x.astype("f4").max((-2, -1), keepdims=True)),
        (forzium.adaptive_avg_pool2d(even, mean.shape[-2:]), mean),
    ):  # fmt: skip
        assert got.dtype == bfloat16
        np.testing.assert_array_equal(got.astype("f4"), want)
    got = forzium.global_avg_pool2d(x)
    assert narrow_errors(got, x.astype("f8").mean((-2, -1), keepdims=True)).max() <= 0.51


@pytest.mark.parametrize("other", [bfloat16, np.float32], ids=["bfloat16", "float32"])
def test_convolution_of_bfloat16(other):
    x, weight = numbers((2, 3, 9, 20), 3), numbers((4, 3, 2, 3), 1).astype(other)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype("f4"), (2, 3), axis=(2, 3))
    want = np.einsum("ncijpq,ocpq->noij", windows, weight.astype("f4"))
    got = forzium.conv2d(x, weight)
    assert got.dtype == other
    np.testing.assert_array_equal(got.astype("f4"), want)
    want = scipy.signal.correlate2d(x[0, 0].astype("f4"), weight[0, 0].astype("f4"), "valid")
    np.testing.assert_array_equal(forzium.conv2d(x[0, 0], weight[0, 0]).astype("f4"), want)
    want = np.einsum("ciq,ocq->oi", windows[0, :, 0, :, 0], weight[:, :, 0].astype("f4"))
    np.testing.assert_array_equal(forzium.conv1d(x[:1, :, 0], weight[:, :, 0])[0].astype("f4"), want)

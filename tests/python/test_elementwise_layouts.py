"""Where operands lie changes no bit, of functions and operations on three operands neither."""

from fractions import Fraction

import forzium
import numpy as np
import pytest
from forzium import _core
from forzium.accuracy.oracle import ORACLES, exact, long_double_is_wide
from forzium.accuracy.ulp import errors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from layouts import awkward_values, layouts, seeds
from oracle import EXACT, assert_equal, assert_same, assert_same_values, outcome

ROWS = {name: operands for name, (_, operands) in _core.expression_operations().items()}
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift")
WHOLE = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
FLOATS = ("f2", "f4", "f8")
EITHER_ZERO = ("maximum", "minimum", "fmax", "fmin", "clip")
FEW = 40
"""Results that are compared with exact values, some of which take long."""


def values_of(seed, shape, dtype):
    """Floats over all magnitudes with special ones; integers of the whole range, and small ones."""
    dtype, random = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "f":
        return awkward_values(seed, shape, dtype)
    if dtype.kind == "b":
        return random.random(shape) < 0.5
    limits = np.iinfo(dtype)
    wide = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return np.asarray(np.where(random.random(shape) < 0.5, wide, random.integers(0, 9, shape)).astype(dtype))


@st.composite
def operands(draw, name):
    """Of any layouts, that broadcast together; of two dtypes at most: in NumPy three meet at once."""
    kinds = st.sampled_from(WHOLE if name in BITS else (*WHOLE, *FLOATS, *FLOATS, *FLOATS))
    count, pair = ROWS[name], st.sampled_from([draw(kinds), draw(kinds)])
    dtypes = [draw(pair) for _ in range(count)]
    most = draw(st.sampled_from([3, 7, 40]))
    together = draw(mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=most, max_dims=3))
    return [
        draw(layouts(shape)).place(values_of(draw(seeds), shape, dtype))
        for shape, dtype in zip(together.input_shapes, dtypes, strict=True)
    ]


# ---- what is near ------------------------------------------------------------------------------------------


def by_numpy(name, inputs, dtype):
    """What NumPy gives, or its arithmetic for the rectifiers; None for what it does not know."""
    if name in EXACT or name in ("where", "clip") or (name == "power" and dtype.kind in "biu"):
        return getattr(np, name)(*inputs)
    if name == "relu":
        return np.maximum(inputs[0].astype(dtype), 0) + 0  # never -0
    if name == "leaky_relu":
        x, alpha = (x.astype(dtype) for x in inputs)
        return np.where(x < 0, x * alpha, x)
    return None


def exact_fma(x, y, z):
    """Rounded to float64, which is all that float64 holds and more than narrower floats do."""
    if not np.isfinite([x, y, z]).all():
        return z if np.isfinite([x, y]).all() else x * y + z  # a product that would overflow alone does not
    total = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    try:
        return np.float64(float(total))
    except OverflowError:
        return np.float64(np.inf if total > 0 else -np.inf)


def exact_few(name, inputs):
    """In a wider type, of operands of the result's dtype."""
    if name == "fma":
        rows = zip(*(x.astype(np.float64) for x in inputs), strict=True)
        return np.array([exact_fma(*row) for row in rows], np.longdouble)
    if name == "elu":
        x, alpha = (x.astype(np.longdouble) for x in inputs)
        return np.where(x >= 0, x, alpha * np.expm1(x))  # whatever alpha is
    return exact(name, tuple(x.astype("f4") if x.dtype == np.float16 else x for x in inputs))


def assert_near(name, inputs, got):
    """But where values at infinity are not settled. The product of elu with an alpha is rounded, too."""
    if got.dtype == np.float64 and not long_double_is_wide():
        pytest.skip("long double is no wider than float64")
    some = slice(None, None, 1 + got.size // FEW)
    inputs = [x.ravel()[some].astype(got.dtype) for x in inputs]
    got = got.ravel()[some]
    if name in ORACLES and not ORACLES[name].limits:
        finite = np.isfinite(inputs[0])
        inputs, got = [x[finite] for x in inputs], got[finite]
    error = errors(got, exact_few(name, inputs))
    assert (error <= (2 if name == "elu" else 1)).all(), (
        name,
        [x[error.argmax()] for x in inputs],
        error.max(),
    )


# ---- the test ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=settings.default.max_examples // 3)
@given(data=st.data())
def test_bits_are_those_of_contiguous_operands(name, data):
    inputs = data.draw(operands(name))
    gapless = [np.array(x, order="C") for x in np.broadcast_arrays(*inputs)]
    want, refusal = outcome(lambda: getattr(forzium, name)(*gapless))
    got, error = outcome(lambda: getattr(forzium, name)(*inputs))
    if refusal:
        assert type(error) is type(refusal)
        return
    assert error is None, error
    (assert_equal if name in EITHER_ZERO else assert_same)(got, want)
    numpys = by_numpy(name, gapless, want.dtype)
    if numpys is None:
        assert_near(name, gapless, np.asarray(want))
    elif name in EITHER_ZERO:
        np.testing.assert_array_equal(want, numpys, strict=want.ndim > 0)
    else:
        assert_same_values(want, numpys)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 37])
def test_a_product_that_overflows_alone_does_not_in_fma(dtype, n):
    most = np.finfo(dtype).max
    x, y = np.full(n, most, dtype), np.full(n, 2, dtype)
    for z, right in ((-most, most), (-np.inf, -np.inf), (most, np.inf)):
        np.testing.assert_array_equal(forzium.fma(x, y, np.full(n, z, dtype)), np.full(n, right, dtype))

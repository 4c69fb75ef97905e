"""Powers that vanish: elements far below the largest of a softmax, masks of -inf, saturated functions."""

import forzium
import numpy as np
import pytest


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

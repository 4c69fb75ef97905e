"""Expressions of few elements, computed without a plan, give what operations give alone."""

import itertools

import forzium
import numpy as np
import pytest
from oracle import assert_same


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int16"])
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (2, 4), (3, 17), (20, 50), (129, 128)])
def test_rows_and_columns(shape, dtype):
    random = np.random.default_rng(shape[1])
    rows, n = shape
    for b_shape, c_shape in itertools.product([shape, (1, n), (rows, 1), (1, 1), ()], repeat=2):
        a, b, c = ((100 * random.random(s)).astype(dtype) for s in (shape, b_shape, c_shape))
        assert_same(forzium.evaluate("(a - b)*c"), (a - b) * c)
        assert_same(forzium.evaluate("(b - a)*c"), (b - a) * c)
        np.testing.assert_array_equal(forzium.evaluate("a*c > b"), a * c > b)
        flipped = forzium.evaluate("(a - b)*c", {"a": a[:, ::-1], "b": b, "c": c})
        assert_same(flipped, (a[:, ::-1] - b) * c)


@pytest.mark.parametrize("shape", [(2, 4), (20, 50)])
def test_rows_and_columns_of_out(shape):
    memory = np.random.default_rng(0).standard_normal((shape[0] + 1, shape[1]))
    views = (
        lambda x: x[1:],
        lambda x: x[-1:],
        lambda x: x[1:, 1:2],
        lambda x: x[:-1],
        lambda x: x[:1],
    )
    for b, c in itertools.product(views, repeat=2):
        x = memory.copy()
        want = (x[1:] - b(x)) * c(x)
        forzium.evaluate("(a - b)*c", {"a": x[1:], "b": b(x), "c": c(x)}, out=x[1:])
        np.testing.assert_array_equal(x[1:], want)
        np.testing.assert_array_equal(x[0], memory[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 31, 63, 64, 65, 200])
def test_functions_give_the_bits_that_they_give_alone(n, dtype):
    a, b = np.random.default_rng(n).standard_normal((2, n)).astype(dtype)
    exp, sin = forzium.exp, forzium.sin
    assert_same(forzium.evaluate("exp(-a*a)*sin(b)"), exp(-a * a) * sin(b))
    assert_same(forzium.evaluate("2/(1 + exp(a)) - exp(b)", out=a.copy()), 2 / (1 + exp(a)) - exp(b))
    assert_same(forzium.evaluate("sin(a)", out=(out := a.copy())), sin(a))
    assert_same(out, sin(a))
    assert_same(
        forzium.evaluate("where((a > b) & ~(b < 0), sin(a), 1 - s*exp(b))", {"a": a, "b": b, "s": 3}),
        np.where((a > b) & ~(b < 0), sin(a), 1 - 3 * exp(b)),
    )
    assert_same(
        forzium.evaluate("where(sin(a) >= b, a, b) + where(a < b, b, 1)"),
        np.where(sin(a) >= b, a, b) + np.where(a < b, b, dtype(1)),
    )
    np.testing.assert_array_equal(forzium.evaluate("sin(a) < exp(b)"), sin(a) < exp(b))
    np.testing.assert_array_equal(
        forzium.evaluate("isnan(log(a)) | (b > s)", {"a": a, "b": b, "s": 0.0}), (a < 0) | (b > 0)
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint32", "bool"])
@pytest.mark.parametrize("n", [1, 7, 63, 64, 65])
def test_dtypes_without_code(n, dtype):
    a, b, c = np.random.default_rng(n).integers(0, 2 if dtype == "bool" else 100, (3, n)).astype(dtype)
    assert_same(forzium.evaluate("(a + b)*c | a"), (a + b) * c | a)
    assert_same(forzium.evaluate("where(a > b, a ^ c, b)"), np.where(a > b, a ^ c, b))
    assert_same(forzium.evaluate("a & s", {"a": a, "s": True}), a & True)

"""Reductions that close an expression give the bits of the separate ones."""

import warnings

import forzium
import numpy as np
import pytest
from oracle import numbers_of_threads

PLAIN = ["sum", "prod", "mean", "max", "min", "var", "std"]
REDUCTIONS = [*PLAIN, "any", "all", "count_nonzero", *(f"nan{name}" for name in PLAIN)]
SHAPES = [(7,), (40, 600), (600, 40), (3, 70, 11), (5, 1, 900), (1, 1)]


def reduction_operands(shape, dtype):
    random = np.random.default_rng(len(shape))
    a = random.integers(-3, 4, shape).astype(dtype) if dtype in "bilB" else random.uniform(0.9, 1.1, shape)
    return a.astype(dtype), random.integers(1, 3, shape[-1:]).astype(dtype)


@pytest.mark.parametrize("dtype", ["f", "d", "b", "i", "l", "B", "e"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_take_axes(name, dtype):
    for shape in SHAPES:
        a, b = reduction_operands(shape, dtype)
        if name.startswith("nan") and dtype in "fde":
            a.flat[::5] = np.nan
        elements = a * b - a
        for axis in [None, 0, -1, *([(0, 2), (1, 2)] if len(shape) == 3 else [])]:
            got = forzium.evaluate(f"{name}(a*b - a, axis={axis})")
            np.testing.assert_array_equal(got, getattr(forzium, name)(elements, axis=axis))
            if dtype == "e":
                continue  # NumPy rounds each step of a float16 sum
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # where all is NaN
                expected = getattr(np, name)(elements, axis=axis)
            assert np.asarray(got).dtype == np.asarray(expected).dtype
            rtol = {"f": 1e-4, "d": 1e-12}.get(dtype, 1e-12)
            np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * elements.size)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "var", "all", "nansum"])
def test_reductions_of_many_elements(name, axis):
    a = np.random.default_rng(3).standard_normal((700, 900))
    b = a[:, :1]
    results = set()
    elements = np.exp(-a * a) * b
    for _ in numbers_of_threads():
        results.add(np.asarray(forzium.evaluate(f"{name}(a*b + a, {axis})")).tobytes())
        got = forzium.evaluate(f"{name}(exp(-a*a)*b, {axis})")
        np.testing.assert_allclose(got, getattr(np, name)(elements, axis=axis), rtol=1e-9)
    assert results == {np.asarray(getattr(forzium, name)(a * b + a, axis=axis)).tobytes()}


@pytest.mark.parametrize("n", [1, 3, 999, 32768, 32769, 100001, 1 << 20, (1 << 20) + 1])
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_reductions_of_gapless_arrays(n, dtype):
    a, b = np.random.default_rng(n).uniform(0.5, 1.5, (2, n)).astype(dtype)
    elements = (a - b) * 3
    for _ in numbers_of_threads(1, 2):
        for name in ("sum", "mean", "max", "min"):
            got, alone = forzium.evaluate(f"{name}((a - b)*3)"), getattr(forzium, name)(elements)
            assert got.dtype == alone.dtype
            assert got.tobytes() == alone.tobytes()
    size = np.abs(elements).sum(dtype=np.float64)
    error = abs(forzium.evaluate("sum((a - b)*3)") - elements.sum(dtype=np.float64))
    assert error <= 40 * np.finfo(dtype).eps * size


def test_sums_and_means_of_negative_zeros_are_zero():
    for n in (1, 8, 40000):
        names = {"x": np.full(n, -0.0, np.float32)}
        signs = [np.signbit(forzium.evaluate(f"{r}(x*1)", names)) for r in ("sum", "mean", "max")]
        assert signs == [False, False, True]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_of_float16_are_the_same_on_any_number_of_threads(axis):
    a = np.random.default_rng(4).uniform(-1, 1, (700, 900)).astype(np.float16)
    elements, results = a * a, set()
    for _ in numbers_of_threads():
        results.add(np.asarray(forzium.evaluate(f"sum(a*a, {axis})")).tobytes())
        results.add(np.asarray(forzium.sum(elements, axis=axis)).tobytes())
    assert len(results) == 1
    exact = elements.astype(np.float64).sum(axis)
    np.testing.assert_allclose(forzium.sum(elements, axis=axis, dtype=np.float32), exact, rtol=1e-6)


def test_reductions_write_to_out():
    a = np.arange(12.0).reshape(3, 4)
    out, narrow = np.empty(4), np.empty(4, np.float32)
    assert forzium.evaluate("sum(a*a, axis=0)", out=out) is out
    forzium.evaluate("sum(a*a, axis=0)", out=narrow)
    np.testing.assert_array_equal(out, (a * a).sum(0))
    np.testing.assert_array_equal(narrow, out)
    with pytest.raises(ValueError, match="must be"):
        forzium.evaluate("sum(a*a, axis=1)", out=out)
    forzium.evaluate("sum(a*a, axis=0)", out=a[1])
    np.testing.assert_array_equal(a[1], out)


@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_reductions_cast_to_out_under_the_rule_that_is_asked_for(dtype, casting):
    a, out = np.array([0.5, 2.0, 3.25]), np.zeros((), dtype)
    if np.can_cast(a.dtype, dtype, casting):
        assert forzium.evaluate("sum(a)", {"a": a}, out=out, casting=casting) is out
        assert out == np.sum(a).astype(dtype)
    else:
        with pytest.raises(TypeError, match=r"evaluate: out is .* cannot be cast.*; float64 would do"):
            forzium.evaluate("sum(a)", {"a": a}, out=out, casting=casting)
        assert out == 0


def test_wrong_reductions_are_errors():
    a, none = np.ones((3, 4)), np.ones((0, 4))  # noqa: F841
    for text in ("sum(a + 1, axis=2)", "sum(a + 1, axis=-3)", "max(a + 1, axis=(0, 0))"):
        with pytest.raises(ValueError, match="axis"):
            forzium.evaluate(text)
    for text in ("sum(a, axis=1.5)", "sum(a, axis=a)", "argmax(a + 1)", "sum(a) + 1", "median(a)"):
        with pytest.raises(ValueError, match="column"):
            forzium.evaluate(text)
    for text in ("sum()", "sum(axis=0)", "sum(a, 0, 1)", "sum(a, keepdims=True)"):
        with pytest.raises(ValueError, match="column 1: sum takes an argument and axis"):
            forzium.evaluate(text)
    with pytest.raises(ValueError, match="no elements"):
        forzium.evaluate("max(none + 1)")
    np.testing.assert_array_equal(forzium.evaluate("sum(none + 1, axis=0)"), np.zeros(4))

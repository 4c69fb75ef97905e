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


# ---- functions that a reduction closes ---------------------------------------------------------------------

WAYS = {
    "forzium": lambda name, axis: lambda a, b: getattr(forzium, name)(a * b - a, axis=axis),
    "numpy": lambda name, axis: lambda a, b: getattr(np, name)(a * b - a, axis),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["f", "d", "b", "l"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_fused_functions_are_closed_by_a_reduction(name, dtype, way):
    for shape in SHAPES:
        a, b = reduction_operands(shape, dtype)
        for axis in [None, 0, -1, *([(0, 2), (1, 2)] if len(shape) == 3 else [])]:
            function = WAYS[way](name, axis)
            got = forzium.fuse(function)(a, b)
            want = forzium.evaluate(f"{name}(a*b - a, axis={axis})", {"a": a, "b": b})
            assert (type(got), got.dtype, got.tobytes()) == (type(want), want.dtype, want.tobytes())
            expected, rtol = WAYS["numpy"](name, axis)(a, b), 1e-4 if dtype == "f" else 1e-12
            assert got.shape == np.shape(expected)
            np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * a.size)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "var", "std", "any", "all"])
def test_symbols_are_reduced_by_methods_as_arrays_are(name):
    def function(a, b):
        return getattr(a * b - a, name)(axis=1)

    a, b = reduction_operands((5, 70), "d")
    np.testing.assert_allclose(forzium.fuse(function)(a, b), function(a, b), rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    ["add", "multiply", "maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or"],
)
def test_functions_of_numpy_reduce_over_the_first_axis_unless_they_are_told_otherwise(name):
    reduce = getattr(np, name).reduce
    a, b = reduction_operands((5, 70), "d")
    a[0, :3] = np.nan
    for function in (
        lambda a, b: reduce(a - b),
        lambda a, b: reduce(a - b, 1),
        lambda a, b: reduce(a - b, axis=None, keepdims=False),
    ):
        got, want = forzium.fuse(function)(a, b), function(a, b)
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_options_that_mean_nothing_may_be_given():
    for function in (
        lambda x: np.sum(x, axis=(0, 1), dtype=None, out=None),
        lambda x: np.var(a=x, ddof=0),
        lambda x: np.sum(x, keepdims=False),
        lambda x: np.amax(x, 0),
        lambda x: np.amin(x),
        lambda x: forzium.sum(x, np.int64(1), keepdims=False, where=True),
    ):
        np.testing.assert_allclose(forzium.fuse(function)(np.eye(3)), function(np.eye(3)))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.sum(x) + 1, "sum can only be the outermost function and all that is returned"),
        (lambda x: x / forzium.max(x), "max can only be the outermost function"),
        (lambda x: (x, x.mean()), "mean can only be the outermost function"),
        (lambda x: (np.sum(x),), "sum can only be the outermost function"),
        (lambda x: np.sum(np.sum(x, 0)), "sum can only be the outermost function"),
        (lambda x: forzium.astype(np.sum(x), "f4"), "sum can only be the outermost function"),
        (lambda x: np.clip(x, None, np.max(x)), "max can only be the outermost function"),
        (lambda x: np.sum(x, keepdims=True), "sum is understood with axis alone, not with keepdims; forzium"),
        (lambda x: forzium.sum(x, dtype="f4"), "sum is understood with axis alone, not with dtype"),
        (lambda x: x.sum(out=np.empty(())), "sum is understood with axis alone, not with out"),
        (lambda x: np.max(x, where=x > 0, initial=0), "max is understood .* not with initial, where"),
        (lambda x: np.add.reduce(x, initial=1), "sum is understood with axis alone, not with initial"),
        (lambda x: np.std(x, ddof=1), "std is understood with axis alone, not with ddof"),
        (lambda x: np.sum(x, axis=1.5), "sum's axis is 1.5; an integer, a tuple of them or None would do"),
        (lambda x: forzium.sum(x, axis=[0]), r"sum's axis is \[0\]|sum: axis"),
        (lambda x: forzium.sum(np.eye(2), where=x), "ndarray is no number and no argument|not with where"),
        (lambda x: np.subtract.reduce(x), "subtract is understood as a plain call only"),
        (lambda x: np.add.accumulate(x), "add is understood as a plain call only"),
        (lambda x: np.argmax(x), "argmax is not for expressions; forzium.argmax of an array would do"),
    ],
)
def test_other_reductions_in_a_fused_function_are_type_errors(function, message):
    with pytest.raises(TypeError, match=f"^(fuse: )?{message}"):
        forzium.fuse(function)


def test_fused_reductions_write_to_out_and_name_the_axis_that_is_not_there():
    x, out = np.arange(12.0).reshape(3, 4), np.empty(4)
    total = forzium.fuse(lambda x: np.sum(x * x, axis=0))
    assert total(x, out=out) is out
    np.testing.assert_array_equal(out, (x * x).sum(0))
    narrow = np.empty(4, np.float32)
    np.testing.assert_array_equal(total(x, out=narrow), out)
    with pytest.raises(ValueError, match="must be"):
        total(x, out=np.empty(3))
    with pytest.raises(ValueError, match="axis"):
        forzium.fuse(lambda x: np.sum(x, axis=2))(x)

"""Reductions: minimum and maximum exactly as NumPy, sums within the bound of pairwise summation."""

import math
import warnings

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, GUARD, arrays, awkward_values, dtypes, layouts, shapes, special_values
from oracle import assert_same, assert_within, counted, outcome

EXTREMES = ("min", "max")
NUMBERS_EXTREMES = ("nanmin", "nanmax")
SUMS = ("sum", "mean")
WITH_DTYPE = (*SUMS, "prod")
reductions = pytest.mark.parametrize("name", SUMS + EXTREMES)
all_reductions = pytest.mark.parametrize("name", WITH_DTYPE + EXTREMES + NUMBERS_EXTREMES)
any_extremes = pytest.mark.parametrize("name", EXTREMES + NUMBERS_EXTREMES)
sums = pytest.mark.parametrize("name", SUMS)
extremes = pytest.mark.parametrize("name", EXTREMES)


def axes_of(ndim):
    """None, one axis or several, counted from either end."""
    if ndim == 0:
        return st.sampled_from([None, ()])
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(one, unique_by=lambda axis: axis % ndim, max_size=ndim).map(tuple)
    return st.none() | one | several


def count_reduced(shape, axis):
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    return math.prod(shape[a] for a in axes)


def numpys(name, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Mean of empty slice"
        return getattr(np, name)(*args, **kwargs)


def assert_sum(name, got, x, axis=None, keepdims=False, dtype=None):
    """Against long double: within what pairwise summation over blocks promises."""
    count = max(count_reduced(x.shape, axis), 1)
    exact = numpys(name, x.astype(np.longdouble), axis=axis, keepdims=keepdims)
    size = numpys(name, np.abs(x).astype(np.longdouble), axis=axis, keepdims=keepdims)
    limits = np.finfo(dtype or x.dtype)
    bound = limits.eps * (8 + math.log2(count)) * size + limits.smallest_subnormal
    assert np.asarray(got).dtype == limits.dtype
    assert_within(got, exact, bound)


# ---- shapes, layouts, types --------------------------------------------------------------------


@any_extremes
@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_extremes_are_numpys(name, data, dtype, keepdims):
    x = data.draw(arrays(data.draw(shapes()), dtype)) + 0.0
    axis = data.draw(axes_of(x.ndim))
    want, refusal = outcome(lambda: numpys(name, x, axis=axis, keepdims=keepdims))
    got, error = outcome(lambda: getattr(forzium, name)(x, axis=axis, keepdims=keepdims))
    if refusal is not None:
        assert isinstance(error, ValueError), error
        assert name in str(error)
    else:
        assert error is None, error
        assert type(got) is type(want)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@sums
@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_sums_are_accurate(name, data, dtype, keepdims):
    x = data.draw(arrays(data.draw(shapes()), dtype, specials=False))
    axis = data.draw(axes_of(x.ndim))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = getattr(forzium, name)(x, axis=axis, keepdims=keepdims)
    assert type(got) is type(numpys(name, x, axis=axis, keepdims=keepdims))
    assert_sum(name, got, x, axis, keepdims)


@reductions
@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_writes_out_of_any_layout_and_nothing_beside_it(name, data, dtype, keepdims):
    x = data.draw(arrays(data.draw(shapes(max_dims=3).filter(lambda s: 0 not in s)), dtype, specials=False))
    axis = data.draw(axes_of(x.ndim))
    operation = getattr(forzium, name)
    want = operation(x, axis=axis, keepdims=keepdims)
    out, memory = data.draw(layouts(np.shape(want))).allocate(dtype)
    untouched = memory.copy()
    assert operation(x, axis=axis, out=out, keepdims=keepdims) is out
    # The order of a sum may follow out's strides; its rounding stays within eps per element.
    np.testing.assert_allclose(out, want, rtol=0, atol=np.finfo(dtype).eps * np.sum(np.abs(x)))
    out[...] = np.full(out.itemsize, GUARD, np.uint8).view(dtype)[0]
    np.testing.assert_array_equal(memory, untouched)


@sums
@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.float64, float])
@pytest.mark.parametrize("given_dtype", DTYPES)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_dtype_argument(name, dtype, given_dtype, axis):
    x = awkward_values(3, (37, 41), given_dtype, share_special=0)
    got = getattr(forzium, name)(x, axis=axis, dtype=dtype)
    assert_sum(name, got, x.astype(dtype), axis, dtype=dtype)


@all_reductions
def test_arguments_by_position_and_by_name(name):
    """In NumPy's order, in which only the sums have a dtype."""
    x = np.arange(12.0).reshape(3, 4)
    operation = getattr(forzium, name)
    out = np.empty((3, 1))
    dtype = {"dtype": None} if name in WITH_DTYPE else {}
    assert operation(x, 1, *dtype.values(), out, True) is out
    np.testing.assert_array_equal(out, getattr(np, name)(x, 1, keepdims=True))
    np.testing.assert_array_equal(operation(x=x, axis=1, **dtype, out=None, keepdims=True), out)
    np.testing.assert_array_equal(operation(x, np.int64(1)), out[:, 0])


@all_reductions
@pytest.mark.parametrize("x", [[[1, 2], [3, 4.5]], [5], 3.0, 3, True, np.float32(2), [True, False]], ids=repr)
def test_lists_and_scalars(name, x):
    assert_same(getattr(forzium, name)(x), getattr(np, name)(x))


@all_reductions
def test_byte_swapped(name):
    x = np.arange(12.0).reshape(3, 4)
    assert_same(
        getattr(forzium, name)(x.astype(x.dtype.newbyteorder()), axis=0), getattr(np, name)(x, axis=0)
    )


@pytest.mark.parametrize("name", ["sum", *EXTREMES])
@pytest.mark.parametrize("scalar", [np.float64(3), np.float32(3), np.array(3.0)], ids=repr)
@pytest.mark.parametrize("axis", [0, -1])
def test_the_one_axis_that_a_scalar_has_for_numpy(name, scalar, axis):
    for keepdims in (False, True):
        want = getattr(np, name)(scalar, axis=axis, keepdims=keepdims)
        assert_same(getattr(forzium, name)(scalar, axis=axis, keepdims=keepdims), want)


@reductions
@pytest.mark.parametrize("axis", [1, -2])
def test_a_scalar_has_no_other_axis(name, axis):
    with pytest.raises(ValueError, match=name):
        getattr(forzium, name)(np.float64(3), axis=axis)


# ---- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_float32_means_of_many_ones_are_one(dtype):
    ones = np.ones(2**25, dtype)
    assert forzium.mean(ones) == 1
    assert forzium.sum(ones) == 2**25
    assert np.all(forzium.mean(ones.reshape(2**23, 4), axis=0) == 1)
    assert np.all(forzium.sum(ones.reshape(4, 2**23), axis=1) == 2**23)


@sums
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1_000_003,), (1003, 1001), (3, 400_001), (400_001, 3), (101, 99, 97)])
def test_long_sums(name, dtype, shape):
    whole = np.random.default_rng(1).random(shape).astype(dtype)
    for x in (whole, whole[..., ::2], whole[..., ::-3], whole.T):
        for axis in (None, *range(len(shape)), -1, *[(0, 2), (1, 2), (0, 1)][: 3 * (len(shape) > 2)]):
            assert_sum(name, getattr(forzium, name)(x, axis=axis), x, axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (100_003,), (1003, 101), (101, 3)])
def test_products(dtype, shape):
    """Of factors near 1, against long double: an error of eps for each at the most, of few as they join."""
    x = (1 + 0.001 * np.random.default_rng(3).standard_normal(shape)).astype(dtype)
    for axis in (None, *range(len(shape))):
        exact = np.prod(x.astype(np.longdouble), axis=axis)
        bound = np.finfo(dtype).eps * np.sqrt(8 * count_reduced(shape, axis)) * np.abs(exact)
        assert_within(forzium.prod(x, axis=axis), exact, bound)


@pytest.mark.parametrize("name", NUMBERS_EXTREMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_number_anywhere_is_found_among_nans(name, dtype):
    for length in range(1, 70):
        for place in range(length):
            x = np.full(length, np.nan, dtype)
            x[place] = -3
            assert getattr(forzium, name)(x) == -3, (length, place)


@extremes
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1_000_003,), (1003, 1001), (400_001, 3), (101, 99, 97)])
def test_long_extremes(name, dtype, shape):
    x = awkward_values(5, shape, dtype)
    x[np.isnan(x)] = 0
    for place in (None, 0, -1, x.size // 2):
        if place is not None:
            x.reshape(-1)[place] = np.nan
        for axis in (None, *range(len(shape))):
            np.testing.assert_array_equal(
                getattr(forzium, name)(x, axis=axis), getattr(np, name)(x, axis=axis)
            )


@reductions
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_length_up_to_four_vectors(name, dtype):
    """Whole numbers, so that any order of adding gives the same sum."""
    values = np.random.default_rng(2).integers(-50, 50, 200).astype(dtype)
    for length in range(1, 70):
        for x in (values[:length], values[1 : length + 1], values[: 2 * length : 2], values[length:0:-1]):
            assert_same(getattr(forzium, name)(x), getattr(np, name)(x))


@extremes
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_nan_anywhere_is_found(name, dtype):
    for length in range(1, 70):
        for place in range(length):
            x = np.arange(length, dtype=dtype)
            x[place] = np.nan
            assert np.isnan(getattr(forzium, name)(x)), (length, place)


@any_extremes
@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_beyond_zero(name, dtype):
    """No value that fills unused lanes may win: all above or all below zero, and infinities."""
    for length in range(1, 40):
        for value in (5, -5, np.inf, -np.inf, np.finfo(dtype).max, -np.finfo(dtype).tiny):
            x = np.full(length, value, dtype)
            assert getattr(forzium, name)(x) == x[0]


@sums
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [2, 9, 70, 5000])
def test_non_finite_sums(name, dtype, length):
    for first in special_values(dtype):
        for last in (np.inf, -np.inf, np.nan, 1.0):
            x = np.ones(length, dtype)
            x[0], x[-1] = first, last
            np.testing.assert_allclose(
                getattr(forzium, name)(x), getattr(np, name)(x), rtol=8 * np.finfo(dtype).eps
            )


@all_reductions
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), ()])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (0, 5, 3)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_nothing_to_reduce(name, axis, shape, keepdims):
    x = np.empty(shape)
    want, refusal = outcome(lambda: numpys(name, x, axis=axis, keepdims=keepdims))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, error = outcome(lambda: getattr(forzium, name)(x, axis=axis, keepdims=keepdims))
    if refusal is None:
        assert error is None, error
        assert_same(got, want)
    else:
        assert isinstance(error, ValueError)
        assert name in str(error)


@pytest.mark.parametrize(("name", "want"), [("sum", 2.0**31), ("max", 1.0)])
def test_more_elements_than_31_bits_count(name, want):
    """2**31 + 5 of them, in the memory of one."""
    assert getattr(forzium, name)(np.broadcast_to(np.float32(1), (2**31 + 5,))) == want


@reductions
def test_many_axes(name):
    x = awkward_values(9, (2, 3) * 6, "float64", share_special=0)
    for axis in (None, (0, 2, 4), (1, 11), tuple(range(11)), 7):
        got = getattr(forzium, name)(x, axis=axis)
        if name in SUMS:
            assert_sum(name, got, x, axis)
        else:
            assert_same(got, getattr(np, name)(x, axis=axis))


@sums
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        *(((n,), (None, (), 0)) for n in (1, 32769)),
        *(((m, n), (None, (), 0, 1, (0, 1))) for m, n in [(1, 1), (2, 1), (1, 2), (2, 0)]),
    ],
)
def test_sums_of_negative_zeros(name, dtype, shape, axes):
    x = np.full(shape, -0.0, dtype)
    for axis in axes:
        for options in ({}, {"keepdims": True}, {"dtype": "float32"}, {"dtype": "float64"}):
            want = numpys(name, x, axis=axis, **options)
            assert_same(getattr(forzium, name)(x, axis=axis, **options), want)


# ---- truths and places -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["any", "all", "max", "min"])
def test_truths_of_any_bytes_are_ones(name):
    x = np.array([[2, 4], [0, 8], [0, 0]], np.uint8).view(bool)
    for axis in (None, 0, 1):
        result = np.asarray(getattr(forzium, name)(x, axis=axis))
        assert_same(result.view(np.uint8), np.asarray(getattr(np, name)(x != 0, axis=axis)).view(np.uint8))


@pytest.mark.parametrize("place", [0, 1, 63, 64, 511, 512, 5000, 32767, 32768, 70_000, 199_999])
def test_one_element_decides_wherever_it_stands(place):
    x = np.zeros(200_000, bool)
    x[place] = True
    assert forzium.any(x)
    assert not forzium.all(~x)
    assert forzium.count_nonzero(x) == forzium.sum(x) == 1
    assert forzium.argmax(x) == forzium.argmin(~x) == place
    assert not forzium.any(x[:place])


@pytest.mark.parametrize(
    "name", ["sum", "count_nonzero", "any", "all", "max", "min", "argmax", "argmin", "prod"]
)
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8"])
@given(data=st.data())
def test_integers_are_numpys(name, dtype, data):
    shape = data.draw(st.sampled_from([(300, 7), (3, 700), (70, 129)]))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, shape).astype(dtype)
    x = data.draw(layouts(shape)).place(values)
    for axis in (None, 0, -1):
        assert_same(getattr(forzium, name)(x, axis=axis), counted(getattr(np, name)(x, axis=axis)))


@pytest.mark.parametrize("name", ["sum", "prod"])
@pytest.mark.parametrize("dtype", ["?", "i4", "f4"])
def test_totals_as_bools(name, dtype):
    x = np.random.default_rng(4).integers(0, 2, (40, 5)).astype(dtype)
    for axis in (None, 0, 1):
        assert_same(
            getattr(forzium, name)(x, axis=axis, dtype=bool), getattr(np, name)(x, axis=axis, dtype=bool)
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [2, 3, 64, 65, 1000])
@pytest.mark.parametrize("axis", [0, 1])
def test_variances_of_columns_that_begin_like_no_other_element(dtype, rows, axis):
    limits = np.finfo(dtype)
    x = np.random.default_rng(8).standard_normal((rows, 300)).astype(dtype)
    for first in (100, 1e6, np.sqrt(limits.max) / 4):
        x[0] = first
        exact = np.var(x.astype(np.longdouble), axis=0)
        got = forzium.var(x if axis == 0 else np.ascontiguousarray(x.T), axis=axis)
        np.testing.assert_allclose(got.astype(np.longdouble), exact, rtol=32 * limits.eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["var", "nanvar"])
@pytest.mark.parametrize(
    "shape", [(33, 5), (65, 100), (300, 3), (1024, 40), (1025, 7), (5000, 3), (3000, 300)]
)
def test_variances_of_columns_whose_first_numbers_are_far_from_the_others(dtype, name, shape):
    limits, noise = np.finfo(dtype), np.random.default_rng(9).standard_normal(shape)
    for far in (3, 1e4, np.sqrt(limits.max) / 1e6):
        for count in {1, shape[0] // 8, shape[0] // 8 + 1, 32, shape[0] // 2, shape[0] - 1}:
            x = noise.astype(dtype)
            x[:count] += limits.dtype.type(far)
            exact = np.var(x.astype(np.longdouble), axis=0)
            got = getattr(forzium, name)(x, axis=0)
            np.testing.assert_allclose(got.astype(np.longdouble), exact, rtol=32 * limits.eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300, 3), (2000, 70), (40_000, 3)])
def test_nan_among_the_first_rows_or_the_last(dtype, shape):
    eps = np.finfo(dtype).eps
    for rows in (slice(0, 1), slice(0, 40), slice(0, shape[0] - 2), slice(-3, None), slice(1, None, 2)):
        x = np.random.default_rng(10).normal(1000, 1, shape).astype(dtype)
        x[rows, 1] = np.nan
        exact = np.nanvar(x.astype(np.longdouble), axis=0)
        got = forzium.nanvar(x, axis=0)
        np.testing.assert_allclose(got.astype(np.longdouble), exact, rtol=32 * eps)
        assert np.isnan(forzium.var(x, axis=0)).tolist() == [c == 1 for c in range(shape[1])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", [0, 40, 700])
def test_variances_of_infinities_are_numpys(dtype, row):
    x = np.random.default_rng(10).normal(0, 1, (1000, 5)).astype(dtype)
    x[row, 0], x[row, 1], x[row, 2] = np.inf, -np.inf, np.nan
    x[row - 1, 3], x[row, 3] = np.inf, -np.inf
    for name in ("var", "nanvar", "std", "mean", "nanmean"):
        got, exact = getattr(forzium, name)(x, axis=0), numpys(name, x, axis=0)
        np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["var", "nanvar", "std"])
@pytest.mark.parametrize("columns", [3, 16, 70])
def test_variances_stay_finite_where_distances_from_the_first_rows_are_too_large(dtype, name, columns):
    x = np.zeros((1000, columns), dtype)
    x[250:] = np.sqrt(np.finfo(dtype).max / 340)
    exact = getattr(np, name.removeprefix("nan"))(x.astype(np.longdouble), axis=0)
    np.testing.assert_allclose(getattr(forzium, name)(x, axis=0), exact.astype(dtype), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["var", "nanvar", "nanmean"])
@pytest.mark.parametrize("shape", [(1000, 70), (5000, 3)])
def test_what_one_column_holds_changes_no_other(dtype, name, shape):
    """Nor do neighbours in the same vector: how the mean was found depends on a column alone."""
    x = np.random.default_rng(11).normal(10, 1, shape).astype(dtype)
    expected = getattr(forzium, name)(x, axis=0)
    for row, value in ((0, np.nan), (400, np.nan), (-1, np.inf), (-1, np.finfo(dtype).max)):
        changed = x.copy()
        changed[row, 1] = value
        got = getattr(forzium, name)(changed, axis=0)
        assert np.delete(got, 1).tobytes() == np.delete(expected, 1).tobytes()


averages = pytest.mark.parametrize("name", ["mean", "var", "nanmean", "nanvar"])


@averages
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint16", "uint64"])
@pytest.mark.parametrize("given_dtype", ["?", "i1", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_averages_in_integers_are_cut_as_numpys(name, dtype, given_dtype, axis):
    x = np.random.default_rng(4).uniform(0, 11, (40, 5)).astype(given_dtype)
    where = np.arange(200).reshape(40, 5) % 3 > 0
    function, numpys = getattr(forzium, name), getattr(np, name)
    if (name[:3] == "nan" and given_dtype[0] == "f") or (
        name[-3:] == "var" and dtype[0] + given_dtype == "b?"
    ):
        with pytest.raises(TypeError):
            function(x, axis, dtype)
        return
    assert_same(function(x, axis, dtype), numpys(x, axis, dtype))
    got = function(x.T[::-1], axis, dtype, keepdims=True, where=where.T)
    assert_same(got, numpys(x.T[::-1], axis, dtype, keepdims=True, where=where.T))


def test_averages_in_integers_round_no_step_up():
    x = [1.9, 2.9, 0.4]  # cut: 1, 2, 0
    assert_same(forzium.mean(x, dtype=int), np.int64(1))
    assert_same(forzium.var([0, 1, 2, 9], dtype=int), np.int64(12))  # from a mean of 3: 9 + 4 + 1 + 36
    assert_same(forzium.var([0, 1, 2, 9], dtype=int, ddof=2), np.int64(25))
    assert_same(forzium.std([0, 1, 2, 9], dtype="i2"), np.int16(3))
    assert_same(forzium.mean(np.uint8([200, 100]), dtype="u1"), np.uint8(22))  # their sum wraps
    with pytest.raises(TypeError, match="std"):
        forzium.std(np.ones((2, 3)), axis=0, dtype=int)


def test_bools_of_other_bytes_count_once():
    x = np.full(700, 2, np.uint8).view(bool)
    assert forzium.count_nonzero(x) == forzium.sum(x) == 700


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8"])
def test_places_go_to_integers(name, dtype):
    x, got, want = np.random.default_rng(7).random((20, 100)), np.zeros(20, dtype), np.zeros(20, dtype)
    if np.issubdtype(dtype, np.integer):
        assert getattr(forzium, name)(x, axis=1, out=got) is got
        assert_same(got, getattr(np, name)(x, axis=1, out=want))
        return
    for operation in (getattr(forzium, name), getattr(np, name)):
        with pytest.raises(TypeError, match="int64"):
            operation(x, axis=1, out=got)
    assert not got.any()


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("length", [1, 2, 7, 64, 1000, 70_001, 300_000])
def test_true_bytes_are_equal_extremes(name, length):
    rng = np.random.default_rng(length)
    for least in (0, 1):
        x = rng.integers(least, 256, (length, 6), np.uint8)
        x[: length // 2] = np.maximum(x[: length // 2], 1) if name == "argmin" else 0
        bools = x.view(bool)
        for layout in (bools, bools[::-1, ::2], np.ascontiguousarray(x.T).view(bool).T):
            for axis in (None, 0, 1):
                assert_same(getattr(forzium, name)(layout, axis), getattr(np, name)(layout, axis))


@pytest.mark.parametrize("place", [0, 511, 512, 1500, 5000, 40_000, 199_999])
def test_a_true_byte_decides_whatever_it_is(place):
    x = np.zeros(200_000, np.uint8)
    x[place] = 2
    assert forzium.any(x.view(bool))
    assert not forzium.any(x[:place].view(bool))
    y = 2 - x
    assert not forzium.all(y.view(bool))
    assert forzium.all(y[:place].view(bool))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [5, 64, 1023, 1024, 1025, 70_001])
def test_the_first_nan_is_the_extreme(name, dtype, length):
    x = np.random.default_rng(6).random(length).astype(dtype)
    for place in {0, 1, length // 2, length - 1}:
        y = x.copy()
        y[place] = y[-1] = np.nan
        assert getattr(forzium, name)(y) == place


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64", "bool"])
@pytest.mark.parametrize(("name", "identity"), [("nansum", 0), ("nanprod", 1)])
def test_nan_does_not_count_where_the_result_is_an_integer(name, identity, dtype):
    x = np.random.default_rng(0).integers(0, 3, (60, 70)).astype(np.float32)
    x[::3, ::2] = np.nan
    expected = np.where(np.isnan(x), identity, x).astype(dtype)
    for axis in (None, 0, 1):
        np.testing.assert_array_equal(
            getattr(forzium, name)(x, axis, dtype),
            getattr(np, name[3:])(expected, axis, dtype),
        )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["nansum", "nanprod", "nanmean", "nanvar", "nanstd"])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (200, 9), (130, 5000)])
@pytest.mark.filterwarnings("ignore")  # of means of nothing
def test_nan_may_fill_whole_blocks(dtype, name, axis, shape):
    values = np.random.default_rng(0).uniform(0.99, 1.01, shape)
    values[: shape[0] // 2, : shape[1] // 2] = np.nan
    values[:, shape[1] // 3] = values[shape[0] // 3] = np.nan
    if name == "nanprod":
        values = np.sign(values - 1)  # exact in any order
    if name == "nansum":
        values /= 16  # float16 ends at 65504
    x = values.astype(dtype)
    eps = np.finfo(dtype).eps
    for where in (True, np.arange(shape[1]) % 3 > 0):
        expected = getattr(np, name)(x.astype(np.longdouble), axis, where=where)
        got = getattr(forzium, name)(x, axis, where=where)
        np.testing.assert_allclose(np.longdouble(got), expected, rtol=8 * eps, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_of_numbers_as_far_apart_as_numbers_are_finite(dtype):
    """The distances from the mean overflow, though no partial sum does."""
    most = np.finfo(dtype).max
    x = np.array([-most, most / 3, most / 3, most / 3], dtype)
    chosen = np.arange(4) < 4
    for got in (
        forzium.nanmean(x),
        forzium.mean(x, where=chosen),
        forzium.nanmean(x[:, np.newaxis], axis=0)[0],
        forzium.mean(np.stack([x, x]), axis=1, where=chosen)[1],
    ):
        assert abs(got) <= most * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("length", [3, 100, 5000, 200_000])
def test_infinities_that_cancel_are_no_missing_numbers(dtype, length):
    x = np.full(length, np.nan, dtype)
    x[0], x[-1] = np.inf, 0
    assert np.isnan(forzium.nanprod(x))
    x[-1] = -np.inf
    assert np.isnan(forzium.nansum(x))
    assert np.isnan(forzium.nansum(np.stack([x, x], axis=1), axis=0)).all()
    assert forzium.nansum(x[:-1]) == np.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_what_skips_nan_gives_the_usual_bits_where_there_is_none(dtype, axis):
    x = np.random.default_rng(0).standard_normal((300, 1025)).astype(dtype)
    for name in ("sum", "prod", "var", "std"):
        assert_same(getattr(forzium, "nan" + name)(x, axis), getattr(forzium, name)(x, axis))


@pytest.mark.parametrize("operation", [forzium.sum, forzium.max, forzium.norm, forzium.softmax])
@pytest.mark.parametrize("axis", [(0, 0), (0, -1), 1])
def test_a_number_has_no_axis_that_is_named_twice(operation, axis):
    """As NumPy's numbers, it takes axis 0 or -1 and no more."""
    assert operation(3.0, axis=0) == operation(3.0, axis=-1)
    with pytest.raises(ValueError, match=r"axis .* is out of bounds"):
        operation(3.0, axis=axis)

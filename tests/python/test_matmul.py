"""matmul: exact on whole numbers, within k eps |a||b| otherwise, for every shape and layout."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, arrays, awkward_values, dtypes, integer_arrays, layouts
from oracle import assert_equal, assert_within, outcome

sides = st.integers(0, 9) | st.integers(0, 9) | st.integers(10, 70)


def assert_product(c, a, b):
    """The error bound of any order of summation, with or without FMA, against long double."""
    wide_a, wide_b = a.astype(np.longdouble), b.astype(np.longdouble)
    limits = np.finfo(c.dtype)
    k = a.shape[1]
    bound = k * limits.eps * (np.abs(wide_a) @ np.abs(wide_b)) + k * limits.smallest_subnormal
    assert_within(c, wide_a @ wide_b, bound)


@given(data=st.data(), m=sides, k=sides, n=sides, a_dtype=dtypes, b_dtype=dtypes)
def test_whole_numbers_exactly(data, m, k, n, a_dtype, b_dtype):
    a, b = data.draw(integer_arrays((m, k), a_dtype)), data.draw(integer_arrays((k, n), b_dtype))
    want = (a.astype(np.int64) @ b.astype(np.int64)).astype(np.result_type(a, b))
    assert_equal(forzium.matmul(a, b), want)


@given(data=st.data(), m=sides, k=sides, n=sides, dtype=dtypes)
def test_within_the_error_bound(data, m, k, n, dtype):
    a = data.draw(arrays((m, k), dtype, specials=False))
    b = data.draw(arrays((k, n), dtype, specials=False))
    assert_product(forzium.matmul(a, b), a, b)


@given(data=st.data(), m=sides, k=sides, n=sides, dtype=dtypes)
def test_writes_out_of_any_layout_and_nothing_beside_it(data, m, k, n, dtype):
    a, b = data.draw(integer_arrays((m, k), dtype)), data.draw(integer_arrays((k, n), dtype))
    layout = data.draw(layouts((m, n)))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.matmul(a, b, out=got) is got
    want[...] = a.astype(np.int64) @ b.astype(np.int64)
    got += 0  # the sign of a zero sum is left open
    np.testing.assert_array_equal(got_memory, want_memory)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "side", [1, 2, 7, 8, 9, 23, 24, 25, 47, 48, 49, 95, 96, 97, 143, 144, 145, 239, 240, 241]
)
def test_sides_around_the_tiles(dtype, side):
    random = np.random.default_rng(side)
    for m, k, n in [
        (side, side, side),
        (side, 5, 3),
        (5, side, 3),
        (3, 5, side),
        (side, 1, side),
        (1, side, 1),
    ]:
        a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in ((m, k), (k, n)))
        want = (a.astype(np.int64) @ b.astype(np.int64)).astype(dtype)
        for left, right in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
            assert_equal(forzium.matmul(left, right), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (300, 1030, 310),
        (1, 5000, 700),
        (700, 5000, 1),
        (5, 20_000, 5),
        (2000, 3, 400),
        (3, 385, 5000),
        (513, 257, 511),
    ],
)
def test_large(dtype, m, k, n):
    random = np.random.default_rng(k)
    a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in ((m, k), (k, n)))
    want = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)  # whole numbers below 2**53: exact
    assert_equal(forzium.matmul(a, b), want)
    assert_equal(forzium.matmul(b.T, a.T), np.ascontiguousarray(want.T))


def test_random_reals():
    random = np.random.default_rng(0)
    for dtype in DTYPES:
        a, b = (random.standard_normal(shape).astype(dtype) for shape in ((90, 600), (600, 70)))
        assert_product(forzium.matmul(a, b), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_matrix_with_itself(dtype):
    a = np.random.default_rng(4).integers(-8, 9, (61, 61)).astype(dtype)
    for left, right in [(a, a), (a, a.T), (a[::-1], a[:, ::-1])]:
        assert_equal(forzium.matmul(left, right), (left.astype(int) @ right.astype(int)).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [3, 8, 25, 100])
def test_non_finite_values_reach_their_row_and_column_only(dtype, value, side):
    """The zeros that fill a tile's unused lanes meet no infinity."""
    for row, column in [(0, 0), (side - 1, side - 1), (side // 2, 0)]:
        a, b = np.full((side, side), 2, dtype), np.full((side, side), 3, dtype)
        a[row, column] = value
        want = np.full((side, side), 6 * side, dtype)
        want[row] = value
        assert_equal(forzium.matmul(a, b), want)
        assert_equal(forzium.matmul(b, np.ascontiguousarray(a.T)), np.ascontiguousarray(want.T))


def test_infinity_times_zero_is_nan():
    a, b = np.array([[np.inf, 1.0]]), np.array([[0.0, 5.0], [2.0, np.inf]])
    np.testing.assert_array_equal(forzium.matmul(a, b), [[np.nan, np.inf]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_and_inner_dimension_zero(dtype):
    for m, k, n in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)]:
        assert_equal(forzium.matmul(np.ones((m, k), dtype), np.ones((k, n), dtype)), np.zeros((m, n), dtype))
    out = np.full((3, 4), np.nan, dtype)
    forzium.matmul(np.ones((3, 0), dtype), np.ones((0, 4), dtype), out=out)
    assert_equal(out, np.zeros((3, 4), dtype))


def test_out_holding_nan_is_overwritten():
    a = np.arange(30.0 * 30).reshape(30, 30)
    out = np.full((30, 30), np.nan)
    assert_equal(forzium.matmul(a, a, out), a @ a)


def test_lists_keywords_and_byte_orders():
    a, b = [[1, 2], [3, 4]], [[5, 6], [7, 8]]
    want = np.array([[19.0, 22.0], [43.0, 50.0]])
    assert_equal(forzium.matmul(a, b), want)
    assert_equal(forzium.matmul(a=np.array(a, float), b=b, out=None), want)
    assert_equal(forzium.matmul(np.array(a, ">f8"), np.array(b, "<f8")), want)


@pytest.mark.parametrize("window", [np.s_[:8, :8], np.s_[4:, 4:], np.s_[7::-1, :8]])
def test_overlapping_out_is_refused_or_as_with_copies(window):
    memory = awkward_values(3, (12, 12), "float64", share_special=0)
    before = memory.copy()
    other = np.eye(8) * 2
    for arguments in ((memory[:8, :8], other), (other, memory[:8, :8])):
        memory[...] = before
        _, error = outcome(lambda arguments=arguments: forzium.matmul(*arguments, out=memory[window]))
        if error is None:
            np.testing.assert_array_equal(memory[window], before[:8, :8] * 2)
        else:
            assert isinstance(error, ValueError)
            assert "out" in str(error)
            np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((2, 3), (2, 3), r"\(2, 3\).*\(2, 3\)"),
        ((2, 3), (4, 3), r"\(2, 3\).*\(4, 3\)"),
        ((0, 3), (0, 3), r"\(0, 3\)"),
    ],
)
def test_shapes_that_do_not_fit(a, b, words):
    out = np.full((2, 3), 7.0)
    with pytest.raises(ValueError, match=rf"matmul.*{words}"):
        forzium.matmul(np.ones(a), np.ones(b), out=out)
    assert np.all(out == 7)


@pytest.mark.parametrize(
    ("a", "b"),
    [((), (3, 3)), ((3, 3), ()), ((3,), (3, 3)), ((3, 3), (3,)), ((3,), (3,)), ((2, 3, 3), (3, 3))],
)
def test_other_ranks_give_numpys_result_or_a_clear_error(a, b):
    a, b = np.ones(a), np.ones(b)
    want, refusal = outcome(lambda: np.matmul(a, b))
    got, error = outcome(lambda: forzium.matmul(a, b))
    if error is None:
        assert refusal is None
        assert_equal(got, want)
    else:
        assert isinstance(error, ValueError)
        assert "matmul" in str(error)

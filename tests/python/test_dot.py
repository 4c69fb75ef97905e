"""dot, vecdot and norm against NumPy and long double."""

import math

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import arrays, dtypes, integer_arrays, layouts, seeds, shapes
from oracle import assert_equal, assert_within, numbers_of_threads, outcome

WHOLE = ("bool", "int8", "int32", "int64", "uint8", "uint64")


def assert_dot(got, a, b):
    """Within the bound of sums in blocks, whatever the length."""
    wide = np.longdouble
    limits = np.finfo(np.result_type(a, b))
    assert np.asarray(got).dtype == limits.dtype
    exact, size = (
        np.vecdot(a.astype(wide), b.astype(wide)),
        np.vecdot(abs(a).astype(wide), abs(b).astype(wide)),
    )
    assert_within(got, exact, 12 * limits.eps * size + a.shape[-1] * limits.smallest_subnormal)


# ---- vecdot -----------------------------------------------------------------------------------------


@given(data=st.data(), dtype=dtypes)
def test_vecdot_is_accurate(data, dtype):
    shape = data.draw(shapes(min_dims=1))
    a, b = (data.draw(arrays(shape, dtype, specials=False)) for _ in range(2))
    assert_dot(forzium.vecdot(a, b), a, b)


@given(data=st.data(), dtype=dtypes)
def test_vecdot_broadcasts(data, dtype):
    n = data.draw(st.integers(0, 40))
    whole = data.draw(st.lists(st.integers(1, 4), max_size=3).map(tuple))
    parts = []
    for _ in range(2):
        kept = whole[data.draw(st.integers(0, len(whole))) :]
        shape = tuple(1 if data.draw(st.booleans()) else length for length in kept)
        axis = data.draw(st.just(len(shape)))
        parts.append(data.draw(integer_arrays((*shape[:axis], n, *shape[axis:]), dtype)))
    assert_equal(forzium.vecdot(*parts), np.vecdot(*parts))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint64"])
@pytest.mark.parametrize(
    "shape", [(2, 4), (63, 65), (64, 64), (65, 63), (130, 5), (1, 4097), (3, 4, 5), (5, 1)]
)
def test_vecdot_of_stacks(shape, dtype):
    """Whole numbers: no order of summation changes a bit."""
    random = np.random.default_rng(6)
    a, b = (random.integers(0, 3, shape).astype(dtype) for _ in range(2))
    assert_equal(forzium.vecdot(a, b), np.vecdot(a, b))
    assert_equal(forzium.vecdot(np.asfortranarray(a), b), np.vecdot(a, b))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_vecdot_along_any_axis(axis):
    random = np.random.default_rng(1)
    a, b = (random.integers(-8, 9, (30, 40)).astype(np.float64) for _ in range(2))
    assert_equal(forzium.vecdot(a, b, axis), np.vecdot(a, b, axis=axis))
    assert_equal(forzium.vecdot(a, b.astype(np.float32), axis=axis), np.vecdot(a, b, axis=axis))


@pytest.mark.parametrize("dtype", WHOLE)
@given(data=st.data())
def test_integers_are_exact_and_wrap(dtype, data):
    shape = data.draw(shapes(min_dims=1))
    information = None if dtype == "bool" else np.iinfo(dtype)
    low, high = (0, 1) if information is None else (information.min, information.max)
    random = np.random.default_rng(data.draw(seeds))
    a, b = (
        data.draw(layouts(shape)).place(
            random.integers(low, high, shape, "u8" if dtype == "uint64" else "i8", True).astype(dtype)
        )
        for _ in range(2)
    )
    assert_equal(forzium.vecdot(a, b), np.vecdot(a, b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 100, 511, 512, 513, 5000, 16385, 200_001, 5_000_000])
def test_long_vectors(n, dtype):
    random = np.random.default_rng(n)
    a, b = (random.standard_normal(n).astype(dtype) for _ in range(2))
    for function in (forzium.vecdot, forzium.dot):
        assert_dot(function(a, b), a, b)
        assert_dot(function(a[::-1], b[::2].repeat(2)[:n]), a[::-1], b[::2].repeat(2)[:n])


def test_narrow_floats_are_rounded_once():
    a, b = np.random.default_rng(2).standard_normal((2, 5, 300)).astype(np.float16)
    want = forzium.vecdot(a.astype(np.float32), b.astype(np.float32)).astype(np.float16)
    assert_equal(forzium.vecdot(a, b), want)


@pytest.mark.parametrize("function", [forzium.vecdot, forzium.dot])
def test_infinities_and_nan(function):
    for n in (3, 9, 40, 700, 40_000):
        for special in (np.inf, -np.inf, np.nan):
            a = np.ones(n)
            a[n // 2] = special
            np.testing.assert_array_equal(function(a, np.ones(n)), special)
            a[-1] = -special
            np.testing.assert_array_equal(function(a, np.ones(n)), np.nan)
        np.testing.assert_array_equal(function(np.full(n, 1e200), np.full(n, 1e200)), np.inf)


# ---- dot --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "uint16", "bool", "float16"])
@given(data=st.data())
def test_dot_is_numpys(dtype, data):
    n = data.draw(st.integers(0, 9))
    left = data.draw(st.lists(st.integers(0, 4), max_size=2))
    right = data.draw(st.lists(st.integers(0, 4), max_size=2))
    b_shape = (*right[:-1], n, *right[-1:])
    random = np.random.default_rng(data.draw(seeds))
    a, b = (
        data.draw(layouts(shape)).place(random.integers(0, 3, shape).astype(dtype))
        for shape in ((*left, n), b_shape)
    )
    assert_equal(forzium.dot(a, b), np.dot(a, b))


@pytest.mark.parametrize(
    "dtypes", [("int8", "int64"), ("uint64", "uint64"), ("float32", "float64"), ("bool", "int16")]
)
@pytest.mark.parametrize("shape", [(40, 70), (70,), (2, 3, 70), (2, 0, 70)])
def test_dot_with_a_matrix_of_any_dtype(dtypes, shape):
    random = np.random.default_rng(6)
    a = random.integers(-128, 128, shape).astype(dtypes[0])
    b = random.integers(-(2**20), 2**20, (70, 30)).astype(dtypes[1])
    assert_equal(forzium.dot(a, b), np.dot(a, b))


def test_dot_of_scalars_multiplies():
    assert forzium.dot(3.0, 4.0) == 12
    np.testing.assert_array_equal(forzium.dot(np.arange(3.0), 2.0), [0, 2, 4])
    np.testing.assert_array_equal(forzium.dot(2.0, np.ones((2, 2))), np.full((2, 2), 2))


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 70), (70, 5)), ((70,), (70, 5)), ((3, 70), (70,)), ((70,), (70,)), ((2, 3, 70), (70, 5))],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
def test_dot_into_out(a, b, dtype):
    random = np.random.default_rng(4)
    a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in (a, b))
    want = np.dot(a, b)
    out = np.zeros(np.shape(want), dtype)
    assert forzium.dot(a, b, out=out) is out
    np.testing.assert_array_equal(out, want)


def test_dot_into_an_input():
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    forzium.dot(a, a.copy(), out=a)
    np.testing.assert_array_equal(a, [[7, 10], [15, 22]])


def test_errors():
    a, b = np.ones((2, 3)), np.ones((2, 3))
    for error, call in [
        (ValueError, lambda: forzium.dot(a, b)),
        (ValueError, lambda: forzium.dot(a, np.ones(2))),
        (ValueError, lambda: forzium.dot(a, b.T, out=np.ones((2, 3)))),
        (TypeError, lambda: forzium.dot(a, b.T, out=np.ones((2, 2), int))),
        (ValueError, lambda: forzium.vecdot(a, np.ones(2))),
        (ValueError, lambda: forzium.vecdot(a, np.ones((3, 3)))),
        (ValueError, lambda: forzium.vecdot(a, b, axis=2)),
        (ValueError, lambda: forzium.vecdot(1.0, 2.0)),
        (TypeError, lambda: forzium.vecdot(a, b.astype(complex))),
        (TypeError, lambda: forzium.dot(a, np.array([object()] * 3))),
        (ValueError, lambda: forzium.norm(a, 2)),
        (ValueError, lambda: forzium.norm(a, (0, 0))),
        (TypeError, lambda: forzium.norm(a.astype(complex))),
    ]:
        got, raised = outcome(call)
        assert isinstance(raised, error), (got, raised)


# ---- norm -------------------------------------------------------------------------------------------


@given(data=st.data(), dtype=dtypes, keepdims=st.booleans())
def test_norm_is_accurate(data, dtype, keepdims):
    x = data.draw(arrays(data.draw(shapes()), dtype))
    one = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.none()
    several = (
        st.lists(one, unique_by=lambda a: a % x.ndim, max_size=x.ndim).map(tuple) if x.ndim else st.none()
    )
    axis = data.draw(st.none() | one | several)
    wide = np.abs(x.astype(np.longdouble))
    exact = np.sqrt((wide**2).sum(axis=axis, keepdims=keepdims))
    got = forzium.norm(x, axis, keepdims)
    limits = np.finfo(dtype)
    assert np.asarray(got).dtype == x.dtype
    large = np.asarray(exact > limits.max)
    got = np.asarray(got)
    assert np.isinf(got[large & (exact > 1.001 * limits.max)]).all()
    kept = np.where(large, 0, exact)
    assert_within(np.where(large, 0, got), kept, 8 * limits.eps * kept + limits.smallest_subnormal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 4), (63, 65), (65, 63), (130, 5), (1, 4097), (3, 4, 5)])
def test_norm_of_stacks(shape, dtype):
    """Also rows whose squares overflow or vanish, beside others."""
    x = np.random.default_rng(7).standard_normal(shape).astype(dtype)
    limits = np.finfo(dtype)
    x[..., :1, :] *= limits.max / 64
    x[..., -1:, :] *= limits.tiny
    for axis in (-1, 0, (-2, -1), None):
        exact = np.sqrt((x.astype(np.longdouble) ** 2).sum(axis=axis))
        within = np.where(exact < limits.max, exact, 0)
        got = np.where(exact < limits.max, forzium.norm(x, axis), 0)
        assert_within(got, within, 8 * limits.eps * within + limits.smallest_subnormal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 40, 1000, 100_000])
def test_norm_neither_overflows_nor_underflows(n, dtype):
    limits = np.finfo(dtype)
    for size in (limits.max / math.sqrt(n) / 2, 64 * limits.tiny, limits.smallest_subnormal * 8):
        x = np.full(n, size, dtype)
        exact = np.longdouble(x[0]) * np.sqrt(np.longdouble(n))
        assert_within(forzium.norm(x), exact, 4 * limits.eps * exact + limits.smallest_subnormal)


def test_norm_of_nothing_and_of_integers():
    assert forzium.norm(np.zeros(0)) == 0
    np.testing.assert_array_equal(forzium.norm(np.zeros((2, 0)), axis=1), [0, 0])
    assert_equal(forzium.norm(np.array([3, 4], np.int8)), np.float64(5))
    assert_equal(forzium.norm(np.array([3, 4], np.float16)), np.float16(5))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_threads_do_not_change_bits(dtype):
    x = (100 * np.random.default_rng(8).standard_normal((2, 700_000))).astype(dtype)
    results = set()
    for _ in numbers_of_threads():
        table = x.reshape(1400, 1000)
        parts = [forzium.dot(*x), forzium.vecdot(x, x[::-1]), forzium.norm(x), forzium.norm(table, 0)]
        parts += [forzium.vecdot(table, table[:1]), forzium.logsumexp(x), forzium.vecdot(table, table, 0)]
        results.add(b"".join(np.asarray(part).tobytes() for part in parts))
    assert len(results) == 1

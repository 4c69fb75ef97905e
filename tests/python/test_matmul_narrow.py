"""matmul of narrow numbers, which some CPUs take in groups of 2 or 4 along the inner axis."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import integer_arrays
from oracle import assert_equal, numbers_of_threads

ml_dtypes = pytest.importorskip("ml_dtypes")
bfloat16 = ml_dtypes.bfloat16

WHOLE = ["int8", "uint8", "int16", "uint16"]
INNER = [0, 1, 2, 3, 4, 5, 7, 64, 2047, 2049, 4097, 9003]
"""Around groups, and past blocks of them."""
ROUNDING = 2.0**-8
"""Half of bfloat16's eps."""


def draw(random, shape, dtype):
    """Any number of the dtype, in rows, columns, or every other element."""
    limits = np.iinfo(dtype)
    x = random.integers(limits.min, limits.max, (2 * shape[0], 2 * shape[1]), dtype, endpoint=True)
    how = random.integers(3)
    if how == 0:
        return np.ascontiguousarray(x[: shape[0], : shape[1]])
    return np.asfortranarray(x[: shape[0], : shape[1]]) if how == 1 else x[::2, ::-2][: shape[0], : shape[1]]


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("k", INNER)
def test_whole_numbers_wrap_as_numpys(dtype, k):
    random = np.random.default_rng(k)
    for m, n in ((1, 1), (1, 50), (3, 47), (7, 48), (8, 49), (9, 96), (41, 130), (60, 1)):
        a, b = draw(random, (m, k), dtype), draw(random, (k, n), dtype)
        want = (a.astype(np.int64) @ b.astype(np.int64)).astype(dtype)
        assert_equal(forzium.matmul(a, b), want)
        assert_equal(forzium.matmul(a, forzium.pack(b)), want)


@pytest.mark.parametrize(("a", "b"), [("int8", "uint8"), ("uint8", "int16"), ("int16", "uint16")])
def test_two_dtypes_keep_their_signs(a, b):
    random = np.random.default_rng(1)
    x, y = draw(random, (20, 333), a), draw(random, (333, 70), b)
    want = (x.astype(np.int64) @ y.astype(np.int64)).astype(np.result_type(a, b))
    assert_equal(forzium.matmul(x, y), want)


@pytest.mark.parametrize("k", INNER)
def test_bfloat16_is_summed_in_float32_and_rounded_once(k):
    random = np.random.default_rng(k)
    for m, n in ((1, 1), (1, 50), (7, 48), (9, 97), (41, 130)):
        a, b = (random.standard_normal(shape).astype(bfloat16) for shape in ((m, k), (k, n)))
        wide_a, wide_b = a.astype(float), b.astype(float)
        want, bound = wide_a @ wide_b, k * 2.0**-23 * (np.abs(wide_a) @ np.abs(wide_b))
        for got in (
            forzium.matmul(a, b),
            forzium.matmul(np.asfortranarray(a), b[:, ::-1])[:, ::-1],
            forzium.matmul(a, forzium.pack(b)),
        ):
            assert got.dtype == bfloat16
            error = np.abs(got.astype(float) - want)
            assert np.all(error <= bound + ROUNDING * (np.abs(want) + bound))


@pytest.mark.parametrize("weights", ["float16", bfloat16])
@pytest.mark.parametrize("x_dtype", ["float16", bfloat16, "float32"])
@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize(("k", "n"), [(1, 9), (7, 1), (9, 1025), (1025, 33), (2100, 70), (600, 1500)])
def test_few_rows_by_narrow_weights(weights, x_dtype, rows, k, n):
    """Weights are converted a few lines at a time, and sums rounded once."""
    random = np.random.default_rng(k)
    x, b = random.standard_normal((rows, k)).astype(x_dtype), random.standard_normal((k, n)).astype(weights)
    wide_x, wide_b = x.astype(float), b.astype(float)
    want, magnitude = wide_x @ wide_b, np.abs(wide_x) @ np.abs(wide_b)
    strided = np.repeat(x, 3, axis=1)[:, ::3]
    for got in (
        forzium.matmul(x, b),
        forzium.matmul(strided, np.asfortranarray(b)),
        forzium.matmul(x, b[:, ::-1])[:, ::-1],
        forzium.matmul(x[0], b)[np.newaxis],
        forzium.linear(x, np.ascontiguousarray(b.T)),
    ):
        assert got.dtype == (weights if weights == x_dtype else np.float32)
        unit = {"float16": 2.0**-11, "float32": 2.0**-24}.get(got.dtype.name, ROUNDING)
        bound = k * 2.0**-23 * magnitude[: len(got)]
        error = np.abs(got.astype(float) - want[: len(got)])
        assert np.all(error <= bound + unit * (np.abs(want[: len(got)]) + bound) + 1e-7)


def test_nan_and_infinity_of_bfloat16_reach_their_rows_and_columns_only():
    a, b = np.ones((20, 33), bfloat16), np.ones((33, 60), bfloat16)
    a[3, 32], a[5, 7], b[32, 50] = np.nan, np.inf, -np.inf
    want = a.astype(float) @ b.astype(float)
    np.testing.assert_array_equal(forzium.matmul(a, b).astype(float), want)


@given(data=st.data(), m=st.integers(1, 30), k=st.integers(1, 70), n=st.integers(1, 70))
def test_layers_of_bfloat16(data, m, k, n):
    x, weight = data.draw(integer_arrays((m, k), "float32")), data.draw(integer_arrays((n, k), "float32"))
    bias = np.arange(n, dtype=np.float32) - n // 2
    want = np.maximum(x @ weight.T + bias, 0).astype(bfloat16)
    x, weight, bias = x.astype(bfloat16), weight.astype(bfloat16), bias.astype(bfloat16)
    for given_weight in (weight, forzium.pack(weight.T)):
        got = forzium.linear(x, given_weight, bias, "relu")
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))


@pytest.mark.parametrize("dtype", [*WHOLE, bfloat16])
def test_bits_do_not_depend_on_threads(dtype):
    random = np.random.default_rng(2)
    a, b = (random.integers(0, 100, shape).astype(dtype) for shape in ((150, 5001), (5001, 200)))
    results = set()
    for _ in numbers_of_threads():
        results.add(forzium.matmul(a, b).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize(
    ("packed", "other"), [("int8", "uint8"), ("int16", "int8"), (bfloat16, "float32"), ("uint16", "int32")]
)
def test_what_is_packed_from_narrow_numbers_multiplies_such_only(packed, other):
    weights = forzium.pack(np.ones((4, 5), packed))
    assert_equal(forzium.matmul(np.ones((3, 4), packed), weights).astype(int), np.full((3, 5), 4))
    with pytest.raises(TypeError, match=rf"matmul: a is {other} and b was packed from"):
        forzium.matmul(np.ones((3, 4), other), weights)

"""Reductions over the first axis of tall arrays of narrow rows, such as points: rows without gaps are read
several at a time, the last ones by themselves, and threads share them."""

from itertools import product

import forzium
import numpy as np
import pytest
from oracle import assert_same, assert_within, numbers_of_threads

DTYPES = ["bool", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64"]
FLOATS = ["float32", "float64"]
WIDTHS = [1, 2, 3, 4, 7, 10, 16, 17, 33, 63, 64, 65]
HEIGHTS = [1, 31, 257, 4099]
LAYOUTS = {
    "without gaps": lambda x: x,
    "every other row": lambda x: x.repeat(2, axis=0)[::2],
    "from the last row": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "from the last column": lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    "beside another column": lambda x: np.concatenate([x, x[:, :1]], axis=1)[:, :-1],
}

dtypes = pytest.mark.parametrize("dtype", DTYPES)
floats = pytest.mark.parametrize("dtype", FLOATS)
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
places = pytest.mark.parametrize("name", ["argmax", "argmin"])


def few_numbers(shape, dtype):
    """Many are alike, so that the first of several counts. Zeros have either sign, some floats are NaN."""
    random = np.random.default_rng(11)
    x = random.integers(0, 50, shape).astype(dtype)
    if x.dtype.kind == "f":
        x[random.random(shape) < 0.05] = -0.0
        x[random.random(shape) < 1e-3] = np.nan
    return x


@places
@dtypes
@layouts
def test_the_first_of_several_alike_is_the_place(name, dtype, layout):
    for height in HEIGHTS:
        for width in WIDTHS:
            x = layout(few_numbers((height, width), dtype))
            assert_same(getattr(forzium, name)(x, axis=0), getattr(np, name)(x, axis=0))


@places
@pytest.mark.parametrize("dtype", ["int8", "float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(300_007, 3), (2, 150_001, 5), (3, 70_001, 64), (40_009, 65), (9_001, 3, 10), (70, 4001, 3)]
)
def test_places_that_threads_look_for(name, dtype, shape):
    x = few_numbers(shape, dtype)
    axis = len(shape) - 2
    for threads in numbers_of_threads():
        forzium.set_num_threads(threads)
        for a in (axis, 0):
            assert_same(getattr(forzium, name)(x, axis=a), getattr(np, name)(x, axis=a))


@places
@floats
@pytest.mark.parametrize("row", [0, 1, 150_000, 299_999])
def test_one_number_stands_out(name, dtype, row):
    x = np.zeros((300_000, 3), dtype)
    x[row] = 1 if name == "argmax" else -1
    x[row:, 1] = np.nan
    assert getattr(forzium, name)(x, axis=0).tolist() == [row, row, row]


@places
def test_places_go_where_out_lies(name):
    x = few_numbers((50_000, 4), "float64")
    out = np.full((9,), -5, "int64")
    getattr(forzium, name)(x, axis=0, out=out[::-2][:4])
    assert out[::-2][:4].tolist() == getattr(np, name)(x, axis=0).tolist()
    assert out[1::2].tolist() == [-5] * 4


@pytest.mark.parametrize("dtype", ["float16", *FLOATS])
@layouts
def test_variances_and_sums(dtype, layout):
    eps = np.finfo(dtype).eps
    for height in HEIGHTS:
        for width in WIDTHS:
            numbers = np.random.default_rng(12).normal(5, 2, (height, width))
            x = layout(numbers.astype(dtype))
            exact = x.astype(np.longdouble)
            assert_within(forzium.sum(x, axis=0), exact.sum(axis=0), 8 * eps * np.abs(exact).sum(axis=0))
            variance = exact.var(axis=0)
            assert_within(forzium.var(x, axis=0), variance, 16 * eps * variance)


@floats
def test_variances_where_columns_are_nothing_alike(dtype):
    eps = np.finfo(dtype).eps
    scale = np.array([1, 1e6, 1e-6, 1e12, 0], dtype)
    x = np.random.default_rng(13).standard_normal((100_003, 5)).astype(dtype) * scale + 3 * scale
    with_nan = x.copy()
    with_nan[::7, 1] = np.nan
    with_nan[:, 3] = np.nan
    with_nan[99_999, 3] = 8
    for array in (x, with_nan):
        variance = np.nanvar(array.astype(np.longdouble), axis=0)
        assert_within(forzium.nanvar(array, axis=0), variance, 16 * eps * variance)
    assert np.isnan(forzium.var(with_nan, axis=0)).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "any", "all", "count_nonzero"])
@pytest.mark.parametrize("dtype", DTYPES[:6])
def test_integers_are_numpys(name, dtype):
    for shape in [*product(HEIGHTS, WIDTHS), (20_001, 3), (20_001, 10)]:
        x = few_numbers(shape, dtype)
        assert_same(getattr(forzium, name)(x, axis=0), getattr(np, name)(x, axis=0))


@pytest.mark.parametrize("dtype", ["int32", *FLOATS])
@pytest.mark.parametrize("name", ["sum", "var", "std", "mean", "min"])
def test_fused_bits_are_those_of_the_operation_alone(name, dtype):
    a, b = np.random.default_rng(14).normal(0, 100, (2, 40_003, 3)).astype(dtype)
    assert_same(forzium.evaluate(f"{name}(a - b, axis=0)"), getattr(forzium, name)(a - b, axis=0))

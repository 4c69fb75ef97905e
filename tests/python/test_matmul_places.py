"""matmul and linear of whole numbers at every offset from lines of the cache, in rows of any distance: their
sums are exact. Of reals: the same bits on any number of threads."""

import forzium
import numpy as np
import pytest
from layouts import GUARD
from oracle import assert_equal, assert_within, numbers_of_threads

LINE, PAGE = 64, 4096
DTYPES = ["float32", "float64", "int32"]


def up(number, unit):
    return -(-number // unit) * unit


DISTANCES = {
    "gapless": lambda row, size: row,
    "an element": lambda row, size: row + size,
    "lines": lambda row, size: up(row, LINE),
    "lines and an element": lambda row, size: up(row, LINE) + size,
    "pages": lambda row, size: up(row, PAGE),
    "pages and a line": lambda row, size: up(row, PAGE) + LINE,
}
"""Bytes from a row to the next, of the bytes in a row and those of an element."""


def allocate(shape, dtype, offset, distance):
    """A matrix so many bytes after a page's beginning, and the guarded bytes in which it lies."""
    size = np.dtype(dtype).itemsize
    row = DISTANCES[distance](shape[1] * size, size)
    length = offset + shape[0] * row + LINE
    memory = np.full(PAGE + length, GUARD, np.uint8)
    memory = memory[-memory.ctypes.data % PAGE :][:length]
    matrix = np.ndarray(shape, dtype, memory, offset, (row, size))
    assert matrix.ctypes.data % LINE == offset
    return matrix, memory


def place(values, offset, distance):
    matrix, _ = allocate(values.shape, values.dtype, offset, distance)
    matrix[...] = values
    return matrix


def draw(random, shape, dtype):
    """Of integers so large that their sums wrap, yet are exact in float64."""
    most = 2**20 if dtype == "int32" else 8
    return random.integers(-most, most + 1, shape).astype(dtype)


def product(a, b):
    """Whole numbers below 2**53 on the way, and the low bits of them."""
    sums = a.astype(float) @ b.astype(float)
    return sums.astype(np.int64).astype(a.dtype) if a.dtype.kind == "i" else sums.astype(a.dtype)


def assert_out(call, want, offset, distance):
    """Into a matrix that lies so, and nothing beside it."""
    (out, got_memory), (zeros, want_memory) = (
        allocate(want.shape, want.dtype, offset, distance) for _ in range(2)
    )
    assert call(out=out) is out
    assert_equal(out.copy(), want)
    out[...] = zeros[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory, "wrote beside out")


def offsets(random, dtype):
    """Of a, b and out: each of these at all that its elements may have."""
    all_of_them = np.arange(0, LINE, np.dtype(dtype).itemsize)
    return zip(*(random.permutation(all_of_them).tolist() for _ in range(3)), strict=True)


SQUARE = [(90, 101, 97), (128, 128, 128), (300, 90, 145), (131, 300, 259)]
WIDE = [(1, 600, 1031), (2, 1, 5000), (3, 257, 4096), (4, 33, 3001), (7, 64, 1025), (5, 2, 7001)]
WIDE += [(50, 90, 3072), (9, 1100, 1040)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("m", "k", "n"), SQUARE + WIDE)
def test_every_offset(m, k, n, distance, dtype):
    random = np.random.default_rng(k)
    a, b = draw(random, (m, k), dtype), draw(random, (k, n), dtype)
    want = product(a, b)
    across, down = np.ascontiguousarray(b.T), np.ascontiguousarray(a.T)
    for case, (a_at, b_at, out_at) in enumerate(offsets(random, dtype)):
        left = place(down, a_at, distance).T if case % 4 == 3 else place(a, a_at, distance)
        right = place(across, b_at, distance).T if case % 2 else place(b, b_at, distance)
        if case % 8 < 6:
            assert_equal(forzium.matmul(left, right), want)
        else:
            assert_out(lambda out, x=left, y=right: forzium.matmul(x, y, out=out), want, out_at, distance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("m", "k", "n"), [(90, 101, 97), (150, 256, 128), (1, 600, 1031), (6, 75, 2048)])
def test_every_offset_of_layers(m, k, n, distance, dtype):
    random = np.random.default_rng(k)
    x, weight, bias = (draw(random, shape, dtype) for shape in ((m, k), (n, k), (1, n)))
    want = np.maximum(product(x, weight.T) + bias, 0)
    for x_at, weight_at, out_at in offsets(random, dtype):
        given = place(x, x_at, distance), place(weight, weight_at, distance), place(bias, out_at, distance)[0]
        assert_out(lambda out, given=given: forzium.linear(*given, "relu", out=out), want, out_at, distance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("distance", ["gapless", "lines", "pages and a line"])
@pytest.mark.parametrize(("m", "k", "n"), [(131, 300, 259), (3, 600, 2003), (8, 129, 4096)])
def test_bits_do_not_depend_on_threads(m, k, n, distance, dtype):
    random = np.random.default_rng(k)
    a, b = (random.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
    wide_a, wide_b = a.astype(float), b.astype(float)
    bound = 2 * k * np.finfo(dtype).eps * (np.abs(wide_a) @ np.abs(wide_b))
    size = np.dtype(dtype).itemsize
    for a_at, b_at in [(0, 0), (size, 16), (48, LINE - size)]:
        left, right = place(a, a_at, distance), place(b, b_at, distance)
        weight = place(np.ascontiguousarray(b.T), b_at, distance)
        results = set()
        for _ in numbers_of_threads():
            got, layer = forzium.matmul(left, right), forzium.linear(left, weight)
            results.add((got.tobytes(), layer.tobytes()))
        assert len(results) == 1
        for result in (got, layer):
            assert_within(result, wide_a @ wide_b, bound)

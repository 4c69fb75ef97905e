"""forzium._ffi.zero_copy and forzium_engine.numpy_ops: operations on arrays' own memory."""

import doctest
import gc
import re
import sys
import threading
import weakref

import forzium_engine
import numpy as np
import pytest
from forzium import PoolAllocator
from forzium._ffi import zero_copy
from forzium_engine import numpy_ops
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, awkward_values, dtypes, seeds
from oracle import assert_same, assert_same_values
from scipy.signal import correlate2d

MULTIPLIERS = [
    pytest.param(zero_copy.matrix_multiply_inplace, id="matrix_multiply_inplace"),
    pytest.param(zero_copy.zero_copy_multiply, id="zero_copy_multiply"),
]
NUMPY_OPERATIONS = {
    "add": np.add,
    "subtract": np.subtract,
    "sub": np.subtract,
    "multiply": np.multiply,
    "mul": np.multiply,
    "divide": np.divide,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def test_the_names_are_one_thing():
    assert forzium_engine.zero_copy_multiply is zero_copy.zero_copy_multiply
    assert numpy_ops.zero_copy_multiply is zero_copy.zero_copy_multiply
    assert numpy_ops.zero_copy_conv2d is zero_copy.convolve2d
    assert numpy_ops.zero_copy_elementwise_op is zero_copy.elementwise_operation
    assert numpy_ops.get_zero_copy_ops_count is zero_copy.get_operations_count
    assert zero_copy.PoolAllocator is forzium_engine.PoolAllocator is PoolAllocator


# ---- in place -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@given(dtype=dtypes, seed=seeds, factor=st.floats(width=32), shape=st.lists(st.integers(0, 6), max_size=3))
def test_in_place_gives_numpys_bits_in_the_same_array(multiply, dtype, seed, factor, shape):
    x = awkward_values(seed, shape, dtype)
    want = x.copy()
    want *= factor
    assert multiply(x, factor) is x
    assert_same(x, want)


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::-1],
        lambda a: a[:, ::-2],
        lambda a: a[1:-1, 1:-1],
        lambda a: a[:, 3],
        lambda a: a[3, 3:4].reshape(()),
        lambda a: a[:0],
    ],
    ids=["transposed", "reversed", "steps", "inner", "column", "0-d", "empty"],
)
def test_in_place_touches_the_view_and_nothing_else(multiply, dtype, view):
    whole = np.random.default_rng(1).standard_normal((40, 50)).astype(dtype)
    want = whole.copy()
    view(want)[...] *= 3
    part = view(whole)
    assert multiply(part, 3.0) is part
    assert_same_values(whole, want)


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_unaligned_memory(multiply, dtype):
    size = np.dtype(dtype).itemsize
    x = np.zeros(100 * size + 1, np.uint8)[1:].view(dtype)
    x[:] = range(100)
    assert multiply(x, 2.0) is x
    assert_same_values(x, np.arange(0, 200, 2, dtype))


@pytest.mark.parametrize("multiply", MULTIPLIERS)
def test_large_arrays_and_subclasses(multiply):
    class Mine(np.ndarray):
        pass

    x = np.random.default_rng(2).standard_normal((1000, 1001)).view(Mine)
    want = x * 1.5
    assert multiply(x, 1.5) is x
    assert_same_values(x, want)


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.arange(4), TypeError),
        (np.ones(4, bool), TypeError),
        (np.ones(4, complex), TypeError),
        (np.ones(4, np.float16), TypeError),
        (np.array([1.0, None]), TypeError),
        (np.ones(4).astype(np.dtype(float).newbyteorder()), TypeError),
        (np.ma.masked_array([1.0, 2.0], [0, 1]), TypeError),
        ([[1.0]], TypeError),
        (memoryview(bytearray(8)).cast("d"), TypeError),
        (1.0, TypeError),
        (np.float64(1.0), TypeError),
        ("12", TypeError),
        (None, TypeError),
        (np.broadcast_to(np.ones(1), (4,)), ValueError),
        (np.lib.stride_tricks.as_strided(np.ones(8), (4, 4), (8, 8)), ValueError),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, np.ndarray) else str(value.dtype),
)
def test_what_cannot_be_multiplied_in_place(multiply, array, error):
    before = repr(array)
    with pytest.raises(error, match=re.escape(multiply.__name__)):
        multiply(array, 2.0)
    assert repr(array) == before


@pytest.mark.parametrize("multiply", MULTIPLIERS)
def test_read_only_is_refused(multiply):
    x = np.ones(4)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        multiply(x, 2.0)
    assert x.tolist() == [1.0] * 4


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@pytest.mark.parametrize("factor", ["2", None, 2j, [2.0], np.ones(2)])
def test_bad_factors(multiply, factor):
    x = np.ones(4)
    with pytest.raises(TypeError, match="factor must be a real number"):
        multiply(x, factor)
    assert x.tolist() == [1.0] * 4


@pytest.mark.parametrize("multiply", MULTIPLIERS)
@pytest.mark.parametrize("factor", [2, True, np.float32(0.5), np.int8(-3), np.array(4.0)])
def test_factors_of_every_kind(multiply, factor):
    x = np.array([1.0, 2.0])
    assert multiply(x, factor).tolist() == [float(factor), 2 * float(factor)]


# ---- into a pool ----------------------------------------------------------------------------------------

MATRIX = [[1.0, -2.5, 3.0], [4.0, 5.0, float("inf")]]


@pytest.mark.parametrize(
    "data",
    [
        MATRIX,
        tuple(map(tuple, MATRIX)),
        np.array(MATRIX),
        np.array(MATRIX, np.float32),
        np.array(MATRIX).T.copy().T,
        np.array(MATRIX)[::-1][::-1],
    ],
    ids=["lists", "tuples", "array", "float32", "column-major", "view"],
)
def test_product_in_a_pools_block(data):
    pool = PoolAllocator(1 << 16)
    product = forzium_engine.zero_copy_multiply(data, 2.0, pool)
    assert type(product) is memoryview
    assert (product.format, product.itemsize, product.shape) == ("d", 8, (2, 3))
    assert product.tolist() == [[2 * x for x in row] for row in MATRIX]
    assert product[1, 0] == 8.0
    assert np.asarray(data).tolist() == MATRIX
    assert pool.available() == (1 << 16) - 48
    assert pool.get_stats()["alloc_count"] == 1


def test_product_is_aligned_and_writable():
    product = np.asarray(forzium_engine.zero_copy_multiply(MATRIX, 2.0, PoolAllocator(4096)))
    assert product.ctypes.data % 64 == 0
    product[0, 0] = 7.0
    assert product[0, 0] == 7.0


def test_block_goes_back_when_nothing_looks_at_it():
    pool = PoolAllocator(4096)
    product = forzium_engine.zero_copy_multiply(MATRIX, 2.0, pool)
    array = np.asarray(product)
    del product
    gc.collect()
    assert pool.available() == 4096 - 48
    assert array.tolist()[0] == [2.0, -5.0, 6.0]
    del array
    gc.collect()
    assert pool.available() == 4096
    stats = pool.get_stats()
    assert (stats["alloc_count"], stats["dealloc_count"]) == (1, 1)


def test_product_outlives_the_pools_name():
    pool = PoolAllocator(4096)
    product = forzium_engine.zero_copy_multiply(MATRIX, 2.0, pool)
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert product.tolist()[1][:2] == [8.0, 10.0]
    del product
    gc.collect()
    assert gone() is None


def test_memory_is_reused():
    pool = PoolAllocator(8 * 10_000)
    data = np.ones((100, 100))
    for factor in range(50):
        assert forzium_engine.zero_copy_multiply(data, factor, pool)[99, 99] == factor
    assert pool.get_stats()["alloc_count"] == 50


def test_a_large_product():
    data = np.random.default_rng(3).standard_normal((700, 900))
    product = forzium_engine.zero_copy_multiply(data, 1.5, PoolAllocator(1 << 24))
    assert_same_values(np.asarray(product), data * 1.5)


@pytest.mark.parametrize("data", [[[1.0] * 10] * 10, np.ones((10, 10))], ids=["lists", "array"])
def test_a_pool_too_small(data):
    pool = PoolAllocator(799)
    with pytest.raises(MemoryError, match=r"800.*799|799.*800"):
        forzium_engine.zero_copy_multiply(data, 2.0, pool)
    assert pool.available() == 799


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ValueError, "empty"),
        ([[]], ValueError, "empty"),
        ([[1.0], [2.0, 3.0]], ValueError, "ragged: row 1 has 2 values, row 0 has 1"),
        ([[1.0, "2"]], TypeError, "row 0, column 1"),
        ([[[1.0]]], TypeError, "nested too deep"),
        (np.ones((0, 3)), ValueError, "empty"),
        (np.ones((3, 0)), ValueError, "empty"),
        (np.ones(3), ValueError, "shape"),
        (np.ones((3, 3, 3)), ValueError, "shape"),
        ("12", TypeError, "zero_copy_multiply"),
        (None, TypeError, "zero_copy_multiply"),
        (np.ones((2, 2), complex), TypeError, "zero_copy_multiply"),
        (np.array([["a"]]), TypeError, "zero_copy_multiply"),
    ],
)
def test_what_cannot_go_into_a_pool(data, error, message):
    pool = PoolAllocator(4096)
    with pytest.raises(error, match=message):
        forzium_engine.zero_copy_multiply(data, 2.0, pool)
    gc.collect()
    assert pool.available() == 4096


@pytest.mark.parametrize("pool", [4096, "pool", bytearray(4096)])
def test_what_is_no_pool(pool):
    for data in (MATRIX, [[1.0]]):
        with pytest.raises(TypeError, match=r"^zero_copy_multiply: pool must be a PoolAllocator, not "):
            forzium_engine.zero_copy_multiply(data, 2.0, pool)


def test_products_of_more_bytes_than_can_be_counted():
    data = np.broadcast_to(np.float32(1), (2**30, 2**30))
    with pytest.raises(MemoryError, match=r"^zero_copy_multiply: no memory for 1073741824 x "):
        forzium_engine.zero_copy_multiply(data, 2.0, PoolAllocator(4096))


def test_a_failing_item_gives_the_block_back():
    class Broken:
        def __float__(self):
            raise ZeroDivisionError

    pool = PoolAllocator(4096)
    with pytest.raises(ZeroDivisionError):
        forzium_engine.zero_copy_multiply([[1.0, Broken()]], 2.0, pool)
    gc.collect()
    assert pool.available() == 4096


# ---- into a new array -----------------------------------------------------------------------------------


@given(st.integers(1, 9), st.integers(1, 9), st.data(), seeds)
def test_convolve2d_of_integers_is_scipys(h, w, data, seed):
    random = np.random.default_rng(seed)
    x = random.integers(-99, 99, (h, w)).astype(float)
    shape = data.draw(st.integers(1, h)), data.draw(st.integers(1, w))
    kernel = random.integers(-9, 9, shape).astype(float)
    got = zero_copy.convolve2d(x, kernel)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, correlate2d(x, kernel, "valid"))


def test_convolve2d_refuses_a_larger_kernel():
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(2, 2\)"):
        zero_copy.convolve2d(np.ones((2, 2)), np.ones((3, 1)))


@pytest.mark.parametrize("op", NUMPY_OPERATIONS)
@given(dtype=dtypes, seed=seeds)
def test_elementwise_operations_are_numpys(op, dtype, seed):
    x, y = awkward_values(seed, (3, 5), dtype), awkward_values(seed + 1, (5,), dtype)
    got = zero_copy.elementwise_operation(x, y, op)
    assert not np.shares_memory(got, x)
    assert_same(got, NUMPY_OPERATIONS[op](x, y))


def test_an_unknown_operation_is_told_the_good_ones():
    with pytest.raises(ValueError, match="'modulo'") as caught:
        zero_copy.elementwise_operation(np.ones(2), np.ones(2), "modulo")
    assert all(op in str(caught.value) for op in NUMPY_OPERATIONS)


def test_bad_operands():
    with pytest.raises(TypeError, match="op must be a str"):
        zero_copy.elementwise_operation(np.ones(2), np.ones(2), 3)
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        zero_copy.elementwise_operation(np.ones(2), np.ones(3), "add")


# ---- the count ------------------------------------------------------------------------------------------


def test_each_success_counts_once_and_a_failure_not_at_all():
    def counted(call):
        before = zero_copy.get_operations_count()
        call()
        return zero_copy.get_operations_count() - before

    x, pool = np.ones((2, 2)), PoolAllocator(4096)
    assert counted(lambda: zero_copy.matrix_multiply_inplace(x, 2.0)) == 1
    assert counted(lambda: zero_copy.zero_copy_multiply(x, 2.0)) == 1
    assert counted(lambda: zero_copy.zero_copy_multiply(x, 2.0, pool)) == 1
    assert counted(lambda: zero_copy.zero_copy_multiply([[1.0]], 2.0, pool)) == 1
    assert counted(lambda: zero_copy.convolve2d(x, x)) == 1
    assert counted(lambda: zero_copy.elementwise_operation(x, x, "add")) == 1

    def fail():
        with pytest.raises(TypeError):
            zero_copy.matrix_multiply_inplace([1.0], 2.0)

    assert counted(fail) == 0


def test_the_count_misses_nothing_between_threads():
    def work():
        x = np.ones(4)
        for _ in range(1000):
            zero_copy.matrix_multiply_inplace(x, 1.0)

    before = zero_copy.get_operations_count()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert zero_copy.get_operations_count() - before == 8000


# ---- references and documentation -----------------------------------------------------------------------


def test_references_stay_flat():
    x, lists, pool = np.ones((4, 4)), [[1.5] * 4] * 4, PoolAllocator(4096)

    def counts():
        return [sys.getrefcount(o) for o in (x, lists, lists[0], pool)]

    before = counts()
    for _ in range(10_000):
        zero_copy.matrix_multiply_inplace(x, 1.0)
        zero_copy.zero_copy_multiply(x, 1.0, pool)
        zero_copy.zero_copy_multiply(lists, 1.0, pool)
    for _ in range(1000):
        for bad in (lists, "x"):
            with pytest.raises(TypeError):
                zero_copy.matrix_multiply_inplace(bad, 1.0)
    gc.collect()
    assert counts() == before
    assert pool.available() == 4096


@pytest.mark.parametrize("name", sorted(set(zero_copy.__all__) - {"PoolAllocator"}))
def test_documented_examples(name):
    example = doctest.DocTestParser().get_doctest(getattr(zero_copy, name).__doc__, {}, name, None, 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0

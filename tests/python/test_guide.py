"""The optimization guide: every Python snippet verbatim, and what stands behind every other one."""

import inspect
import sys
import threading
import time

import forzium
import forzium_engine
import numpy as np
import pytest

STANDARD_BINDINGS = """\
import forzium_engine

# Regular operation (copies data between Python and Rust)
result = forzium_engine.multiply(data, 2.0)
"""

ZERO_COPY_OPERATIONS = """\
import numpy as np
from forzium._ffi.zero_copy import matrix_multiply_inplace

# Zero-copy operation (modifies array in place)
matrix = np.random.random((1000, 1000))
result = matrix_multiply_inplace(matrix, 2.0)  # Very fast for large arrays
"""

MEMORY_POOLING = '''\
def zero_copy_multiply(
    data: List[List[float]], factor: float, pool: PoolAllocator
) -> memoryview:
    """
    Multiply data by factor into a pooled memory buffer without extra copies.
    
    This function performs a matrix multiplication using pre-allocated memory
    from a memory pool, minimizing allocations and copies between operations.
    """
'''  # noqa: W293 - verbatim


def test_standard_bindings():
    names = {"data": [[1.0, 2.0], [3.0, 4.5]]}
    exec(STANDARD_BINDINGS, names)
    assert names["result"] == [[2.0, 4.0], [6.0, 9.0]]
    assert names["data"] == [[1.0, 2.0], [3.0, 4.5]]


def test_zero_copy_operations():
    names = {}
    np.random.seed(1)
    exec(ZERO_COPY_OPERATIONS, names)
    np.random.seed(1)
    assert names["result"] is names["matrix"]
    np.testing.assert_array_equal(names["result"], np.random.random((1000, 1000)) * 2.0)


def test_memory_pooling():
    names = {}
    exec("from typing import List; from forzium_engine import PoolAllocator", names)
    exec(MEMORY_POOLING, names)
    declared = inspect.signature(names["zero_copy_multiply"])
    arguments = {"data": [[1.0, 2.0], [3.0, 4.5]], "factor": 2.0, "pool": names["PoolAllocator"](1 << 20)}
    assert list(declared.parameters) == list(arguments)
    result = forzium_engine.zero_copy_multiply(**arguments)
    assert isinstance(result, declared.return_annotation)
    assert result.tolist() == [[2.0, 4.0], [6.0, 9.0]]
    assert arguments["pool"].get_stats()["alloc_count"] == 1


def test_zero_copy_multiply_returns_the_same_array():
    array = np.arange(6.0).reshape(2, 3)
    assert forzium_engine.zero_copy_multiply(array, 2.0) is array
    assert array.tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]


def test_simd_matmul():
    assert forzium_engine.simd_matmul([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]) == [
        [19.0, 22.0],
        [43.0, 50.0],
    ]


def test_detect_simd_support():
    assert forzium_engine.detect_simd_support() in {"sse2", "avx2", "avx512", "neon", "generic"}
    assert forzium_engine.detect_simd_support() == forzium.detect_simd_support()


def test_io_bound_operations_use_threads():
    threads = {forzium_engine.run_in_io_threadpool(threading.get_ident) for _ in range(4)}
    assert threading.get_ident() not in threads


# ---- the GIL is released ---------------------------------------------------------------------------------

LISTS = np.random.default_rng(0).random((500, 500)).tolist()
ARRAY = np.random.default_rng(0).random((2000, 2000))
KERNEL = np.ones((3, 3))
COMPUTE_INTENSIVE = {
    "matrix multiplication of lists": lambda: forzium_engine.simd_matmul(LISTS, LISTS),
    "matrix multiplication": lambda: forzium.matmul(ARRAY, ARRAY),
    "element-wise, of lists": lambda: forzium_engine.multiply(LISTS, 2.0),
    "element-wise": lambda: forzium.multiply(ARRAY, 2.0),
    "element-wise, in place": lambda: forzium_engine.zero_copy_multiply(ARRAY, 1.0),
    "convolution of lists": lambda: forzium_engine.conv2d(LISTS, KERNEL.tolist()),
    "convolution": lambda: forzium.conv2d(ARRAY, KERNEL),
    "pooling of lists": lambda: forzium_engine.max_pool2d(LISTS, 2),
    "pooling": lambda: forzium.max_pool2d(ARRAY, 2),
}


@pytest.fixture
def counter():
    """A thread that counts, one step whenever it gets the GIL; a function that reads its count.

    Nobody takes the GIL from a thread that does not offer it here, so the count cannot change during a
    call that holds on to it."""
    count, stop = 0, threading.Event()

    def run():
        nonlocal count
        while not stop.is_set():
            count += 1
            time.sleep(0)  # offers the GIL

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    thread = threading.Thread(target=run)
    thread.start()
    yield lambda: count
    stop.set()
    sys.setswitchinterval(interval)
    thread.join()


def counts_during(call, counter):
    before = counter()
    call()
    return counter() - before


@pytest.mark.parametrize("operation", COMPUTE_INTENSIVE)
def test_another_thread_counts_during(operation, counter):
    assert any(counts_during(COMPUTE_INTENSIVE[operation], counter) for _ in range(200))


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL")
def test_the_counter_sees_a_held_gil(counter):
    assert not any(counts_during(lambda: sorted(range(100_000)), counter) for _ in range(20))

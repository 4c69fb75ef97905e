"""Arrays in a pool's memory: DLPack, empty, and what NumPy allocates while a pool is entered."""

import asyncio
import contextvars
import gc
import itertools
import threading
import weakref

import numpy as np
import pytest
from forzium import PoolAllocator

MB = 1 << 20


def address(array):
    return array.__array_interface__["data"][0]


def allocates_from(pool):
    before = pool.get_stats()["alloc_count"]
    np.ones(100)
    return pool.get_stats()["alloc_count"] > before


# ---- DLPack ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_version", [None, (0, 8), (1, 0), (2, 0)])
def test_dlpack_capsules_count_as_views(max_version):
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    assert block.__dlpack_device__() == (1, 0)
    capsule = block.__dlpack__(max_version=max_version)
    assert ("dltensor_versioned" in repr(capsule)) == (max_version is not None and max_version[0] >= 1)
    with pytest.raises(ValueError, match="1 live view"):
        pool.deallocate(block)
    del capsule
    pool.deallocate(block)


def test_dlpack_shares_the_memory():
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    array = np.from_dlpack(block)
    assert (array.dtype, array.shape) == (np.uint8, (10,))
    memoryview(block)[:] = bytes(range(10))
    assert array.tolist() == list(range(10))
    assert address(array) == address(np.frombuffer(block, np.uint8))
    del block
    gc.collect()
    assert pool.available() == 90
    assert array.tolist() == list(range(10))
    del array
    assert pool.available() == 100


def test_a_tensor_may_outlive_everything():
    pool = PoolAllocator(100)
    array = np.from_dlpack(pool.allocate(10))
    del pool
    gc.collect()
    array[:] = 3
    assert array.sum() == 30


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"stream": 1}, BufferError),
        ({"copy": True}, BufferError),
        ({"dl_device": (2, 0)}, BufferError),
        ({"max_version": 1}, TypeError),
        ({"dl_device": "cpu"}, TypeError),
        ({"unknown": 1}, TypeError),
    ],
)
def test_what_dlpack_cannot_do_is_said(request_, error):
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    with pytest.raises(error):
        block.__dlpack__(**request_)
    block.__dlpack__(stream=None, dl_device=(1, 0), copy=False)
    pool.deallocate(block)


# ---- empty -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [float, "f4", np.int8, "c16", "S5", "U3", "M8[ns]", [("a", "i4"), ("b", "f8")]]
)
@pytest.mark.parametrize("shape", [7, (3, 4), (), (0, 5), [2, 3]])
def test_empty_makes_arrays_of_the_pool(shape, dtype):
    pool = PoolAllocator(MB)
    array = pool.empty(shape, dtype)
    expected = np.empty(shape, dtype)
    assert (array.shape, array.dtype, array.strides) == (expected.shape, expected.dtype, expected.strides)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert address(array) % 64 == 0
    assert pool.get_stats()["blocks_in_use"] == 1
    assert pool.get_stats()["bytes_in_use"] >= array.nbytes
    array[...] = np.zeros((), dtype)
    view = array.T
    del array
    assert pool.get_stats()["blocks_in_use"] == 1
    del view
    assert pool.available() == MB


def test_empty_is_float64_unless_told():
    pool = PoolAllocator(MB)
    assert pool.empty(3).dtype == pool.empty(3, None).dtype == np.float64
    assert pool.empty(shape=(2,), dtype=np.float32).dtype == np.float32


def test_empty_arrays_can_be_resized_and_outlive_the_pool():
    pool = PoolAllocator(MB)
    array = pool.empty(10)
    array[:] = np.arange(10)
    array.resize(50_000, refcheck=False)
    assert pool.get_stats()["bytes_in_use"] == 400_000
    assert array[:10].tolist() == list(range(10))
    assert not array[10:].any()
    del pool
    array += 1
    assert array.sum() == 45 + 50_000


def test_empty_refuses_what_it_cannot_make():
    pool = PoolAllocator(1000)
    with pytest.raises(MemoryError, match=r"8000 .* 1000 .* 1000"):
        pool.empty(1000)
    with pytest.raises(ValueError, match="negative"):
        pool.empty((2, -1))
    with pytest.raises(ValueError, match=r"too big|exceeded"):
        pool.empty((2**40, 2**40))
    for shape in ("x", 1.5, (1, "x")):
        with pytest.raises(TypeError):
            pool.empty(shape)
    for dtype in (object, [("a", "i4"), ("b", "O")]):
        with pytest.raises(TypeError, match="objects"):
            pool.empty(3, dtype)
    with pytest.raises(TypeError):
        pool.empty(3, "no dtype")
    assert pool.get_stats()["blocks_in_use"] == 0
    assert np.ones(10).sum() == 10
    assert pool.get_stats()["alloc_count"] == 0, "NumPy's own allocator is back after an error"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1,), ValueError, "shape: .*negative"),
        (((2, -1),), ValueError, "shape: .*negative"),
        (((2**40, 2**40),), ValueError, "shape: "),
        ((2**70,), ValueError, "shape: "),
        (("a",), TypeError, "shape: "),
        ((1.5,), TypeError, "shape: "),
        ((3, "no dtype"), TypeError, "dtype: .*'no dtype'"),
        ((3, object), TypeError, "dtype is object; "),
    ],
)
def test_empty_names_the_bad_argument(arguments, error, message):
    with pytest.raises(error, match=r"^PoolAllocator\.empty: " + message):
        PoolAllocator(1000).empty(*arguments)


def test_empty_does_not_blame_the_pool_for_memory_that_others_lack():
    testcapi = pytest.importorskip("_testcapi")
    pool = PoolAllocator(1000)
    with pytest.raises(MemoryError, match="8000"):
        pool.empty(1000)
    errors = 0
    for i in range(30):
        message = array = None
        testcapi.set_nomemory(i, i + 1)  # Python's i-th allocation fails
        try:
            array = pool.empty(10)
        except MemoryError as error:
            testcapi.remove_mem_hooks()
            message = str(error)
        finally:
            testcapi.remove_mem_hooks()
        errors += message is not None
        assert message is None or "asked for" not in message
        del array
        assert not allocates_from(pool)
    assert errors >= 1
    assert pool.available() == 1000


# ---- with pool --------------------------------------------------------------------------------------


def test_numpy_allocates_from_the_pool():
    pool = PoolAllocator(MB)
    with pool:
        a = np.arange(1000.0)
        b = np.zeros(1000)
        assert not b.any()
        c = a * 2 + b
    assert pool.get_stats()["bytes_in_use"] == 3 * 8000
    assert all(address(array) % 64 == 0 for array in (a, b, c))
    outside = np.ones(1000)
    assert pool.get_stats()["bytes_in_use"] == 3 * 8000
    assert c.tolist() == [2.0 * i for i in range(1000)]
    del a, b, c
    assert pool.available() == MB
    assert outside.sum() == 1000


def test_zeros_are_zeros_in_used_memory():
    pool = PoolAllocator(MB)
    with pool:
        dirty = np.full(10_000, 7.0)
        where = address(dirty)
        del dirty
        clean = np.zeros(10_000)
    assert address(clean) == where
    assert not clean.any()


def test_temporaries_are_reused():
    pool = PoolAllocator(64 * MB)
    a = np.arange(100_000.0)
    with pool:
        for _ in range(50):
            result = (a * 2 + a) * a - a / 3
    stats = pool.get_stats()
    assert stats["alloc_count"] - stats["reuse_count"] <= 10
    assert result[3] == (3 * 2 + 3) * 3 - 1


def test_arrays_outlive_the_block_and_the_pool():
    pool = PoolAllocator(64 * MB)
    with pool:
        arrays = [np.full(n, n, dtype=np.float64) for n in (1, 1000, 1_000_000)]
    alive = weakref.ref(pool)
    del pool
    gc.collect()
    assert alive() is None
    for array in arrays:
        array += 1
        assert array.mean() == array.size + 1


def test_a_spent_capacity_is_a_memory_error():
    pool = PoolAllocator(10_000)
    with pool:
        held = np.ones(1000)
        with pytest.raises(MemoryError):
            np.ones(1000)
        assert held.sum() == 1000
    assert np.ones(1000).sum() == 1000


def test_the_replaced_allocator_returns_after_an_error():
    pool = PoolAllocator(MB)
    with pytest.raises(ZeroDivisionError), pool:
        raise ZeroDivisionError
    count = pool.get_stats()["alloc_count"]
    np.ones(100)
    assert pool.get_stats()["alloc_count"] == count


def test_pools_nest():
    outer, inner = PoolAllocator(MB), PoolAllocator(MB)
    with outer:
        a = np.ones(100)
        with inner:
            b = np.ones(100)
            with outer:
                c = np.ones(100)
            d = np.ones(100)
        e = np.ones(100)
    f = np.ones(100)
    assert outer.get_stats()["bytes_in_use"] == 3 * 800
    assert inner.get_stats()["bytes_in_use"] == 2 * 800
    assert sum(map(np.sum, (a, b, c, d, e, f))) == 600


def test_an_exit_without_its_enter_is_an_error():
    pool, other = PoolAllocator(MB), PoolAllocator(MB)
    with pytest.raises(RuntimeError, match="with pool"):
        pool.__exit__(None, None, None)
    with pool:
        with pytest.raises(RuntimeError, match="with pool"):
            other.__exit__(None, None, None)
        with pytest.raises(RuntimeError, match="with pool"):
            contextvars.Context().run(pool.__exit__, None, None, None)
        array = np.ones(100)
        assert pool.get_stats()["bytes_in_use"] == array.nbytes


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("which", [(0, 1, 2), (0, 1, 0), (0, 0, 1)])
def test_blocks_may_end_in_any_order(which, order):
    def block(pool):
        with pool:
            yield

    pools = [PoolAllocator(MB) for _ in range(3)]
    generators = [block(pools[i]) for i in which]
    for generator in generators:
        next(generator)
    entered = list(which)
    for i in order:
        generators[i].close()
        del entered[len(entered) - 1 - entered[::-1].index(which[i])]  # the pool's innermost
        assert [allocates_from(pool) for pool in pools] == [entered[-1:] == [j] for j in range(3)]
    for pool in pools:
        with pytest.raises(RuntimeError, match="with pool"):
            pool.__exit__(None, None, None)


def test_object_arrays_may_come_from_a_pool():
    pool = PoolAllocator(MB)
    with pool:
        array = np.array([object() for _ in range(100)], dtype=object)
    alive = weakref.ref(pool)
    array[0] = array  # a cycle through the array
    del array, pool
    gc.collect()
    assert alive() is None


def test_each_thread_has_its_own():
    pools = [PoolAllocator(MB) for _ in range(4)]
    results = [None] * 5
    together = threading.Barrier(5)

    def work(i):
        if i == 4:  # a thread without a pool, beside those that have one
            together.wait()
            results[i] = np.full(1000, i)
            together.wait()
            return
        with pools[i]:
            together.wait()
            for _ in range(200):
                results[i] = np.full(1000, i) + 0
            together.wait()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, pool in enumerate(pools):
        assert pool.get_stats()["bytes_in_use"] == 8000
        assert (results[i] == i).all()
    results.clear()
    assert all(pool.available() == MB for pool in pools)


def test_each_asyncio_task_has_its_own():
    pools = [PoolAllocator(MB) for _ in range(5)]

    async def work(pool, i):
        arrays = []
        with pool:
            for _ in range(5):
                arrays.append(np.full(100, i))
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        arrays.append(np.full(100, i))  # outside again
        return arrays

    async def main():
        return await asyncio.gather(*(work(pool, i) for i, pool in enumerate(pools)))

    results = asyncio.run(main())
    for i, pool in enumerate(pools):
        assert pool.get_stats()["bytes_in_use"] == 5 * 800
        assert all((array == i).all() for array in results[i])


def test_a_task_inherits_the_pool_it_was_made_in():
    pool = PoolAllocator(MB)

    async def child():
        await asyncio.sleep(0)
        return np.ones(100)

    async def main():
        with pool:
            task = asyncio.create_task(child())
        return await task, np.ones(100)

    inside, outside = asyncio.run(main())
    assert pool.get_stats()["bytes_in_use"] == inside.nbytes == outside.nbytes


def test_threads_share_one_pool():
    pool = PoolAllocator(8 * MB)
    wrong = []

    def work(i):
        for round_ in range(300):
            with pool:
                a = np.full(100 + 50 * (round_ % 7), i)
            block = pool.allocate(500)
            memoryview(block)[:] = bytes([i]) * 500
            if bytes(block) != bytes([i]) * 500 or not (a == i).all():
                wrong.append(i)
            if round_ % 2:
                pool.deallocate(block)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    stats = pool.get_stats()
    assert stats["bytes_in_use"] == stats["blocks_in_use"] == 0
    assert stats["alloc_count"] == stats["dealloc_count"] >= 8 * 300 * 2


def test_one_of_many_deallocates_wins():
    pool = PoolAllocator(MB)
    for _ in range(100):
        block = pool.allocate(100)
        together = threading.Barrier(4)
        outcomes = []

        def work(block=block, together=together, outcomes=outcomes):
            together.wait()
            try:
                pool.deallocate(block)
                outcomes.append("done")
            except ValueError:
                outcomes.append("refused")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["done", "refused", "refused", "refused"]

"""PoolAllocator: blocks, arrays, and NumPy's memory while ``with pool:`` is in force."""

import asyncio
import contextvars
import gc
import itertools
import pickle
import resource
import sys
import threading
import weakref

import numpy as np
import pytest
from forzium import PoolAllocator

MB = 1 << 20


def address(array):
    return array.__array_interface__["data"][0]


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def allocates_from(pool):
    before = pool.get_stats()["alloc_count"]
    np.ones(100)
    return pool.get_stats()["alloc_count"] > before


# ---- construction --------------------------------------------------------------------------------


def test_a_new_pool_is_empty():
    pool = PoolAllocator(1000)
    assert pool.capacity == pool.available() == 1000
    assert pool.get_stats() == {
        "capacity": 1000,
        "bytes_in_use": 0,
        "bytes_peak": 0,
        "bytes_reserved": 0,
        "blocks_in_use": 0,
        "alloc_count": 0,
        "dealloc_count": 0,
        "reuse_count": 0,
    }
    assert "1000 bytes" in repr(pool)


@pytest.mark.parametrize(
    ("capacity", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (2**70, ValueError),
        (1.5, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_a_bad_capacity_is_named(capacity, error):
    with pytest.raises(error, match="PoolAllocator: capacity"):
        PoolAllocator(capacity)


def test_capacity_is_required_read_only_and_accepted_by_name():
    with pytest.raises(TypeError):
        PoolAllocator()
    pool = PoolAllocator(capacity=10)
    with pytest.raises(AttributeError):
        pool.capacity = 20
    with pytest.raises(ValueError, match="already"):
        pool.__init__(20)
    assert pool.capacity == 10


def test_subclasses_work():
    class Megabytes(PoolAllocator):
        def __init__(self, megabytes, name):
            super().__init__(megabytes * MB)
            self.name = name

    pool = Megabytes(2, "mine")
    assert (pool.capacity, pool.name) == (2 * MB, "mine")
    with pool as entered:
        assert entered is pool
        array = np.ones(1000)
    assert pool.get_stats()["bytes_in_use"] == array.nbytes
    block = pool.allocate(10)
    pool.block = block  # a reference cycle would keep both alive
    alive = weakref.ref(pool)
    del pool, entered, block
    gc.collect()
    assert alive() is None
    assert array.sum() == 1000


def test_cycles_through_the_type_are_collected():
    class Slotted(PoolAllocator):
        __slots__ = ()

    Slotted.instance = Slotted(1000)
    array = Slotted.instance.empty(10)
    alive = weakref.ref(Slotted)
    del Slotted
    gc.collect()
    assert alive() is None
    assert array.fill(1) is None
    pool = PoolAllocator(1000)
    for thing in (pool, pool.allocate(10)):
        assert gc.is_tracked(thing)
        assert type(thing) in gc.get_referents(thing)


def test_a_subclass_that_forgets_to_initialise_is_told():
    class Forgetful(PoolAllocator):
        def __init__(self):
            pass

    pool = Forgetful()
    for use in (
        pool.available,
        pool.get_stats,
        pool.trim,
        pool.__enter__,
        pool.__repr__,
        lambda: pool.allocate(1),
        lambda: pool.empty(1),
        lambda: pool.deallocate(b""),
        lambda: pool.capacity,
        lambda: pool.__exit__(None, None, None),
    ):
        with pytest.raises(ValueError, match="__init__"):
            use()


def test_pools_and_blocks_are_not_pickled():
    pool = PoolAllocator(100)
    for thing in (pool, pool.allocate(1)):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(thing)


# ---- blocks ---------------------------------------------------------------------------------------


def test_a_block_is_a_writable_buffer_of_bytes():
    pool = PoolAllocator(MB)
    block = pool.allocate(1000)
    assert len(block) == 1000
    with memoryview(block) as view:
        assert (view.format, view.shape, view.strides, view.readonly) == ("B", (1000,), (1,), False)
        view[:] = bytes(i % 256 for i in range(1000))
    assert bytes(block) == bytes(i % 256 for i in range(1000))
    array = np.frombuffer(block, np.float64)
    assert array.shape == (125,)
    assert array.flags.writeable
    assert address(array) % 64 == 0
    with memoryview(block).cast("d", (5, 25)) as matrix:
        matrix[1, 0] = 2.5
    assert array[25] == 2.5


def test_allocations_are_counted():
    pool = PoolAllocator(1000)
    block = pool.allocate(300)
    assert pool.available() == 700
    pool.deallocate(block)
    again = pool.allocate(300)
    stats = pool.get_stats()
    assert (stats["alloc_count"], stats["dealloc_count"], stats["reuse_count"]) == (2, 1, 1)
    assert (stats["bytes_in_use"], stats["bytes_peak"], stats["blocks_in_use"]) == (300, 300, 1)
    assert len(again) == 300


@pytest.mark.parametrize("nbytes", [100, 100_000, 10_000_000])
def test_memory_is_reused_and_trimmed(nbytes):
    pool = PoolAllocator(2 * nbytes)
    block = pool.allocate(nbytes)
    where = address(np.frombuffer(block, np.uint8))
    gc.collect()
    pool.deallocate(block)
    block = pool.allocate(nbytes)
    assert address(np.frombuffer(block, np.uint8)) == where
    del block
    reserved = pool.get_stats()["bytes_reserved"]
    assert reserved >= nbytes
    assert pool.trim() == reserved
    assert pool.get_stats()["bytes_reserved"] == 0
    assert pool.trim() == 0


def test_the_capacity_is_kept_and_named():
    pool = PoolAllocator(1000)
    held = pool.allocate(600)
    with pytest.raises(MemoryError, match=r"401 .* 400 .* 1000"):
        pool.allocate(401)
    assert pool.available() == 400
    rest = pool.allocate(400)
    assert pool.available() == 0
    with pytest.raises(MemoryError):
        pool.allocate(1)
    pool.deallocate(held)
    assert pool.available() == 600
    assert len(rest) == 400


def test_no_bytes_are_a_block_too():
    pool = PoolAllocator(1)
    blocks = [pool.allocate(0) for _ in range(3)]
    assert [bytes(block) for block in blocks] == [b"", b"", b""]
    assert pool.get_stats()["blocks_in_use"] == 3
    for block in blocks:
        pool.deallocate(block)


@pytest.mark.parametrize(
    ("nbytes", "error"),
    [
        (-1, ValueError),
        (2**70, ValueError),
        (-(2**70), ValueError),
        (1.0, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_a_bad_size_is_named(nbytes, error):
    pool = PoolAllocator(100)
    with pytest.raises(error, match="nbytes"):
        pool.allocate(nbytes)
    assert pool.get_stats()["alloc_count"] == 0


def test_a_size_may_be_any_index():
    assert len(PoolAllocator(np.int64(100)).allocate(np.int32(7))) == 7


def test_a_second_deallocate_is_an_error():
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    pool.deallocate(block)
    with pytest.raises(ValueError, match="already"):
        pool.deallocate(block)
    assert pool.get_stats()["dealloc_count"] == 1


def test_use_after_deallocate_is_an_error():
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    pool.deallocate(block)
    for use in (
        memoryview,
        bytes,
        len,
        lambda b: np.frombuffer(b, np.uint8),
        np.from_dlpack,
        lambda b: b.__dlpack__(),
    ):
        with pytest.raises(ValueError, match="deallocated"):
            use(block)
    assert "deallocated" in repr(block)


def test_foreign_blocks_are_refused():
    pool, other = PoolAllocator(100), PoolAllocator(100)
    block = other.allocate(10)
    with pytest.raises(ValueError, match="another pool"):
        pool.deallocate(block)
    for thing in (b"bytes", memoryview(block), None, 0, pool, np.zeros(3)):
        with pytest.raises(TypeError, match="PoolBlock"):
            pool.deallocate(thing)
    assert len(block) == 10


def test_a_block_that_is_looked_at_is_not_deallocated():
    pool = PoolAllocator(1000)
    block = pool.allocate(64)
    view = memoryview(block)
    array = np.frombuffer(block, np.uint8)
    with pytest.raises(ValueError, match="2 live views"):
        pool.deallocate(block)
    view.release()
    part = array[10:20]
    del array
    with pytest.raises(ValueError, match="1 live view "):
        pool.deallocate(block)
    part[:] = 7
    del part
    pool.deallocate(block)
    assert pool.available() == 1000


def test_a_dropped_block_returns_when_nothing_looks_at_it():
    pool = PoolAllocator(1000)
    view = memoryview(pool.allocate(64))
    assert pool.available() == 936
    view[:] = b"x" * 64
    assert bytes(view) == b"x" * 64
    view.release()
    assert pool.available() == 1000


def test_a_block_outlives_its_pool():
    pool = PoolAllocator(10 * MB)
    block = pool.allocate(5 * MB)
    view = memoryview(block)
    del pool, block
    gc.collect()
    view[-1] = 9
    assert view[-1] == 9


def test_weak_references():
    pool = PoolAllocator(100)
    block = pool.allocate(10)
    dead = []
    weakref.finalize(block, dead.append, "block")
    weakref.finalize(pool, dead.append, "pool")
    del block
    assert dead == ["block"]
    del pool
    assert dead == ["block", "pool"]


def test_blocks_are_made_by_pools_only():
    with pytest.raises(TypeError):
        type(PoolAllocator(1).allocate(1))()


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


# ---- over time ---------------------------------------------------------------------------------------


def test_memory_is_flat_over_10000_cycles(under_sanitizer):
    pool = PoolAllocator(MB)

    def cycle():
        block = pool.allocate(10_000)
        view = memoryview(block)
        for error, use in (
            (ValueError, lambda: pool.deallocate(block)),
            (MemoryError, lambda: pool.allocate(2 * MB)),
            (MemoryError, lambda: pool.empty(MB)),
            (TypeError, lambda: pool.empty(3, object)),
            (BufferError, lambda: block.__dlpack__(copy=True)),
        ):
            with pytest.raises(error):
                use()
        view.release()
        np.from_dlpack(block)
        block.__dlpack__()
        pool.deallocate(block)
        with pool:
            np.ones(1000)
        pool.empty((10, 10))

    for _ in range(1000):
        cycle()
    gc.collect()
    before, objects = resident_bytes(), len(gc.get_objects())
    for _ in range(10_000):
        cycle()
    gc.collect()
    assert len(gc.get_objects()) - objects < 50
    assert under_sanitizer or resident_bytes() - before < MB
    assert pool.get_stats()["blocks_in_use"] == 0


def test_reference_counts_are_flat():
    pool, shape, dtype = PoolAllocator(MB), (3, 4), np.dtype([("a", "f4")])
    counted = (pool, shape, dtype, type(pool), type(pool.allocate(0)))

    def use():
        with pool:
            np.ones(10)
        pool.empty(shape, dtype)
        pool.allocate(10).__dlpack__(max_version=shape[:1] * 2)
        for bad in ((shape, "no dtype"), ((-1,), dtype), (shape, object), ((MB,), dtype)):
            with pytest.raises((TypeError, ValueError, MemoryError)):
                pool.empty(*bad)

    use()
    before = [sys.getrefcount(thing) for thing in counted]
    for _ in range(100):
        use()
    assert [sys.getrefcount(thing) for thing in counted] == before


def test_blocks_do_not_load_numpy(run_python):
    run_python("""
import sys, forzium
pool = forzium.PoolAllocator(1000)
block = pool.allocate(100)
memoryview(block)[0] = 1
block.__dlpack__()
pool.deallocate(block)
pool.trim(), pool.get_stats(), pool.available(), repr(pool)
assert "numpy" not in sys.modules
array = pool.empty(3)
assert "numpy" in sys.modules
""")


def test_what_is_left_at_exit_does_no_harm(run_python):
    run_python(
        """
import forzium, numpy as np
pool = forzium.PoolAllocator(1 << 24)
block = pool.allocate(1000)
tensor = np.from_dlpack(block)
view = memoryview(block)
capsule = block.__dlpack__()
pool.__enter__()
array = np.ones(1_000_000)
""",
        PYTHONDEVMODE="1",
    )

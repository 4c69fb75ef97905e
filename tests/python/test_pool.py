"""PoolAllocator: pools and their blocks, and what is left of them over time."""

import gc
import pickle
import resource
import sys
import weakref

import numpy as np
import pytest
from forzium import PoolAllocator

MB = 1 << 20

keeps_classes = pytest.mark.skipif(
    sys.version_info < (3, 14) and not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="free-threaded Python 3.13 keeps classes for ever once there was a second thread",
)


def address(array):
    return array.__array_interface__["data"][0]


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


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


@keeps_classes
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
    assert under_sanitizer or resident_bytes() - before < 3 * MB  # 300 bytes a cycle
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

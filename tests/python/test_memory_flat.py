"""Reference counts and memory stay flat over 10,000 calls of each function, errors included."""

import contextlib
import ctypes
import gc
import resource
import sys

import forzium
import forzium_engine
import numpy as np
import pytest
from oracle import BINARY, UNARY
from refusals import OPERATIONS, WRONG_DTYPES, nested
from test_elementwise import ArrayInterface, DLPackExporter

CALLS = 10_000
X = np.arange(1.0, 17.0).reshape(4, 4)
X32 = X.astype(np.float32)
LISTS = X.tolist()


class HeapUse(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def heap_bytes():
    """Bytes that malloc has out, where the C library tells."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = HeapUse
    use = mallinfo2()
    return use.uordblks + use.hblkhd


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def figures():
    gc.collect()
    return {"heap": heap_bytes(), "blocks": sys.getallocatedblocks(), "resident": resident_bytes()}


def assert_flat(call, times, *held):
    """Runs call `times` times. One that leaks, by an object or 16 bytes a call, grows in every round;
    the interpreter's own tables do so once in a while. What malloc does not count shows in the
    resident size, if only when it is much."""

    def run(times):
        for _ in range(times):
            with contextlib.suppress(Exception):
                call()

    def growth():
        before, counts = figures(), [sys.getrefcount(x) for x in held]
        run(times)
        assert [sys.getrefcount(x) for x in held] == counts
        return {name: now - before[name] for name, now in figures().items()}

    run(times // 10)  # caches fill
    allowed = {"blocks": times // 2, "heap": times * 8, "resident": 2**20}
    rounds = (growth() for _ in range(3))
    assert any(all(grown[name] < allowed[name] for name in allowed) for grown in rounds)


def keep(operation, *args, **options):
    return lambda: operation(*args, **options)


def good_calls():
    for name, (_, values, options) in OPERATIONS.items():
        operation = getattr(forzium, name)
        out = np.empty(np.shape(operation(*values, **options)))
        yield name, keep(operation, *values, **options), values
        yield f"{name} out", keep(operation, *values, **options, out=out), [*values, out]
        lists = [x.tolist() for x in values]
        yield f"{name} of lists", keep(operation, *lists, **options), lists
        swapped = [x.astype(x.dtype.newbyteorder())[::-1] for x in values]
        yield f"{name} of swapped bytes", keep(operation, *swapped, **options), swapped
    for name in (*UNARY, *BINARY):
        operation, one = getattr(forzium, name), [2.5] * (1 if name in UNARY else 2)
        yield f"{name} of scalars", keep(operation, *one), []
        mixed = [X32, X][: len(one)]
        overlapping = np.empty((5, 4))
        yield f"{name} mixed", keep(operation, *mixed, dtype="float32"), mixed
        yield (
            f"{name} overlapping",
            keep(operation, *[overlapping[:4]] * len(one), out=overlapping[1:]),
            [overlapping],
        )
    for name in ("sum", "mean", "min", "max"):
        operation = getattr(forzium, name)
        yield f"{name} of all", keep(operation, X), [X]
        yield f"{name} of axes", keep(operation, X, axis=(0, 1), keepdims=True), [X]
    interface, exporter, view = ArrayInterface(X), DLPackExporter(X), memoryview(X)
    yield "array interface", keep(forzium.negative, interface), [interface, X]
    yield "DLPack", keep(forzium.negative, exporter), [exporter, X]
    yield "memoryview", keep(forzium.negative, view), [view]
    yield "transpose axes", keep(forzium.transpose, X, (1, 0)), [X]
    for name in ("info", "thread_pool_metrics", "detect_simd_support", "get_num_threads"):
        yield name, getattr(forzium, name), []
    yield "set_num_threads", keep(forzium.set_num_threads, forzium.get_num_threads()), []


def failing_calls():
    integers, masked, read_only = WRONG_DTYPES["int64"], np.ma.array(X, mask=X > 3), X.copy()
    read_only.flags.writeable = False
    ragged = [[1.0, 2.0], [3.0]]
    for name, (arguments, values, options) in OPERATIONS.items():
        operation = getattr(forzium, name)
        for position in range(len(arguments)):
            for kind, bad in {
                "integers": integers, "masked": masked, "ragged": ragged, "None": None, "text": [["a"]],
                "an object": object(), "too deep": nested(70), "a huge integer": [10**400],
            }.items():  # fmt: skip
                with_bad = [*values[:position], bad, *values[position + 1 :]]
                yield f"{name} of {kind} at {position}", keep(operation, *with_bad, **options), [bad]
        for kind, out in {
            "read-only": read_only,
            "integer": integers,
            "masked": masked,
            "list": ragged,
        }.items():
            yield f"{name} {kind} out", keep(operation, *values, **options, out=out), [*values, out]
        misshapen = np.empty((7, 7))
        yield (
            f"{name} misshapen out",
            keep(operation, *values, **options, out=misshapen),
            [*values, misshapen],
        )
        yield f"{name} no arguments", operation, []
        yield f"{name} unknown keyword", keep(operation, *values, **options, nonsense=X), [X]
    yield "bad axis", keep(forzium.sum, X, axis=7), [X]
    yield "bad axes", keep(forzium.transpose, X, (0, 0)), [X]
    yield "bad dtype", keep(forzium.add, X, X, dtype="int64"), [X]
    yield "bad window", keep(forzium.max_pool2d, X, 0), [X]
    yield "bad threads", keep(forzium.set_num_threads, 0), []
    yield "min of nothing", keep(forzium.min, np.empty(0)), []


def engine_calls():
    """The list bindings, with good and with ragged lists."""
    engine, ragged, vector = forzium_engine, [[1.0, 2.0], [3.0]], [3.0, 4.0]
    for rows in (LISTS, ragged, [], [["a"]], None):
        yield "multiply", keep(engine.multiply, rows, 2.0), [rows]
        yield "add", keep(engine.add, rows, 2.0), [rows]
        yield "transpose", keep(engine.transpose, rows), [rows]
        yield "max_pool2d", keep(engine.max_pool2d, rows, 2), [rows]
        for name in (
            "matmul",
            "simd_matmul",
            "elementwise_add",
            "simd_elementwise_add",
            "elementwise_mul",
            "conv2d",
        ):
            yield name, keep(getattr(engine, name), rows, LISTS), [rows, LISTS]
            yield name, keep(getattr(engine, name), LISTS, rows), [rows, LISTS]
    for values in (vector, [0.0, 0.0], ["a"], None):
        yield "scale", keep(engine.scale, values, 2.0), [values]
        yield "normalize", keep(engine.normalize, values), [values]
        yield "reshape", keep(engine.reshape, values, 1, 2), [values]
        yield "sum_list", keep(engine.sum_list, values), [values]
    for name in ("noop", "detect_simd_support", "rayon_pool_metrics"):
        yield name, getattr(engine, name), []
    yield "echo_u64", keep(engine.echo_u64, 2**63), []


def groups(calls):
    """The calls by the operation they name, so that a test is one operation."""
    found = {}
    for label, call, held in calls:
        found.setdefault(label.split()[0], []).append((label, call, held))
    return found


GROUPS = {
    **{f"{name} works": calls for name, calls in groups(good_calls()).items()},
    **{f"{name} fails": calls for name, calls in groups(failing_calls()).items()},
    **{f"engine {name}": calls for name, calls in groups(engine_calls()).items()},
}


@pytest.fixture
def collections_are_quick():
    """Sets aside what other tests left behind."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("collections_are_quick")
@pytest.mark.parametrize("group", GROUPS)
def test_flat(group, under_sanitizer):
    if under_sanitizer:
        pytest.skip("a sanitizer keeps what is freed; it finds leaks itself")
    calls = GROUPS[group]
    for _label, call, held in calls:
        assert_flat(call, max(CALLS // len(calls), CALLS // 10), *[x for x in held if x is not None])


@pytest.mark.parametrize("failing", [False, True])
def test_arrays_are_let_go_when_a_call_is_over(failing):
    for name, (arguments, values, options) in OPERATIONS.items():
        fresh = [x.copy() for x in values]
        out = np.empty((9, 9) if failing else np.shape(getattr(forzium, name)(*values, **options)))
        before = [sys.getrefcount(x) for x in fresh] + [sys.getrefcount(out)]
        with contextlib.suppress(ValueError):
            result = getattr(forzium, name)(*fresh, **options, out=out)
            del result
        assert [sys.getrefcount(x) for x in fresh] + [sys.getrefcount(out)] == before, (name, arguments)


def test_the_exporter_may_resize_again_after_the_call():
    """No buffer stays exported, after success or failure."""
    for bad_out in (None, np.empty(99)):
        memory = bytearray(80)
        view = memoryview(memory).cast("d")
        with contextlib.suppress(ValueError):
            forzium.negative(view, out=bad_out)
        view.release()
        memory.append(0)  # BufferError while a buffer is out

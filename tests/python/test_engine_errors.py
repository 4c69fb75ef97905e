"""forzium_engine on bad input, and on input that changes meanwhile: it says where, and leaks nothing."""

import gc
import math
import re
import sys
import threading
import tracemalloc

import forzium_engine as engine
import numpy as np
import pytest
from oracle import outcome

# ---- bad input ------------------------------------------------------------------------------------------

UNARY = {"multiply": (2.0,), "add": (2.0,), "transpose": (), "max_pool2d": (1,)}
PAIRS = ["matmul", "simd_matmul", "elementwise_add", "simd_elementwise_add", "elementwise_mul", "conv2d"]
# A function that reads rows, and how to call it with them.
ROW_READERS = [
    *((name, lambda f, m, rest=rest: f(m, *rest)) for name, rest in UNARY.items()),
    *((name, lambda f, m: f(m, [[1.0]])) for name in PAIRS),
    *((name, lambda f, m: f([[1.0]], m)) for name in PAIRS),
]
VECTOR_READERS = [
    ("scale", lambda f, v: f(v, 2.0)),
    ("normalize", lambda f, v: f(v)),
    ("reshape", lambda f, v: f(v, 1, 1)),
    ("sum_list", lambda f, v: f(v)),
]


class NotIterable:
    __iter__ = None

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return 1.0


@pytest.mark.parametrize(("name", "call"), ROW_READERS)
@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ValueError, "is empty"),
        ([[]], ValueError, "is empty: row 0"),
        (
            [[1.0] * 5] * 3 + [[1.0] * 4],
            ValueError,
            "is ragged: row 3 has 4 values, row 0 has 5",
        ),
        ([[1.0], []], ValueError, "is ragged: row 1 has 0 values, row 0 has 1"),
        ([[1.0, 2.0], [3.0, "4"]], TypeError, "row 1, column 1 is of type str, not a number"),
        ([[1.0, None]], TypeError, "row 0, column 1 is of type NoneType"),
        ([[b"1"]], TypeError, "row 0, column 0 is of type bytes"),
        ([[1j]], TypeError, "row 0, column 0 is of type complex"),
        ([[np.complex128(1)]], TypeError, "row 0, column 0"),
        ([[np.str_("1")]], TypeError, "row 0, column 0"),
        ([[object()]], TypeError, "row 0, column 0 is of type object"),
        ([[1.0], [[2.0]]], TypeError, "row 1, column 0 is of type list: nested too deep"),
        (np.ones((2, 2, 2)), TypeError, "row 0, column 0 is of type numpy.ndarray: nested too deep"),
        ([[10**400]], ValueError, "row 0, column 0 is of type int, too large"),
        ([1.0, 2.0], TypeError, "row 0 is of type float, not a sequence of numbers"),
        (["ab"], TypeError, "row 0 is of type str"),
        ([{1.0: 2.0}], TypeError, "row 0 is of type dict"),
        ("ab", TypeError, "sequence of rows of numbers, not str"),
        (5, TypeError, "sequence of rows of numbers, not int"),
        (None, TypeError, "sequence of rows of numbers, not NoneType"),
        ({1.0}, TypeError, "sequence of rows of numbers, not set"),
        (np.array(1.0), TypeError, "sequence of rows of numbers"),
        (NotIterable(), TypeError, "not iterable"),
        ([[1.0], NotIterable()], TypeError, "not iterable"),
        (memoryview(np.ones((2, 2, 2))), TypeError, "row 0, column 0 is of type list: nested too deep"),
    ],
)
def test_bad_rows(name, call, data, error, message):
    with pytest.raises(error, match=f"^{name}: .*{re.escape(message)}"):
        call(getattr(engine, name), data)


@pytest.mark.parametrize(("name", "call"), VECTOR_READERS)
@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ValueError, "v is empty"),
        ([1.0, "2"], TypeError, "v item 1 is of type str, not a number"),
        ([[1.0]], TypeError, "v item 0 is of type list: nested too deep"),
        ([10**400], ValueError, "v item 0 is of type int, too large"),
        ("12", TypeError, "v must be a sequence of numbers, not str"),
        (1.0, TypeError, "v must be a sequence of numbers, not float"),
        (NotIterable(), TypeError, "v: not iterable"),
        (memoryview(np.ones((2, 2))), TypeError, "v item 0 is of type list: nested too deep"),
    ],
)
def test_bad_vectors(name, call, data, error, message):
    with pytest.raises(error, match=f"^{name}: {re.escape(message)}"):
        call(getattr(engine, name), data)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: engine.matmul([[1.0] * 3] * 2, [[1.0] * 3] * 2),
            ValueError,
            "matmul: shapes.*(2, 3).*(2, 3)",
        ),
        (
            lambda: engine.simd_matmul([[1.0]], [[1.0], [2.0]]),
            ValueError,
            "simd_matmul: shapes.*(1, 1).*(2, 1)",
        ),
        (lambda: engine.elementwise_add([[1.0]], [[1.0, 2.0]]), ValueError, "elementwise_add: shapes"),
        (
            lambda: engine.simd_elementwise_add([[1.0]], [[1.0], [2.0]]),
            ValueError,
            "simd_elementwise_add: shapes",
        ),
        (lambda: engine.elementwise_mul([[1.0, 2.0]], [[1.0]]), ValueError, "elementwise_mul: shapes"),
        (lambda: engine.conv2d([[1.0]], [[1.0, 2.0]]), ValueError, "conv2d: shapes.*kernel"),
        (lambda: engine.conv2d([[1.0, 2.0]], [[1.0], [2.0]]), ValueError, "conv2d: shapes.*kernel"),
        (lambda: engine.max_pool2d([[1.0] * 4] * 4, 3), ValueError, "max_pool2d: shape.*(4, 4).*3"),
        (lambda: engine.max_pool2d([[1.0] * 4] * 6, 3), ValueError, "max_pool2d: shape.*(6, 4).*3"),
        (lambda: engine.max_pool2d([[1.0]], 2), ValueError, "max_pool2d: shape.*(1, 1).*2"),
        (lambda: engine.max_pool2d([[1.0]], 0), ValueError, "max_pool2d: size is 0"),
        (lambda: engine.max_pool2d([[1.0]], -1), ValueError, "max_pool2d: size is -1"),
        (
            lambda: engine.max_pool2d([[1.0]], 1.0),
            TypeError,
            "max_pool2d: size must be an integer, not float",
        ),
        (lambda: engine.max_pool2d([[1.0]], 2**80), ValueError, "max_pool2d: size"),
        (lambda: engine.multiply([[1.0]], "2"), TypeError, "multiply: factor must be a real number, not str"),
        (lambda: engine.multiply([[1.0]], None), TypeError, "multiply: factor"),
        (lambda: engine.multiply([[1.0]], 2j), TypeError, "multiply: factor"),
        (lambda: engine.multiply([[1.0]], [2.0]), TypeError, "multiply: factor"),
        (lambda: engine.multiply([[1.0]], 10**400), ValueError, "multiply: factor is too large"),
        (lambda: engine.multiply([[1.0]]), TypeError, "multiply.*factor"),
        (lambda: engine.multiply([[1.0]], 2.0, 3.0), TypeError, "multiply"),
        (lambda: engine.multiply([[1.0]], 2.0, factor=3.0), TypeError, "multiply.*factor"),
        (lambda: engine.multiply([[1.0]], 2.0, wrong=3.0), TypeError, "multiply.*wrong"),
        (lambda: engine.reshape([1.0] * 6, 2, 4), ValueError, "reshape: shape (2, 4).*6"),
        (lambda: engine.reshape([1.0] * 6, 0, 6), ValueError, "reshape: shape (0, 6)"),
        (lambda: engine.reshape([1.0] * 6, -2, -3), ValueError, "reshape: shape (-2, -3)"),
        (lambda: engine.reshape([1.0] * 6, 2**62, 8), ValueError, "reshape: shape"),
        (lambda: engine.reshape([1.0] * 6, 2.0, 3), TypeError, "reshape: rows must be an integer"),
        (lambda: engine.normalize([0.0, -0.0]), ValueError, "normalize: v is a zero vector"),
        (lambda: engine.normalize([1.0, math.inf]), ValueError, "normalize: v holds an infinity"),
        (lambda: engine.normalize([math.nan, 1.0]), ValueError, "normalize: v holds NaN"),
        (lambda: engine.echo_u64(-1), ValueError, "echo_u64: n is out of range"),
        (lambda: engine.echo_u64(2**64), ValueError, "echo_u64: n is out of range"),
        (lambda: engine.echo_u64(1.0), TypeError, "echo_u64: n must be an integer, not float"),
        (lambda: engine.noop(1), TypeError, "noop"),
        (lambda: engine.configure_rayon_thread_pool(thread_count=0), ValueError, "thread_count is 0"),
        (lambda: engine.configure_rayon_thread_pool(thread_count=-3), ValueError, "thread_count is -3"),
        (lambda: engine.configure_rayon_thread_pool(thread_count=5000), ValueError, "thread_count is 5000"),
        (
            lambda: engine.configure_rayon_thread_pool(thread_count="2"),
            TypeError,
            "thread_count must be an int",
        ),
        (
            lambda: engine.run_in_compute_threadpool(5),
            TypeError,
            "run_in_compute_threadpool: f must be callable",
        ),
        (lambda: engine.run_in_io_threadpool(None), TypeError, "run_in_io_threadpool: f must be callable"),
    ],
)
def test_bad_arguments(call, error, message):
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(error, match=pattern):
        call()


def test_an_items_own_exception_passes_through():
    class Broken:
        def __float__(self):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        engine.multiply([[1.0, Broken()]], 2.0)
    with pytest.raises(ZeroDivisionError, match="mine"):
        engine.multiply([[1.0]], Broken())


# ---- data that change while they are read -----------------------------------------------------------------


class Saboteur:
    """A number that does something to the lists it is read from."""

    def __init__(self, act):
        self.act = act

    def __float__(self):
        self.act()
        return 1.0


def test_a_row_that_shrinks_while_it_is_read():
    row = [1.0] * 1000
    row[3] = Saboteur(row.clear)
    with pytest.raises(ValueError, match="ragged: row 0 has 0 values, row 0 has 1000"):
        engine.multiply([row], 2.0)


def test_a_row_that_grows_while_it_is_read():
    row = [1.0, None, 2.0]
    row[1] = Saboteur(lambda: row.extend([9.0] * 1000))
    with pytest.raises(ValueError, match="ragged: row 0 has 1003 values"):
        engine.multiply([row], 2.0)


def test_rows_that_vanish_while_they_are_read():
    data = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    data[1][0] = Saboteur(data.clear)
    with pytest.raises(ValueError, match="lost its row 2"):
        engine.multiply(data, 2.0)


def test_a_vector_that_shrinks_while_it_is_read():
    v = [1.0] * 100
    v[0] = Saboteur(v.clear)
    with pytest.raises(ValueError, match="changed its length from 100 to 0"):
        engine.scale(v, 2.0)


def test_an_item_that_replaces_itself_while_it_is_read():
    row = [None, 2.0]
    row[0] = Saboteur(lambda: row.__setitem__(0, 5.0))
    assert engine.multiply([row], 2.0) == [[2.0, 4.0]]


def test_lists_that_another_thread_changes():
    data = [[1.0] * 50 for _ in range(50)]
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for row in data:
                row.pop()
                row.append(1.0)
            data.append(data.pop(0))

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(300):
            result, error = outcome(lambda: engine.multiply(data, 2.0))
            if error is None:
                assert {x for row in result for x in row} == {2.0}
            else:
                assert re.search("ragged|lost its row", str(error))
    finally:
        stop.set()
        changer.join()


# ---- memory ---------------------------------------------------------------------------------------------


def test_references_and_memory_stay_flat(under_sanitizer):
    number, broken = 1234.5, object()
    good, bad = [[number] * 40] * 40, [[number] * 40, [number, broken]]

    def work(times):
        for _ in range(times):
            engine.multiply(good, 2.0)
            engine.simd_matmul(good, good)
            for call in (lambda: engine.multiply(bad, 2.0), lambda: engine.matmul(good, [[1.0]])):
                with pytest.raises((TypeError, ValueError)):
                    call()

    work(10)
    counts = [sys.getrefcount(x) for x in (number, broken, good, bad, good[0])]
    gc.collect()
    tracemalloc.start()
    work(10)
    before = tracemalloc.get_traced_memory()[0]
    work(500)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert [sys.getrefcount(x) for x in (number, broken, good, bad, good[0])] == counts
    assert under_sanitizer or after - before < 20_000

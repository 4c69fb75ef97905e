"""Compiled expressions and fused functions as objects: shared by threads, copied, pickled, and small."""

import copy
import pickle
import threading

import forzium
import numpy as np
import pytest
from oracle import PEAK, assert_same


@forzium.fuse
def rational(x, y):
    """A function of arithmetic with a loop and a helper."""
    total = x
    for power in (2, 3):
        total = total + y / power
    return np.where(np.isnan(total), 0.0, abs(total))


def test_fuse():
    x, y = np.array([1.0, np.nan, -9.0]), np.array([6.0, 1.0, 6.0])
    assert rational(x, y).tolist() == [6.0, 0.0, 4.0]
    assert rational(x=x, y=y).tolist() == [6.0, 0.0, 4.0]
    assert pickle.loads(pickle.dumps(rational)) is rational
    both = forzium.fuse(lambda x, y: (x + y, x * y))(x, y)
    np.testing.assert_array_equal(both[1], x * y)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + 1,
        lambda x, y: y,
        lambda x, y: np.sum(x),
        lambda x, y: forzium.max(x * 2, axis=0),
        lambda x, y: (x, x * 2),
        lambda x, y: 3.0,
    ],
)
def test_arguments_that_take_no_part_change_nothing(function):
    fused, x = forzium.fuse(function), np.arange(1.0, 4.0)
    for y in (np.ones((4, 3)), np.ones((5, 0)), np.ones(7)):
        got, want = fused(x, y), function(x, y)
        for one, other in zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]:
            assert_same(np.asarray(one), np.asarray(other))


def halve(x):
    return x / 2


halve_at_once = forzium.fuse(halve)


def test_copies_of_fused_functions_are_fused():
    x = np.array([1.0, 3.0])
    for made in (copy.copy, copy.deepcopy, lambda fused: pickle.loads(pickle.dumps(fused))):
        copied = made(halve_at_once)
        assert isinstance(copied, forzium.Expression)
        assert copied.__wrapped__ is halve
        np.testing.assert_array_equal(copied(x), x / 2)
    with pytest.raises(pickle.PicklingError, match=r"fuse: <function .*lambda.* is not what has its name"):
        pickle.dumps(forzium.fuse(lambda x: x + 1))


def test_fuse_refuses_what_depends_on_values():
    with pytest.raises(TypeError, match="where"):
        forzium.fuse(lambda x: x if x > 0 else -x)
    with pytest.raises(TypeError):
        forzium.fuse(lambda x: float(x))
    with pytest.raises(TypeError):
        forzium.fuse(lambda *x: x)
    with pytest.raises(TypeError):
        forzium.fuse(3)
    with pytest.raises(TypeError, match="fuse: sum's axis has a default"):
        forzium.fuse(np.sum)
    with pytest.raises(TypeError, match="fuse: a value is not known before the call"):
        forzium.fuse(lambda x: sum(x))
    with pytest.raises(TypeError, match="fuse: int does not say"):
        forzium.fuse(int)
    with pytest.raises(TypeError, match="power takes 2 arguments; 3 were given"):
        forzium.fuse(lambda x, y: pow(x, y, 7))


def test_expression_objects():
    add = forzium.expression("b + 2*a")
    assert add.names == ("b", "a")
    assert add.text == "b + 2*a"
    assert add(1.0, a=2.0) == 5.0
    assert pickle.loads(pickle.dumps(add))(1.0, 2.0) == 5.0
    assert copy.copy(add).names == add.names
    with pytest.raises(AttributeError):
        add.text = "c"
    for arguments, named in (((1,), {}), ((1, 2, 3), {}), ((1,), {"b": 2}), ((1,), {"c": 2})):
        with pytest.raises(TypeError):
            add(*arguments, **named)


def test_threads_share_an_expression():
    square = forzium.expression("a*a + b")
    a = np.random.default_rng(0).standard_normal(30_000)
    want, wrong = a * a + 1, []

    def work():
        for _ in range(20):
            if not np.array_equal(square(a, 1.0), want):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_compile_the_same_expression_at_once():
    add = forzium.expression("where(a > b, a - b, a*b)")
    a, b, wrong, start = np.arange(999.0), np.ones(999), [], threading.Barrier(16)

    def work(dtype, wide):
        x, y = a.astype(dtype), b.astype(dtype) if wide else 1.0
        start.wait()
        if not np.array_equal(add(x, y), np.where(x > y, x - y, x * y)):
            wrong.append(dtype)

    dtypes = ["f4", "f8", "i4", "i8", "u1", "f2", "i2", "u8"]
    threads = [threading.Thread(target=work, args=(d, w)) for d in dtypes for w in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_threads_share_names_and_texts_of_which_the_oldest_are_forgotten():
    names, wrong, start = {"a": np.ones(3)}, [], threading.Barrier(8)

    def work(first):
        start.wait()
        for n in (*range(first, 400), *range(first)):  # more than are kept
            names["a"] = np.ones(3)
            if not np.array_equal(forzium.evaluate(f"a + {n}", names), np.ones(3) + n):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(50 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_arrays_in_between(run_python):
    process = run_python(
        PEAK
        + """
        import numpy as np, forzium
        forzium.set_num_threads(2)
        plain = "2*x + 3*y - x/(1 + y*y)", "exp(-x*x)*sin(y)", "where(x > y, x, y)"
        closed = "sum((x - y)**2 + x*y)", "sum(x - y, 0)", "mean(x*y, 1)", "var(x + y, 0)", "sum(x > y, 1)"
        def grow(text, rows):
            values, before = {"x": a[:rows], "y": b[:rows]}, peak()
            forzium.evaluate(text, values, out=out[:rows] if text in plain else None)
            return peak() - before
        a, b, out = np.ones((3, 4000, 1000))
        for text in plain + closed:
            grow(text, 40)  # what is loaded and made once, whatever the number of elements
        print(max(grow(text, 4000) for text in plain + closed))
    """
    )
    assert int(process.stdout) < 1000  # KB; an array would be 31250


def test_memory_does_not_grow_with_the_rows_of_a_reduction(run_python):
    process = run_python(
        PEAK
        + """
        import numpy as np, forzium
        forzium.set_num_threads(2)
        texts = "sum(x*y, 0)", "max(x*y, 0)", "var(x*y, 0)", "sum(x*y, 1)", "std(x*y)"
        def grow(text, rows):
            values = {"x": np.ones(1000), "y": np.ones((rows, 1))}
            before = peak()
            assert np.all(forzium.evaluate(text, values) >= 0)
            return peak() - before
        for text in texts:
            grow(text, 400)
        print(max(grow(text, 60_000) for text in texts))
    """
    )
    assert int(process.stdout) < 1500  # KB, of which 938 are y and the result; all elements would be 469000

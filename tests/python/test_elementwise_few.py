"""Element-wise calls on a few elements, which go a short way: with gaps, numbers, rows, without axes."""

import forzium
import numpy as np
import pytest
from oracle import assert_same, assert_same_values


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "e", "f", "d"])
@pytest.mark.parametrize("step", [2, -1, -3, 0])
def test_few_elements_with_gaps(dtype, step):
    for n in range(1, 70):
        memory = np.random.default_rng(n).integers(0, 100, 3 * n + 1).astype(dtype)
        x = memory[::step][:n] if step else np.broadcast_to(memory[:1], n)
        y = memory[:n].copy()
        for inputs in ((x, x), (x, y), (y, x)):
            assert_same(forzium.maximum(*inputs), np.maximum(*inputs))
            assert_same(forzium.less(*inputs), np.less(*inputs))
        assert_same(forzium.where(x > y, x, y), np.where(x > y, x, y))
        unaligned = np.frombuffer(b"_" + memory.tobytes(), dtype, offset=1)[: 2 * n : 2]
        assert_same(forzium.maximum(unaligned, y), np.maximum(unaligned, y))
        want = np.maximum(x, y)
        assert_same(forzium.maximum(x, y, out=memory[1 : n + 1]), want)  # which x overlaps


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("number", [0, 3, -1, 2**24 + 1, 2**53, 2**53 + 1, -(2**53) - 1, -(2**63), True])
def test_python_integers_among_few_floats_are_numpys(dtype, number):
    x = np.array([-2.5, 0.0, 1.0, 3.0, 2.0**53, np.inf], dtype)
    with np.errstate(all="ignore"):
        for name in (
            "add",
            "multiply",
            "divide",
            "remainder",
            "power",
            "maximum",
            "less",
            "equal",
            "logical_and",
        ):
            want = getattr(np, name)(x, number)
            got = getattr(forzium, name)(x, number)
            assert got.dtype == want.dtype, name
            if name == "power":
                np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps)
            else:
                np.testing.assert_array_equal(got, want, name)
            np.testing.assert_array_equal(got, getattr(forzium, name)(x, np.asarray(number, x.dtype)), name)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "e"])
@pytest.mark.parametrize(
    "scalar", [np.float32(0.1), np.float64(0.1), np.float16(0.1), np.int32(3), np.bool(True)]
)
def test_numpys_scalars_among_few_elements_are_of_their_dtype(dtype, scalar):
    x = np.array([-2.5, 0.0, 1.0, 3.0, 1e4], dtype)
    for name in ("add", "multiply", "maximum", "less", "logical_or", "equal"):
        for inputs in ((x, scalar), (scalar, x)):
            assert_same(getattr(forzium, name)(*inputs), getattr(np, name)(*inputs))
    for low, high in ((scalar, np.float64(2)), (np.float32(-1), scalar), (-1.0, scalar)):
        assert_same(forzium.clip(x, low, high), np.clip(x, low, high))
    assert_same(forzium.where(x > 0, x, scalar), np.where(x > 0, x, scalar))


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "e", "f", "d"])
def test_where_with_a_condition_that_has_gaps(dtype):
    random = np.random.default_rng(0)
    for n in (*range(1, 40), 3000):
        x, y = random.integers(0, 100, (2, n)).astype(dtype)
        truths = random.integers(0, 2, 3 * n).astype(bool)
        for chosen in (truths[::3], truths[: 2 * n : 2], truths[:n][::-1], truths[:1], truths[1], truths[:n]):
            for inputs in ((chosen, x, y), (chosen, x, y[::-1]), (chosen, x, y[:1]), (chosen, x[0], y[0])):
                assert_same_values(forzium.where(*inputs), np.where(*inputs))
        for chosen in (
            truths.reshape(n, 3)[:, :2],
            truths.reshape(3, n)[::2].T,
            truths.reshape(3, n).T[:, 1:],
        ):
            pair_of_columns = np.stack([y, x], axis=1)
            assert_same(
                forzium.where(chosen, x[:, None], pair_of_columns),
                np.where(chosen, x[:, None], pair_of_columns),
            )


@pytest.mark.parametrize("dtype", ["u1", "i4", "e", "f", "d"])
@pytest.mark.parametrize("rows", [1, 2, 5, 300])
def test_a_gathered_row_beside_a_matrix(dtype, rows):
    for n in (1, 2, 7, 16, 33, 70):
        matrix = np.random.default_rng(n).integers(0, 100, (rows, n)).astype(dtype)
        memory = np.arange(3 * n).astype(dtype)
        for row in (memory[::3], memory[1::2][:n], memory[: 2 * n : 2][::-1], memory[:n][::-1]):
            for inputs in ((matrix, row), (row, matrix), (matrix[:, ::-1], row), (row[None], matrix)):
                assert_same(forzium.maximum(*inputs), np.maximum(*inputs))
                assert_same(forzium.subtract(*inputs), np.subtract(*inputs))
                assert_same(forzium.less(*inputs), np.less(*inputs))
            assert_same(forzium.where(matrix > row, matrix, row), np.where(matrix > row, matrix, row))
            assert_same(forzium.clip(matrix, row, 50), np.clip(matrix, row, 50))


@pytest.mark.parametrize("dtype", ["?", "u1", "i4", "e", "f", "d"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,)])
def test_arrays_without_axes_beside_others(dtype, shape):
    x = np.random.default_rng(3).integers(0, 9, shape).astype(dtype)
    zero = np.array(3).astype(dtype)
    unaligned = np.frombuffer(b"_" + zero.tobytes(), dtype, offset=1).reshape(())
    for number in (zero, unaligned, np.array([zero, zero + zero])[1:].reshape(())):
        for inputs in ((x, number), (number, x), (number, number)):
            assert_same(forzium.maximum(*inputs), np.maximum(*inputs))
            assert_same(forzium.less_equal(*inputs), np.less_equal(*inputs))
            assert_same_values(forzium.where(np.array(True), *inputs), np.where(np.array(True), *inputs))
            assert_same_values(forzium.where(x > 4, *inputs), np.where(x > 4, *inputs))
        out = np.zeros((), dtype)
        assert forzium.maximum(number, zero, out=out) is out
        assert out == np.maximum(number, zero)


STRANGERS = {
    "objects": np.array([1.0, 2.0, 3.0], object),
    "object without axes": np.array(1.0, object),
    "records": np.array([(1, 2.0)] * 3, [("a", "i4"), ("b", "f8")]),
    "record": np.array((1, 2.0), [("a", "i4"), ("b", "f8")])[()],
    "dates": np.arange(3).astype("M8[s]"),
    "texts": np.array(["1", "2", "3"]),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_few_elements_of_other_dtypes_are_refused(kind):
    stranger, x, out = STRANGERS[kind], np.ones(3), np.full(3, 7.0)
    for name in ("add", "less", "maximum", "where", "clip", "negative"):
        for place in range({"negative": 1, "where": 3, "clip": 3}.get(name, 2)):
            inputs = [x] * {"negative": 1, "where": 3, "clip": 3}.get(name, 2)
            inputs[place] = stranger
            for options in ({}, {"out": out}):
                with pytest.raises(TypeError, match=name):
                    getattr(forzium, name)(*inputs, **options)
    assert np.all(out == 7)


@pytest.mark.parametrize("dtype", ["u1", "i4", "e", "f", "d"])
def test_out_over_a_gathered_input(dtype):
    """Over its beginning, its end, its own elements, the gaps between them, or another row of its matrix."""
    for n in (1, 2, 3, 8, 17, 33, 70):
        values = np.random.default_rng(n).integers(0, 100, (4, 3 * n)).astype(dtype)
        y = values[3, :n].copy()
        for gathered in (np.s_[0, ::3], np.s_[0, n * 2 :: -2], np.s_[0, 1 : 2 * n + 1 : 2], np.s_[:2, ::3]):
            for place in (
                np.s_[..., :n],
                np.s_[..., -n:],
                np.s_[..., ::3],
                np.s_[..., 1::3],
                np.s_[..., n:0:-1],
            ):
                for name in ("subtract", "maximum", "where", "clip"):
                    memory = values.copy()
                    out = memory[gathered[0]][place]
                    x = memory[gathered]
                    if x.shape != out.shape:
                        continue
                    inputs = {"where": (x > 40, x, y), "clip": (x, y, y + 3)}.get(name, (x, y))
                    want = getattr(np, name)(*(v.copy() for v in inputs))
                    expected = values.copy()
                    expected[gathered[0]][place] = want
                    assert getattr(forzium, name)(*inputs, out=out) is out
                    assert_same(memory, expected)

"""The least integer by -1, negated, without its sign, to a power: NumPy's wrapped result, and no signal.
Powers of no numbers."""

import itertools

import forzium
import numpy as np
import pytest
from oracle import assert_same

DTYPES = ("int8", "int16", "int32", "int64")
QUOTIENTS = ("floor_divide", "remainder", "fmod", "divide")
UNARY = ("negative", "absolute", "sign", "square")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_quotient = pytest.mark.parametrize("name", QUOTIENTS)


def lengths(dtype):
    """An element alone, about as many as a vector has, and vectors with a rest."""
    vector = forzium.info()["kernels"]["vector_bytes"] // np.dtype(dtype).itemsize
    return sorted({1, vector - 1, vector, vector + 1, 100})


def limits(dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.array([least, least + 1, -2, -1, 0, 1, 2, most - 1, most], dtype)


def least(n, dtype):
    return np.full(n, np.iinfo(dtype).min, dtype)


def pairs(n, dtype):
    """Nothing but what overflows, then every pair of limits, each anywhere among the n."""
    yield least(n, dtype), np.full(n, -1, dtype)
    for shift in range(len(limits(dtype))):
        yield np.resize(limits(dtype), n), np.resize(np.roll(limits(dtype), shift), n)


@every_quotient
@every_dtype
def test_quotients_of_arrays(name, dtype):
    operation, numpys = getattr(forzium, name), getattr(np, name)
    for n in lengths(dtype):
        for x, y in pairs(n, dtype):
            want = numpys(x, y)
            assert_same(operation(x, y), want)
            assert_same(operation(np.repeat(x, 2)[::2], y[::-1].copy()[::-1]), want)
            assert_same(operation(x.copy(), y, dtype=want.dtype), want)
            out = x.copy() if want.dtype == x.dtype else np.empty_like(want)
            assert operation(out if out.dtype == x.dtype else x, y, out=out) is out
            assert_same(out, want)


@every_quotient
@every_dtype
def test_quotients_with_a_number_on_either_side(name, dtype):
    operation, numpys = getattr(forzium, name), getattr(np, name)
    lowest = np.iinfo(dtype).min
    for n in lengths(dtype):
        for x, number in itertools.product((least(n, dtype), np.resize(limits(dtype), n)), (-1, 0, lowest)):
            for given in (
                number,
                np.array(number, dtype),
                np.dtype(dtype).type(number),
                np.array([number], dtype),
            ):
                assert_same(operation(x, given), numpys(x, given))
                assert_same(operation(given, x), numpys(given, x))
    for x, y in itertools.product(limits(dtype), repeat=2):
        assert_same(operation(x, y), numpys(x, y))
        assert_same(operation(np.array(x), np.array(y)), numpys(np.array(x), np.array(y)))


@every_quotient
def test_quotients_of_pythons_integers(name):
    for x, y in itertools.product((-(2**63), 2**63 - 1, -1, 7), (-1, 0, 1, -(2**63))):
        assert_same(getattr(forzium, name)(x, y), getattr(np, name)(x, y))


@every_quotient
@pytest.mark.parametrize(("dtype", "other"), [*itertools.permutations(DTYPES, 2)])
def test_quotients_of_two_dtypes(name, dtype, other):
    for n in lengths(dtype):
        for x, y in zip(pairs(n, dtype), pairs(n, other), strict=True):
            assert_same(getattr(forzium, name)(x[0], y[1]), getattr(np, name)(x[0], y[1]))


@every_quotient
@every_dtype
def test_quotients_of_rows_and_columns(name, dtype):
    x = limits(dtype)
    for n in lengths(dtype):
        wide = np.ascontiguousarray(np.broadcast_to(x[:, None], (len(x), n)))
        for a, b in (
            (wide, wide[3]),
            (wide, x[:, None]),
            (x[:, None], wide),
            (x[:, None], x),
            (wide[:1], x[:, None]),
        ):
            assert_same(getattr(forzium, name)(a, b), getattr(np, name)(a, b))


@pytest.mark.parametrize("name", UNARY)
@every_dtype
def test_functions_of_one(name, dtype):
    for n in lengths(dtype):
        for x in (least(n, dtype), np.resize(limits(dtype), n)):
            want = getattr(np, name)(x)
            assert_same(getattr(forzium, name)(x), want)
            assert_same(getattr(forzium, name)(x[0]), want[0])
            assert_same(getattr(forzium, name)(x, out=x), want)


@every_dtype
def test_powers(dtype):
    exponents = np.array([0, 1, 2, 3, 7, 8, 31, 62, 63, 64, np.iinfo(dtype).max], dtype)
    for n in lengths(dtype):
        for base in (least(n, dtype), np.resize(limits(dtype), n)):
            for shift in range(len(exponents)):
                y = np.resize(np.roll(exponents, shift), n)
                assert_same(forzium.power(base, y), np.power(base, y))
                assert_same(forzium.power(base, y[0]), np.power(base, y[0]))
                assert_same(forzium.power(base[0], y), np.power(base[0], y))


# ---- in expressions ----------------------------------------------------------------------------------------

TEXTS = {
    "x // y": lambda x, y: x // y,
    "x % y": lambda x, y: x % y,
    "x / y": lambda x, y: x / y,
    "fmod(x, y)": np.fmod,
    "x // -1": lambda x, y: x // -1,
    "x % -1": lambda x, y: x % -1,
    "fmod(x, -1)": lambda x, y: np.fmod(x, -1),
    "-128 // y": lambda x, y: -128 // y,
    "-x": lambda x, y: -x,
    "abs(x)": lambda x, y: abs(x),
    "x**3 + y": lambda x, y: x**3 + y,
    "(x + 1 - 1) // y**3 + (x ^ y) % (y - y - 1)": lambda x, y: (x + 1 - 1) // y**3 + (x ^ y) % (y - y - 1),
    "where(x // y > 0, -x, abs(x) + x % y)": lambda x, y: np.where(x // y > 0, -x, abs(x) + x % y),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@every_dtype
def test_in_expressions(text, dtype):
    for n in (*lengths(dtype), 3000):
        for x, y in pairs(n, dtype):
            want = TEXTS[text](x, y)
            assert_same(forzium.evaluate(text, {"x": x, "y": y}), want)
            assert_same(forzium.evaluate(text, {"x": x[::-1], "y": y[::-1]}), want[::-1])


@pytest.mark.parametrize("text", [text for text in TEXTS if {"x", "y"} <= set(text)])
@every_dtype
def test_rows_and_columns_in_expressions(text, dtype):
    x = limits(dtype)[:, None]
    for y in (limits(dtype), limits(dtype)[3:4], limits(dtype)[3]):
        assert_same(forzium.evaluate(text, {"x": x, "y": y}), TEXTS[text](x, y))
        assert_same(forzium.evaluate(text, {"x": y, "y": x}), TEXTS[text](y, x))


@every_dtype
def test_reduced_in_expressions(dtype):
    for n in (*lengths(dtype), 3000):
        for x, y in pairs(n, dtype):
            for text, elements in (("x // y", x // y), ("x % y - abs(x)", x % y - abs(x))):
                assert forzium.evaluate(f"sum({text})", {"x": x, "y": y}) == elements.sum()
                assert forzium.evaluate(f"max({text})", {"x": x, "y": y}) == elements.max()


@pytest.mark.parametrize("text", ["k // m", "k % m", "fmod(k, m)", "-k", "abs(k)"])
def test_numbers_by_name_wrap(text):
    """Which the expression itself computes, once."""
    least, minus_one = np.int64(-(2**63)), np.int64(-1)
    want = eval(text, {"fmod": np.fmod, "k": least, "m": minus_one})
    got = forzium.evaluate(f"({text}) + 0*a", {"k": -(2**63), "m": -1, "a": np.zeros(9, np.int64)})
    np.testing.assert_array_equal(got, np.full(9, want), strict=True)


@pytest.mark.parametrize("dtype", ["int8", "int64"])
@pytest.mark.parametrize("exponent", [-1, np.int8(-33), np.array(-2), np.array([-1])])
def test_exponents_that_meet_no_number_are_not_looked_at(dtype, exponent):
    """As NumPy's: there is nothing that would be no integer."""
    for shape in ((0,), (0, 1), (3, 0, 1)):
        x = np.zeros(shape, dtype)
        want = np.power(x, exponent)
        for got in (forzium.power(x, exponent), forzium.evaluate("x ** y", {"x": x, "y": exponent})):
            assert got.shape == want.shape
            assert got.dtype == want.dtype
    with pytest.raises(ValueError, match="integers below 0"):
        forzium.power(np.ones((1, 1), dtype), exponent)

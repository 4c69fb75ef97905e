"""Quotients of integers beside whole numbers, where rounding would be off by 1, and shifts: NumPy's."""

import functools

import forzium
import numpy as np
import pytest
from oracle import assert_same
from rounding import ARE_KNOWN, ROUNDINGS, rounding

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
QUOTIENTS = ("floor_divide", "remainder", "fmod")
every_dtype = pytest.mark.parametrize("dtype", INTEGERS)
every_quotient = pytest.mark.parametrize("name", QUOTIENTS)


def all_pairs(x, y):
    return np.repeat(x, len(y)), np.tile(y, len(x))


def numbers(dtype):
    """Small ones, powers of 2, and what lies beside them; the largest, and what floats make them."""
    limits = np.iinfo(dtype)
    near = {2**bit + off for bit in range(limits.bits) for off in (-2, -1, 0, 1, 2)} | set(range(20))
    near |= {limits.max // part + off for part in (1, 2, 3, 5, 7, 255) for off in (-1, 0, 1)}
    near |= {-number for number in near} | {limits.min, limits.min + 1}
    return np.array([number for number in sorted(near) if limits.min <= number <= limits.max], dtype)


@functools.cache
def beside_multiples(dtype):
    """q y + r for quotients and divisors of all sizes, r being -1, 0, 1 or y - 1: what fits dtype."""
    random, limits = np.random.default_rng(13), np.iinfo(dtype)
    x, y = [], []
    while len(x) < 20_000:
        divisor = int(random.integers(1, 2**63, dtype=np.uint64)) >> int(random.integers(63))
        quotient = int(random.integers(1, 2**63, dtype=np.uint64)) >> int(random.integers(63))
        divisor = max(1, divisor % limits.max)
        quotient = quotient % (limits.max // divisor) + 1
        for rest in (-1, 0, 1, divisor - 1):
            number, sign = quotient * divisor + rest, 1 if limits.min == 0 else int(random.choice([1, -1]))
            if number <= limits.max:
                x.append(sign * number)
                y.append(divisor if limits.min == 0 else int(random.choice([1, -1])) * divisor)
    return np.array(x, dtype), np.array(y, dtype)


def numpys(name, x, y):
    with np.errstate(all="ignore"):
        return getattr(np, name)(x, y)


@every_quotient
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_all_pairs_of_bytes(name, dtype):
    every = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype)
    x, y = all_pairs(every, every)
    assert_same(getattr(forzium, name)(x, y), numpys(name, x, y))


@every_quotient
@every_dtype
def test_pairs_of_extremes_and_powers_of_2(name, dtype):
    x, y = all_pairs(numbers(dtype), numbers(dtype))
    want = numpys(name, x, y)
    assert_same(getattr(forzium, name)(x, y), want)
    assert_same(
        forzium.evaluate({"floor_divide": "x // y", "remainder": "x % y"}.get(name, "fmod(x, y)")), want
    )


@every_quotient
@every_dtype
def test_quotients_beside_whole_numbers(name, dtype):
    x, y = beside_multiples(dtype)
    want = numpys(name, x, y)
    assert_same(getattr(forzium, name)(x, y), want)
    for number in y[:50]:
        assert_same(getattr(forzium, name)(x[:200], number), numpys(name, x[:200], number))


@pytest.mark.skipif(not ARE_KNOWN, reason="the numbers of the roundings are not known here")
@pytest.mark.parametrize("mode", ROUNDINGS)
@every_quotient
@every_dtype
def test_no_rounding_changes_a_quotient(name, dtype, mode):
    x, y = beside_multiples(dtype)
    want = numpys(name, x, y)
    with rounding(mode):
        got = getattr(forzium, name)(x, y)
    assert_same(got, want)


@pytest.mark.parametrize("name", ["left_shift", "right_shift"])
@every_dtype
def test_every_number_by_every_count(name, dtype):
    """Counts from none to far past the width."""
    x, y = all_pairs(numbers(dtype), numbers(dtype))
    for count in (y, np.where(y < 0, 0, y % 70).astype(dtype)):
        assert_same(getattr(forzium, name)(x, count), numpys(name, x, count))

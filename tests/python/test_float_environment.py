"""Calls leave the caller's floating-point environment alone, and every thread computes in it."""

import ctypes
import ctypes.util
import platform
import sys

import forzium
import numpy as np
import pytest

LIBM = ctypes.CDLL(ctypes.util.find_library("m")) if sys.platform.startswith("linux") else None
needs_fenv = pytest.mark.skipif(LIBM is None, reason="fenv.h by ctypes is tried on Linux only")
ALL_FLAGS = 0x3D if platform.machine() in ("x86_64", "AMD64") else 0x1F  # FE_ALL_EXCEPT
ROUNDINGS = (0x400, 0x800, 0xC00) if ALL_FLAGS == 0x3D else (0x400000, 0x800000, 0xC00000)


def calls_of(side):
    """Calls that divide by zero, overflow, underflow, round and compute with infinities and NaN."""
    x = np.random.default_rng(0).standard_normal((side, side))
    x.flat[1:10:2] = [np.inf, -np.inf, np.nan, 1e300, 3e-308]
    y = np.zeros_like(x)
    weight = np.array([[0.1, 1e300], [3e-308, -1e300]])
    narrow = np.empty((side, side), np.float32)
    return {
        "add": lambda: forzium.add(x, y),
        "multiply": lambda: forzium.multiply(x, x),
        "divide": lambda: forzium.divide(x, y),
        "divide by itself": lambda: forzium.divide(y, y),
        "sqrt": lambda: forzium.sqrt(x),
        "underflow": lambda: forzium.multiply(x, 3e-308),
        "into float32": lambda: forzium.multiply(x, 1e300, out=narrow),
        "maximum": lambda: forzium.maximum(x, y),
        "sum": lambda: forzium.sum(x),
        "sum of rows": lambda: forzium.sum(x, axis=1),
        "sum in float32": lambda: forzium.sum(x, dtype="float32"),
        "mean": lambda: forzium.mean(x, axis=0),
        "min": lambda: forzium.min(x),
        "matmul": lambda: forzium.matmul(x, x),
        "matmul into float32": lambda: forzium.matmul(x, x, out=narrow),
        "transpose": lambda: forzium.transpose(x),
        "conv2d": lambda: forzium.conv2d(x, weight),
        "max_pool2d": lambda: forzium.max_pool2d(x, 2),
    }


@needs_fenv
@pytest.mark.parametrize("side", [5, 6, 7, 8, 9, 600])
@pytest.mark.parametrize("before", [0, 0x04, ALL_FLAGS])
def test_flags_are_as_they_were(side, before):
    for name, call in calls_of(side).items():
        LIBM.feclearexcept(ALL_FLAGS)
        LIBM.feraiseexcept(before)
        before_call = LIBM.fetestexcept(ALL_FLAGS)
        call()
        after_call = LIBM.fetestexcept(ALL_FLAGS)
        LIBM.feclearexcept(ALL_FLAGS)
        assert after_call == before_call, name


@needs_fenv
@pytest.mark.parametrize("mode", ROUNDINGS)
def test_rounding_is_as_it_was_and_one_for_all_threads(mode):
    """However many threads compute: the caller's mode, or all of them to nearest."""
    x = np.random.default_rng(1).standard_normal(2_000_000)
    threads = forzium.get_num_threads()
    results = []
    try:
        for number in (1, 4):
            forzium.set_num_threads(number)
            LIBM.fesetround(mode)
            product = forzium.multiply(x, 0.1)
            after = LIBM.fegetround()
            LIBM.fesetround(0)
            assert after == mode
            results.append(product.tobytes())
    finally:
        LIBM.fesetround(0)
        forzium.set_num_threads(threads)
    assert results[0] == results[1]


def test_there_are_no_floating_point_warnings():
    """NumPy, through which some results are converted, is not to be heard either."""
    with np.errstate(all="raise"):
        narrow = np.zeros((1, 1), np.float32)
        forzium.matmul([[1e300]], [[1.0]], out=narrow)
        assert narrow == np.inf
        for name in ("sum", "mean"):
            assert getattr(forzium, name)(np.full(3, 1e300), dtype="f4") == np.inf
        assert forzium.sum(np.full(3, 3e38, np.float32)) == np.inf
        assert forzium.multiply(1e300, 1e300) == np.inf
        assert forzium.multiply(np.array([1e300]), 1.0, dtype="f4") == np.inf
        assert np.isnan(forzium.sum(np.array([np.inf, -np.inf]), dtype="f4"))
        assert forzium.divide(np.ones(3), 0.0)[2] == np.inf

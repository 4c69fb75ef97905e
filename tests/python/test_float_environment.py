"""Calls leave the caller's floating-point environment alone, and every thread computes in it."""

import ctypes
from functools import partial

import forzium
import numpy as np
import pytest
from rounding import ARE_KNOWN, IS_X86, LIBM, ROUNDINGS

needs_fenv = pytest.mark.skipif(LIBM is None, reason="fenv.h by ctypes is tried on Linux only")
needs_modes = pytest.mark.skipif(not ARE_KNOWN, reason="the layout of fenv_t is not known here")
ALL_FLAGS = 0x3D if IS_X86 else 0x1F  # FE_ALL_EXCEPT


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


NOT_OPERATIONS = {
    "Expression", "PackedMatrix", "PoolAllocator", "PoolBlock", "__version__", "detect_simd_support",
    "evaluate", "expression", "fuse", "get_num_threads", "info", "set_num_threads", "thread_pool_metrics",
}  # fmt: skip
OF_INTEGERS = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"}
OF_AXES = {
    "all", "any", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "layer_norm", "log_softmax",
    "logsumexp", "max", "mean", "min", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar",
    "norm", "normalize", "prod", "rms_norm", "softmax", "std", "sum", "var",
}  # fmt: skip


def arguments_of(name, x, y):
    """Of each call to try; of functions of one or two arrays no more need be said."""
    window = np.array([[0.1, 1e30], [3e-30, -1e30]], x.dtype)
    stack, whole, flat = x[None], np.arange(x.size).reshape(x.shape), x.ravel()
    ufunc = getattr(np, name, None)
    special = {
        "adaptive_avg_pool2d": [(x, 2)],
        "astype": [(x, dtype) for dtype in ("f2", "f4", "f8", "i4", "u1", "?")],
        "avg_pool2d": [(x, 2)],
        "clip": [(x, -1, 1), (x, y, 1)],
        "conv1d": [(flat, window[0])],
        "conv2d": [(x, window), (stack[None], window[None, None])],
        "convolve2d": [(x, window)],
        "nextafter": [] if x.dtype == np.float16 else [(x, y)],
        "copyto": [(np.empty(x.shape, dtype), x) for dtype in ("f2", "f4")],
        "correlate2d": [(x, window, "same", "wrap")],
        "dot": [(x, x), (flat, flat)],
        "fma": [(x, x, y)],
        "global_avg_pool2d": [(stack,)],
        "global_max_pool2d": [(stack,)],
        "linear": [(x, x), (x, x, y[0], "gelu"), (x, forzium.pack(x))],
        "matmul": [(x, x), (x, forzium.pack(x))],
        "max_pool2d": [(x, 2)],
        "vecdot": [(x, x)],
        "where": [(x > y, x, y)],
    }
    if name in special:
        return special[name]
    if name in OF_INTEGERS:
        return [(whole, whole % 7)[: ufunc.nin]]
    if name in OF_AXES:
        return [(x, axis) for axis in (0, 1)] + [(x,)] * (name not in ("cumprod", "cumsum"))
    if isinstance(ufunc, np.ufunc) and ufunc.nin == 2:
        return [(x, y), (y, x), (x, x), (x, y[0])]
    return [(x,)]


def expressions(x, y):
    """Calls of expressions, whose constants the first one rounds."""
    for text in ("x/y + exp(x)", "sum(x*x, 0)", "int32(x) + 1", "x*1e300", "where(x > y, sqrt(x), x)"):
        yield text, partial(forzium.expression(text), *(x, y)[: 1 + ("y" in text)])


def calls_of_operations(side, dtype):
    """Names and calls of all operations and some expressions, on numbers that raise every flag."""
    x, y = np.random.default_rng(0).standard_normal((2, side, side))
    x.flat[1:8:2] = [np.inf, np.nan, 1e300, 3e-308]
    x, y = x.astype(dtype), np.where(y > 0, 0, y).astype(dtype)
    yield from expressions(x, y)
    for name in set(forzium.__all__) - NOT_OPERATIONS:
        for some in arguments_of(name, x, y):
            yield name, partial(getattr(forzium, name), *some)


@needs_fenv
@pytest.mark.parametrize("side", [3, 8, 9, 400])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_no_operation_raises_or_clears_a_flag(side, dtype):
    for name, call in calls_of_operations(side, dtype):
        for before in (0, ALL_FLAGS):
            LIBM.feclearexcept(ALL_FLAGS)
            LIBM.feraiseexcept(before)
            call()
            after = LIBM.fetestexcept(ALL_FLAGS)
            LIBM.feclearexcept(ALL_FLAGS)
            assert after == before, (name, hex(after))


def modes():
    """What says how to compute. On x86 fegetround asks the unit on which no array is computed."""
    state = (ctypes.c_uint32 * 64)()
    LIBM.fegetenv(state)
    return (state[0] & 0xFFFF, state[7] & ~0x3F) if IS_X86 else state[0]


def set_mode(mode):
    """A rounding of `ROUNDINGS`, or that of now with subnormal operands and results taken for zeros."""
    if mode != "flush":
        LIBM.fesetround(mode)
        return
    state = (ctypes.c_uint32 * 64)()
    LIBM.fegetenv(state)
    state[7 if IS_X86 else 0] |= 0x8040 if IS_X86 else 1 << 24
    LIBM.fesetenv(state)


def around(mode, call):
    """The modes before and after a call in this one."""
    usual = (ctypes.c_uint32 * 64)()
    LIBM.fegetenv(usual)
    set_mode(mode)
    try:
        before, _, after = modes(), call(), modes()
    finally:
        LIBM.fesetenv(usual)
    return before, after


@needs_modes
@pytest.mark.parametrize("side", [3, 8, 400])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("mode", [*ROUNDINGS, "flush"])
def test_no_operation_changes_the_callers_modes(mode, dtype, side):
    usual = modes()
    forzium.set_num_threads(3)
    for name, call in calls_of_operations(side, dtype):
        before, after = around(mode, call)
        assert before == after != usual, name
    assert modes() == usual


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


@needs_modes
def test_constants_of_expressions_stay_subnormal():
    """Where a thread that takes subnormals for zeros met the text first."""
    x = np.zeros(3)
    around("flush", lambda: forzium.evaluate("x + 1e-300 * 1e-10", {"x": x}))
    np.testing.assert_array_equal(forzium.evaluate("x + 1e-300 * 1e-10", {"x": x}), np.full(3, 1e-310))


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

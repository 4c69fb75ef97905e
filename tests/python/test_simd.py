"""Every instruction set of this machine, forced in turn, gives NumPy's results."""

import os
from pathlib import Path

import forzium
import numpy as np
import pytest
from layouts import DTYPES, awkward_values, special_values
from numpy.lib.stride_tricks import sliding_window_view
from oracle import ELEMENTWISE, assert_equal, assert_same

LADDERS = [("sse2", "avx2", "avx512"), ("neon",), ("generic",)]
HIGHEST = forzium.detect_simd_support()
LADDER = next(ladder for ladder in LADDERS if HIGHEST in ladder)
AVAILABLE = LADDER[: LADDER.index(HIGHEST) + 1]

LENGTHS = [*range(1, 40), 63, 64, 65, 127, 129, 1000, 100_003]
SIDES = (1, 2, 3, 5, 7, 8, 9, 16, 17, 24, 25, 33, 48, 49, 97, 260)


def whole_numbers(seed, *shape, dtype):
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(dtype)


def check_elementwise(dtype):
    special = np.meshgrid(special_values(dtype), special_values(dtype))
    other_dtype = DTYPES[DTYPES.index(dtype) - 1]
    for name in ELEMENTWISE:
        ours, numpys = getattr(forzium, name), getattr(np, name)
        assert_same(ours(*special[: numpys.nin]), numpys(*special[: numpys.nin]))
        for length in LENGTHS:
            long = [awkward_values(seed, 2 * length + 1, dtype) for seed in range(numpys.nin)]
            for step in (1, -1, 2):
                first, *rest = [x[::step][:length] for x in long]
                assert_same(ours(first, *rest), numpys(first, *rest))
                mixed = [x.astype(other_dtype) for x in rest]
                assert_same(ours(first, *mixed), numpys(first, *mixed))


def check_reductions(dtype):
    for length in LENGTHS:
        x = whole_numbers(length, 2 * length, dtype=dtype)
        for view in (x[:length], x[length - 1 :: -1], x[::2]):
            for name in ("sum", "mean", "min", "max"):
                ours, numpys = getattr(forzium, name), getattr(np, name)
                assert_equal(ours(view), numpys(view.astype("float64")).astype(dtype))
                rows = view + np.arange(3, dtype=dtype)[:, None]
                want = numpys(rows.astype("float64"), axis=0).astype(dtype)
                assert_equal(ours(rows, axis=0), want)
                assert_equal(ours(rows.T, axis=1), want)
        x[length // 2] = np.nan
        assert all(np.isnan(operation(x)) for operation in (forzium.min, forzium.max, forzium.sum))


def check_matmul(side, dtype):
    for m, k, n in [(side, side, side), (side, 3, 5), (5, side, 3), (3, 5, side), (side, 300, 2)]:
        a, b = whole_numbers(1, m, k, dtype=dtype), whole_numbers(2, k, n, dtype=dtype)
        want = (a.astype(int) @ b.astype(int)).astype(dtype)
        assert_equal(forzium.matmul(a, b), want)
        assert_equal(forzium.matmul(np.asfortranarray(a)[::-1], b[:, ::-1]), want[::-1, ::-1])


def check_images(side, dtype):
    x = whole_numbers(side, side, 2 * side + 1, dtype=dtype)
    assert_same(forzium.transpose(x), x.T)
    for kernel in [(1, 1), (1, 2), (2, 3), (3, 3), (5, 5), (7, 1)]:
        if kernel[0] <= side and kernel[1] <= 2 * side + 1:
            weight = whole_numbers(9, *kernel, dtype=dtype)
            want = np.einsum("ijpq,pq->ij", sliding_window_view(x, kernel), weight)
            assert_equal(forzium.conv2d(x, weight), want)
    for window in (w for w in (1, 2, 3, 5) if w <= side):
        for stride in (1, 2, 3, window):
            want = sliding_window_view(x, (window, window))[::stride, ::stride].max(axis=(2, 3))
            assert_equal(forzium.max_pool2d(x, window, stride=stride), want)


def check_everything(name):
    """What each instruction set goes through, in a process of its own."""
    assert forzium.info()["simd"] == name
    np.seterr(all="ignore")
    for dtype in DTYPES:
        check_elementwise(dtype)
        check_reductions(dtype)
        for side in SIDES:
            check_matmul(side, dtype)
            check_images(side, dtype)


@pytest.mark.parametrize("name", AVAILABLE)
def test_forced(run_python, request, name):
    here = str(request.path.parent)
    run_python(
        f"import sys; sys.path.insert(0, {here!r}); import test_simd; test_simd.check_everything({name!r})",
        FORZIUM_SIMD=name,
    )


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux tells what a CPU has")
@pytest.mark.parametrize("name", AVAILABLE)
def test_dtypes_with_instructions_of_their_own_are_named(run_python, name):
    has = Path("/proc/cpuinfo").read_text().split()
    want = set()
    if name == "avx512" and "avx512_vnni" in has:
        want |= {"int8", "uint8", "int16", "uint16"}
    if name == "avx512" and "avx512_bf16" in has:
        want |= {"bfloat16"}
    run_python(
        f"import forzium; assert set(forzium.info()['kernels']['matmul_narrow']) == {want!r}",
        FORZIUM_SIMD=name,
    )


def test_of_the_last_cache_no_more_than_a_share_is_counted_on():
    """A virtual machine may report a whole socket's."""
    assert 0 < forzium.info()["cache_bytes"]["l3"] <= (16 << 20) * os.cpu_count()


@pytest.mark.parametrize("name", AVAILABLE)
def test_detection_does_not_depend_on_the_choice(run_python, name):
    run_python(f"import forzium; assert forzium.detect_simd_support() == {HIGHEST!r}", FORZIUM_SIMD=name)


@pytest.mark.parametrize("name", [name for name in LADDER if name not in AVAILABLE])
def test_more_than_the_cpu_has_is_an_error(run_python, name):
    process = run_python("import forzium", check=False, FORZIUM_SIMD=name)
    assert process.returncode == 1
    assert "FORZIUM_SIMD" in process.stderr
    assert HIGHEST in process.stderr.splitlines()[-1]

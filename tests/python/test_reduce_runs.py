"""Reductions to one number of what lies in memory as one run: NumPy's value and type, however asked for."""

from functools import partial

import forzium
import numpy as np
import pytest
from oracle import assert_same, counted, numbers_of_threads, outcome

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of averages of nothing, and overflow

TOTALS = ("sum", "prod", "nansum", "nanprod")
AVERAGES = ("mean", "var", "std", "nanmean", "nanvar", "nanstd")
EXTREMES = ("max", "min", "nanmax", "nanmin")
OTHERS = ("any", "all", "count_nonzero", "argmax", "argmin")
ALL = (*TOTALS, *AVERAGES, *EXTREMES, *OTHERS)
every_reduction = pytest.mark.parametrize("name", ALL)
every_dtype = pytest.mark.parametrize("dtype", ["?", "u1", "i4", "e", "f", "d"])
FLOATS = "efd"


def whole_numbers(name, n, dtype):
    """Of which any order of adding or multiplying gives the same, float16 included."""
    x = np.random.default_rng(n).integers(-1, 2, n)
    if name.endswith("prod"):
        x[x == 0] = 1
    if n > 3:
        x[n // 3], x[2 * n // 3] = -2, 2
    if name in ("any", "all"):
        x[...] = name == "all"
        x[n // 2 :] = n % 2
    x = x.astype(dtype)
    if name.startswith("nan") and dtype in FLOATS:
        x[::5] = np.nan
    return x


def unaligned(x):
    return np.frombuffer(b"_" + x.tobytes(), x.dtype, offset=1)


def assert_numpys(name, x, **arguments):
    """Same type and bits; averages of squares, and of elements chosen one by one, within a few roundings of
    the exact ones, as NumPy's own may be off by more."""
    want, got = (getattr(library, name)(x, **arguments) for library in (np, forzium))
    want = counted(want)
    chosen = name == "nanmean" or (name == "mean" and "where" in arguments)
    if not (chosen or name.endswith(("var", "std"))) or want.dtype.kind != "f":
        assert_same(got, want)
        return
    assert type(got) is type(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    eps = max(np.finfo(dtype).eps for dtype in (x.dtype, want.dtype) if dtype.kind == "f")
    exact = getattr(np, name)(x.astype(np.longdouble), **{**arguments, "dtype": None})
    np.testing.assert_allclose(np.longdouble(got), exact, rtol=4 * eps, atol=4 * eps)


@every_reduction
@every_dtype
def test_every_short_length_is_numpys(name, dtype):
    for n in range(1, 71):
        x = whole_numbers(name, n, dtype)
        assert_numpys(name, x)
        assert_numpys(name, unaligned(x))
        assert_numpys(name, x[:1])


@pytest.mark.parametrize("name", TOTALS + AVERAGES + EXTREMES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5), (3, 8), (2, 32, 3), (65, 2), (70, 17), (130, 31), (64, 65)]
)
def test_short_rows_are_what_each_of_them_is_alone(name, dtype, shape):
    x = np.random.default_rng(0).uniform(0.9, 1.1, shape).astype(dtype)
    if name.startswith("nan"):
        x[..., 0] = np.nan if shape[-1] > 1 else 1
    function = getattr(forzium, name)
    rows = function(x, axis=-1)
    for place in np.ndindex(shape[:-1]):
        assert_same(rows[place], function(x[place]))
    assert_same(function(x, axis=x.ndim - 1, keepdims=True)[..., 0], rows)
    apart = np.empty((*shape[:-1], 2), dtype)[..., 0]
    assert_same(function(x, axis=-1, out=apart), rows)


@every_reduction
@every_dtype
def test_long_runs_are_numpys(name, dtype):
    for n in (32767, 32768, 32769, 65536, 65537):
        x = whole_numbers(name, n, dtype)
        assert_numpys(name, x)
        assert_numpys(name, unaligned(x)[: n - 1])


@every_reduction
@every_dtype
def test_nothing_gives_numpys_result_or_its_error(name, dtype):
    for shape in ((0,), (0, 3), (3, 0, 2)):
        x = np.empty(shape, dtype)
        for options in ({}, {"keepdims": True}):
            want, refusal = outcome(partial(getattr(np, name), x, **options))
            got, error = outcome(partial(getattr(forzium, name), x, **options))
            if refusal:
                assert isinstance(error, ValueError), error
                assert name in str(error)
            else:
                assert error is None, error
                assert_same(got, counted(want))


def gapless(x):
    """The same memory under several shapes: axes of length 1, in C's order, in Fortran's, in another."""
    far = np.lib.stride_tricks.as_strided(x, (1, x.size, 1), (1 << 40, x.itemsize, -3))
    cube = x.reshape(2, 3, -1)
    return [x, x[::-1], x[None], x[:, None], far, x.reshape(6, -1), x.reshape(6, -1).T, cube, cube.T,
            cube.transpose(1, 0, 2), cube[::-1], cube[:, ::-1, ::-1]]  # fmt: skip


@every_reduction
@every_dtype
def test_all_axes_of_any_gapless_array(name, dtype):
    """Of places, too, which count in C's order wherever the elements lie."""
    for x in (*gapless(whole_numbers(name, 66, dtype)), *gapless(whole_numbers(name, 32772, dtype))[5:8]):
        axes = [None]
        if name[:3] != "arg":
            axes += [tuple(range(x.ndim)), tuple(range(-x.ndim, 0))]
        elif x.ndim == 1:
            axes += [0, -1]
        for axis in axes:
            assert_numpys(name, x, axis=axis)
        assert_numpys(name, x, axis=axes[-1], keepdims=True)


@pytest.mark.parametrize("name", [name for name in ALL if name != "count_nonzero"])
@every_dtype
def test_out_without_axes_gets_the_result_and_nothing_beside_it(name, dtype):
    for n in (1, 9, 33000):
        x = whole_numbers(name, n, dtype)
        want = getattr(forzium, name)(x)
        for misalignment in (0, 1):
            memory = np.full(3 * want.itemsize + misalignment, 0xA5, np.uint8)
            middle = memory[want.itemsize + misalignment :][: want.itemsize]
            out = middle.view(want.dtype).reshape(())
            assert getattr(forzium, name)(x, out=out) is out
            assert out.tobytes() == want.tobytes()
            middle[...] = 0xA5
            assert np.all(memory == 0xA5)
        shaped = np.empty((1, 1, 1), want.dtype)
        assert getattr(forzium, name)(x.reshape(n, 1, 1), out=shaped, keepdims=True) is shaped
        assert shaped.tobytes() == want.tobytes()


@pytest.mark.parametrize("name", [*TOTALS, *AVERAGES, *EXTREMES])
def test_out_may_be_one_of_the_elements(name):
    for n in (1, 9, 33000):
        for place in {0, n // 2, n - 1}:
            x = whole_numbers(name, n, "d")
            want = getattr(forzium, name)(x.copy())
            getattr(forzium, name)(x, out=x[place : place + 1].reshape(()))
            assert x[place].tobytes() == want.tobytes()


@pytest.mark.parametrize("name", [*TOTALS, *AVERAGES])
@every_dtype
def test_dtype_is_what_is_computed_in(name, dtype):
    for n in (1, 13, 40000):
        x = whole_numbers(name, n, dtype)
        for result in ("e", "f", "d", *([] if name in AVERAGES or name[:3] == "nan" else ["i4", "u1", "?"])):
            if result == "e" and dtype in ("?", "u1") and n > 2048:
                continue  # NumPy rounds on the way
            assert_numpys(name, x, dtype=np.dtype(result))


@pytest.mark.parametrize("name", [*TOTALS, *EXTREMES])
@every_dtype
def test_initial_takes_part(name, dtype):
    for n in (0, 1, 13, 40000):
        x = whole_numbers(name, n, dtype)
        for initial in (0, 1, 7):
            assert_numpys(name, x, initial=initial)
        assert_numpys(name, x, initial=3, keepdims=True)


@pytest.mark.parametrize("name", [*TOTALS, *AVERAGES, *EXTREMES, "any", "all"])
@every_dtype
def test_where_leaves_elements_out(name, dtype):
    options = {"initial": 1} if name in EXTREMES else {}
    for n in (1, 13, 40000):
        x = whole_numbers(name, n, dtype)
        gaps = np.arange(2 * n)[::2] % 4 > 0
        for where in (True, False, np.True_, np.arange(n) % 3 > 0, gaps, np.ones(1, bool)):
            assert_numpys(name, x, where=where, **options)


def reals(n, dtype):
    x = np.random.default_rng(n).standard_normal(n) * 3
    return x.astype(dtype) if dtype in FLOATS else (abs(x) * 40).astype(dtype)


def bits(result):
    return np.asarray(result).dtype.str, np.asarray(result).tobytes()


@every_reduction
@pytest.mark.parametrize("dtype", ["u1", "i4", *FLOATS])
def test_bits_depend_neither_on_threads_nor_on_the_way_of_asking(name, dtype):
    operation = getattr(forzium, name)
    lengths = (1, 7, 64, 70, 32768, 32769, 65536, 65537, 150_001, 1 << 20, (1 << 20) + 1)
    runs = [reals(n, dtype) for n in lengths]

    def ways(x):
        yield from (operation(x), operation(x, 0), operation(x, keepdims=True)[0], operation(x[None]))
        yield operation(unaligned(x))
        if name[:3] != "arg":
            yield from (operation(x[:, None], (0, 1)), forzium.evaluate(f"{name}(x)", {"x": x}))

    first, *others = ([set(map(bits, ways(x))) for x in runs] for _ in numbers_of_threads())
    assert [len(results) for results in first] == [1] * len(runs)
    assert others == [first] * len(others)


def test_no_byte_beyond_the_run_is_read(run_python):
    """It ends where memory does that may not be read."""
    run_python("""
        import ctypes, mmap
        import forzium, numpy as np

        size = 1 << 19
        memory = mmap.mmap(-1, size + mmap.PAGESIZE)
        readable = np.frombuffer(memory, np.uint8, size)
        readable[...] = 1
        end = ctypes.c_void_p(readable.ctypes.data + size)
        assert ctypes.CDLL(None, use_errno=True).mprotect(end, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
        names = "sum prod nansum mean var nanvar max min nanmax any all count_nonzero argmax argmin".split()
        for dtype in "?", "u1", "i2", "i4", "e", "f", "d":
            step = np.dtype(dtype).itemsize
            for n in *range(1, 70), 32768, 32769:
                x = readable[size - n * step :].view(dtype)
                for name in names:
                    getattr(forzium, name)(x)
            for rows in range(1, 20):
                x = readable[size - rows * 7 * step :].view(dtype).reshape(rows, 7)
                for name in names:
                    getattr(forzium, name)(x, axis=-1)
        """)

"""cumsum and cumprod: integers and products with NumPy's bits, sums of floats against long double."""

import sys

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import arrays, dtypes, layouts, seeds, shapes
from oracle import assert_equal, assert_within, numbers_of_threads

WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
names = pytest.mark.parametrize("name", ["cumsum", "cumprod"])


def axes_of(ndim):
    return st.none() | st.integers(-ndim, ndim - 1) if ndim else st.none()


def assert_sums(got, x, axis):
    exact = np.cumsum(x, axis=axis, dtype=np.longdouble)
    size = np.cumsum(np.abs(x), axis=axis, dtype=np.longdouble)
    limits = np.finfo(x.dtype)
    assert got.dtype == x.dtype
    assert_within(got, exact, 80 * limits.eps * size + limits.smallest_subnormal)


@given(data=st.data(), dtype=dtypes)
def test_sums_of_floats(data, dtype):
    x = data.draw(arrays(data.draw(shapes()), dtype, specials=False))
    axis = data.draw(axes_of(x.ndim))
    assert_sums(forzium.cumsum(x, axis), x, axis)


@given(data=st.data(), dtype=dtypes)
def test_products_are_numpys(data, dtype):
    x = data.draw(arrays(data.draw(shapes()), dtype))
    axis = data.draw(axes_of(x.ndim))
    assert_equal(forzium.cumprod(x, axis), np.cumprod(x, axis))


@names
@given(data=st.data(), dtype=st.sampled_from(WHOLE))
def test_integers_are_numpys(name, data, dtype):
    shape = data.draw(shapes())
    high = 2 if dtype == "bool" else 100
    values = np.random.default_rng(data.draw(seeds)).integers(0, high, shape).astype(dtype)
    x = data.draw(layouts(values.shape)).place(values)
    axis = data.draw(axes_of(x.ndim))
    assert_equal(getattr(forzium, name)(x, axis), getattr(np, name)(x, axis))


@names
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "uint64", "float32", "float64"])
def test_dtype_is_what_is_computed_in(name, dtype):
    x = np.arange(1, 50, dtype=np.int16)
    want = getattr(np, name)(x, dtype=dtype)
    got = getattr(forzium, name)(x, dtype=dtype)
    assert got.dtype == want.dtype
    if np.issubdtype(want.dtype, np.integer) or name == "cumprod":
        np.testing.assert_array_equal(got, want)
    else:
        np.testing.assert_allclose(got, want)


@names
@given(data=st.data(), dtype=st.sampled_from(["bool", "uint8", "int64", "float32"]))
def test_bools_say_whether_any_or_every_element_was_true(name, data, dtype):
    shape = data.draw(shapes())
    values = np.random.default_rng(data.draw(seeds)).integers(0, 3, shape).astype(dtype)
    x = data.draw(layouts(values.shape)).place(values)
    axis = data.draw(axes_of(x.ndim))
    want = getattr(np, name)(x, axis, dtype=bool)
    assert_equal(getattr(forzium, name)(x, axis, dtype=bool), want)
    out = np.ones(want.shape, bool)
    assert getattr(forzium, name)(x, axis, bool, out=out) is out
    assert_equal(out, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [511, 512, 513, 1024, 5000, 65536, 65537, 300_001])
def test_long_rows(n, dtype):
    x = np.random.default_rng(n).standard_normal(n).astype(dtype)
    assert_sums(forzium.cumsum(x), x, None)
    assert_sums(forzium.cumsum(x[::-2]), x[::-2], None)


@pytest.mark.parametrize("shape", [(3, 4000), (4000, 3), (300, 700), (2, 30, 700), (4, 3000, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_every_axis(shape, dtype):
    x = np.random.default_rng(3).integers(-9, 9, shape).astype(dtype)  # whole numbers: sums are exact
    for view in (x, np.asfortranarray(x), x[::-1]):
        for axis in (None, *range(x.ndim)):
            assert_equal(forzium.cumsum(view, axis), np.cumsum(view, axis))


@pytest.mark.parametrize("n", [1, 7, 8, 40, 600, 70_000])
def test_special_values_go_on(n):
    for special in (np.nan, np.inf, -np.inf):
        x = np.ones(n)
        x[n // 2] = special
        np.testing.assert_array_equal(forzium.cumsum(x), np.cumsum(x))
        x[-1] = -special
        np.testing.assert_array_equal(forzium.cumsum(x), np.cumsum(x))
    zeros = np.full(n, -0.0)
    assert np.signbit(forzium.cumsum(zeros)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_whose_sum_is_beyond_all_numbers(dtype):
    m = np.finfo(dtype).max / 1.25
    for period in ([-m, m, m, -m], [m, -m, -m, m], [0, -m, m, m, -m]):
        for n in (3, 4, 31, 200, 511):  # less than a block, whose own sums must be numbers
            x = np.resize(np.array(period, dtype), n)
            np.testing.assert_array_equal(forzium.cumsum(x), np.cumsum(x))


def test_narrow_floats_are_summed_in_float32():
    x = np.random.default_rng(5).standard_normal(3000).astype(np.float16)
    got = forzium.cumsum(x)
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, forzium.cumsum(x.astype(np.float32)).astype(np.float16))


@pytest.mark.parametrize(
    ("name", "x", "dtype"),
    [
        ("cumsum", np.full((40, 40), np.float32(1 + 3 / 4096)), np.float16),
        ("cumprod", np.float32([[1 + 2**-11, 1], [1, 1 + 2**-11]]), np.float16),
        ("cumsum", np.full((3, 4), 3e9), np.int16),
        ("cumprod", np.full((2, 1), 3e9), np.int16),
    ],
)
def test_where_elements_lie_changes_no_result(name, x, dtype):
    """They become what is computed in, and the results out's dtype: here nothing is rounded in between."""
    wide = np.float64 if dtype == np.float16 else np.int64
    want = getattr(np, name)(x, dtype=wide).astype(dtype)
    for view in (np.ascontiguousarray(x), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        assert_equal(getattr(forzium, name)(view, dtype=dtype), want)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")
def test_want_of_memory_is_told_before_anything_is_written(run_python, under_sanitizer):
    if under_sanitizer:
        pytest.skip("a sanitizer's own address space exceeds any limit")
    run_python(
        """
        import resource
        import forzium, numpy as np
        forzium.set_num_threads(2)
        forzium.cumsum(np.ones(200_000))
        x = np.ones((4096, 4096), "f4").T
        wide, narrow = np.full(4096**2, 7.0), np.full(4096**2, 7, "f2")
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**19, hard))
        forzium.cumsum(x, out=wide)  # needs none
        try:
            forzium.cumsum(x, dtype="f2", out=narrow)  # rounds each sum once
        except MemoryError:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        else:
            raise AssertionError("there was memory")
        assert (narrow == 7).all()
        assert (wide == np.arange(1, wide.size + 1)).all()
        """
    )


@names
@given(data=st.data(), dtype=dtypes)
def test_out_may_be_the_input_or_overlap_it(name, data, dtype):
    function = getattr(forzium, name)
    values = np.random.default_rng(data.draw(seeds)).integers(1, 3, (6, 30)).astype(dtype)
    x = data.draw(layouts(values.shape)).place(values)
    axis = data.draw(st.sampled_from([0, 1]))
    want = getattr(np, name)(values, axis)
    out = data.draw(layouts(x.shape)).place(np.zeros(x.shape, dtype))
    assert function(x, axis, out=out) is out
    np.testing.assert_array_equal(out, want)
    line = np.concatenate([values.ravel(), np.zeros(1, dtype)])
    function(line[:-1], out=line[1:])
    np.testing.assert_array_equal(line[1:], getattr(np, name)(values))
    flat = np.zeros(values.size, dtype)
    function(x, out=flat[::-1])
    np.testing.assert_array_equal(flat[::-1], getattr(np, name)(values))
    assert function(x, axis, out=x) is x
    np.testing.assert_array_equal(x, want)


@names
def test_errors(name):
    function = getattr(forzium, name)
    x = np.ones((2, 3))
    for error, arguments in [
        (ValueError, {"axis": 2}),
        (ValueError, {"axis": -3}),
        (TypeError, {"axis": (0, 1)}),
        (ValueError, {"out": np.ones((2, 3))}),
        (ValueError, {"axis": 0, "out": np.ones(6)}),
        (TypeError, {"axis": 0, "out": np.ones((2, 3), int)}),
        (TypeError, {"dtype": complex}),
    ]:
        with pytest.raises(error, match=name):
            function(x, **arguments)
    with pytest.raises(TypeError, match=name):
        function(np.ones(2, complex))


@names
def test_scalars_and_nothing(name):
    assert getattr(forzium, name)(3.0).tolist() == [3.0]
    assert getattr(forzium, name)(np.array(3), axis=0).tolist() == [3]
    for axis in (None, 0, 1):
        want = getattr(np, name)(np.ones((0, 3)), axis)
        assert_equal(getattr(forzium, name)(np.ones((0, 3)), axis), want)


@names
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_threads_do_not_change_bits(name, dtype):
    x = np.random.default_rng(8).uniform(0.5, 1.5, 500_000).astype(dtype)
    results = set()
    for _ in numbers_of_threads():
        parts = [getattr(forzium, name)(x), getattr(forzium, name)(x[::-1])]
        parts += [getattr(forzium, name)(x.reshape(500, 1000), axis) for axis in (0, 1)]
        results.add(b"".join(part.tobytes() for part in parts))
    assert len(results) == 1


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_an_out_of_wider_floats_says_what_is_computed_in(name):
    for x in (np.full(70, 2**61), np.full(70, 0.1, np.float32), np.full(70, 1.5, np.float16)):
        out = np.zeros(70)
        np.testing.assert_allclose(getattr(forzium, name)(x, out=out), getattr(np, name)(x.astype(float)))

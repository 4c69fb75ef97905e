"""Every reduction beside NumPy's: dtypes, axes, keepdims, where, initial, dtype at once, errors included."""

import math
import warnings

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import layouts, seeds
from oracle import counted, outcome

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16"]
DTYPES += ["float32", "float64"]
TOTALS = ("sum", "prod", "nansum", "nanprod")
AVERAGES = ("mean", "var", "std", "nanmean", "nanvar", "nanstd")
EXTREMES = ("max", "min", "nanmax", "nanmin")
OTHERS = ("any", "all", "count_nonzero", "argmax", "argmin")
WITH_DTYPE, WITH_WHERE = TOTALS + AVERAGES, TOTALS + AVERAGES + EXTREMES + ("any", "all")
FLOATS = ["float16", "float32", "float64"]


def axes_of(name, ndim):
    """In range or not, once or twice."""
    one = st.integers(-ndim - 1, ndim)
    return st.none() | one | st.lists(one, max_size=3).map(tuple) if name[:3] != "arg" else st.none() | one


@st.composite
def calls(draw, name):
    shape = draw(st.lists(st.integers(0, 5) | st.just(300), min_size=1, max_size=3).map(tuple))
    shape = shape if np.prod(shape) < 10_000 else (3, 300)
    dtype = draw(st.sampled_from(DTYPES))
    values = np.random.default_rng(draw(seeds)).uniform(0, 3, shape)
    if dtype[0] == "f" and name[:3] == "nan":
        values[values > 2] = np.nan
    if name[-4:] == "prod":  # of what does not overflow, which would depend on the order
        values /= 3 if dtype[0] == "f" else 2
    values = values.astype(dtype)
    arguments = {"axis": draw(axes_of(name, len(shape))), "keepdims": draw(st.booleans())}
    if name in WITH_DTYPE and draw(st.booleans()):  # averages in integers: see test_reduce.py
        arguments["dtype"] = draw(st.sampled_from(DTYPES if name in TOTALS else FLOATS))
    if name in WITH_WHERE and draw(st.booleans()):
        arguments["where"] = np.arange(shape[-1]) % draw(st.integers(1, 4)) > 0
    if name in TOTALS + EXTREMES and draw(st.booleans()):
        arguments["initial"] = draw(st.sampled_from([0, 1, 2]))
    if name[-3:] in ("var", "std") and draw(st.booleans()):
        arguments["ddof"] = draw(st.sampled_from([0, 0.5]))  # of one number it leaves something
    return draw(layouts(shape)).place(values), arguments


def assert_near(got, want, exact):
    """NumPy's type; floats within a few roundings of the exact ones, as NumPy's own may be off by more."""
    assert type(got) is type(want)
    assert np.shape(got) == np.shape(want)
    assert got.dtype == want.dtype
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    few = 4 * np.finfo(want.dtype).eps
    np.testing.assert_allclose(np.longdouble(got), np.longdouble(exact), rtol=few, atol=few)


@pytest.mark.parametrize("name", TOTALS + AVERAGES + EXTREMES + OTHERS)
@given(data=st.data())
def test_all_options_are_numpys(name, data):
    x, arguments = data.draw(calls(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of averages of nothing, and overflow
        want, refused = outcome(lambda: getattr(np, name)(x, **arguments))
        wide = {**arguments, "dtype": np.longdouble} if "dtype" in arguments else arguments
        exact, _ = outcome(lambda: getattr(np, name)(x.astype(np.longdouble), **wide))
    got, error = outcome(lambda: getattr(forzium, name)(x, **arguments))
    if refused or error:
        assert isinstance(refused, type(error)), (error, refused)
    else:
        assert_near(got, counted(want), exact)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("shape", [(1, 70_001), (70_001, 3), (300, 1025), (2, 300, 70)])
def test_long_totals_of_narrow_integers_are_exact(dtype, shape):
    """Of the largest and the smallest number, which leave the least room; means of them are rounded once."""
    x = np.zeros(shape, dtype)
    limits = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    for value in limits:
        x[...] = value
        for axis in range(x.ndim):
            total = x.shape[axis] * int(value)
            assert (forzium.sum(x, axis) == total).all()
            assert (forzium.mean(x, axis) == value).all()
            assert (forzium.sum(x[:, ::-2], axis) == x[:, ::-2].shape[axis] * int(value)).all()
    x[0] = 0
    assert forzium.sum(x, dtype="uint8") == np.sum(x, dtype="uint8")
    assert forzium.sum(x) == np.sum(x)


@pytest.mark.parametrize("name", ["sum", "prod", "nansum", "nanprod", "mean", "nanmean", "var", "std"])
def test_an_out_of_wider_floats_says_what_is_computed_in(name):
    exact, far = np.float32(0.1) * np.ones((3, 70), np.float32), np.full((3, 70), 2**61)
    for x, dtype in ((exact, np.float64), (exact.astype(np.float16), np.float32), (far, np.float64)):
        out = np.zeros(3, dtype)
        want = getattr(np, name)(x.astype(np.float64), axis=1)
        assert getattr(forzium, name)(x, axis=1, out=out) is out
        np.testing.assert_allclose(out, want, rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-15)


@pytest.mark.parametrize("name", ["sum", "max", "nansum"])
@pytest.mark.parametrize("dtype", ["f2", "f8", "i4"])
def test_initial_may_be_an_element_of_out(name, dtype):
    x, out = np.ones((3, 100_000)), np.zeros(100_000, dtype)
    out[0], out[-1] = 5, 7
    x = x.astype(dtype)
    for initial in (out[0, ...], out[-1, ...]):
        want = getattr(np, name)(x, axis=0, initial=initial.copy()).astype(dtype)
        getattr(forzium, name)(x, axis=0, out=out, initial=initial)
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("name", ["sum", "prod", "min", "max", "nansum", "nanmax"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8", "u8", "f4"])
def test_an_initial_float_must_fit_the_integers_that_it_joins(name, dtype):
    """NumPy's scalars as Python's: NumPy itself cuts those to whatever the CPU gives."""
    x, limits = np.array([3, 4], dtype), [2.0**bits for bits in (7, 8, 31, 63, 64)]
    for initial in (1.5, -0.5, -1.5, 300.0, math.nan, math.inf, *limits, *np.negative(limits).tolist()):
        try:
            want = getattr(np, name)(x, initial=initial)
        except (ValueError, OverflowError) as error:
            for kind in (float, np.float32, np.float64):
                with pytest.raises(type(error), match=f"{name}: initial is a float out of bounds for u?int"):
                    getattr(forzium, name)(x, initial=kind(initial))
        else:
            for kind in (float, np.float32, np.float64):
                got = getattr(forzium, name)(x, initial=kind(initial))
                np.testing.assert_array_equal(got, want, strict=True)

"""Functions whose results are not the nearest numbers: within 1 ULP of the exact value, wherever one looks.

Exact values come from `forzium.accuracy.oracle`, which is NumPy in a wider type and mpmath; the specials from
NumPy; and NumPy's own validation sets have their values with them.
"""

import csv
import struct
from pathlib import Path

import forzium
import mpmath
import numpy as np
import pytest
from forzium.accuracy.inputs import hard_points, sampled
from forzium.accuracy.oracle import ORACLES, exact, is_slow, long_double_is_wide
from forzium.accuracy.ulp import errors

DTYPES = ("float32", "float64") if long_double_is_wide() else ("float32",)
PRESENT = [name for name in ORACLES if hasattr(forzium, name)]
MOST = 1.0
COUNT, SLOW_COUNT = 200_000, 4_000

# ---- how the errors are measured: judged on functions that others wrote ------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ORACLES)
def test_the_nearest_number_is_half_an_ulp_away(name, dtype):
    for operands in sampled(np.dtype(dtype), ORACLES[name].operands, 2_000):
        some = tuple(x[::40] for x in operands) if is_slow(name, np.dtype(dtype)) else operands
        right = exact(name, some)
        assert errors(right.astype(dtype), right).max() <= 0.5


@pytest.mark.skipif(not long_double_is_wide(), reason="long double is no wider than double")
@pytest.mark.parametrize(
    ("got", "right", "error"),
    [
        (1.0, 1.0, 0),
        (1.0 + 2**-52, 1.0, 1),
        (1.0 - 2**-53, 1.0, 0.5),
        (5e-324, 0.0, 1),
        (0.0, np.ldexp(np.longdouble(1), -1075), 0.5),
        (np.inf, 1.7976931348623157e308, 1),
        (np.inf, np.inf, 0),
        (1.7976931348623157e308, np.inf, np.inf),
        (-np.inf, np.inf, np.inf),
        (np.nan, np.nan, 0),
        (np.nan, 1.0, np.inf),
        (1.0, np.nan, np.inf),
    ],
)
def test_an_error_is_counted_in_units_of_the_exact_value(got, right, error):
    assert errors(np.array([got]), np.array([right], np.longdouble))[0] == error


# ---- within 1 ULP ------------------------------------------------------------------------------------------


def finite_enough(name, operands):
    """Without infinities where functions' values there are not settled."""
    return operands if ORACLES[name].limits else tuple(x[~np.isinf(x)] for x in operands)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRESENT)
def test_functions_are_within_one_ulp(name, dtype):
    count = SLOW_COUNT if is_slow(name, np.dtype(dtype)) else COUNT
    for operands in sampled(np.dtype(dtype), ORACLES[name].operands, count):
        operands = finite_enough(name, operands)
        got, right = getattr(forzium, name)(*operands), exact(name, operands)
        error = errors(got, right)
        worst = int(np.argmax(error))
        assert error[worst] <= MOST, f"{error[worst]:.3f} ULP at {[x[worst] for x in operands]}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_logaddexp_is_within_one_ulp_where_its_terms_cancel(dtype):
    number = np.dtype(dtype).type
    x = -np.concatenate([np.linspace(0.001, 0.69, 600), np.geomspace(2.0**-100, 0.001, 60)]).astype(dtype)
    wide = x.astype(np.longdouble)
    at_zero = np.log(-np.expm1(wide)).astype(dtype)
    with mpmath.workprec(400):
        for y in (
            at_zero,
            np.nextafter(at_zero, number(-1000)),
            at_zero * number(1.001),
            at_zero * number(0.9),
            np.log(np.exp(wide * number(-0.45)) - np.exp(wide)).astype(dtype),
            np.log(np.exp(wide * number(-0.6)) - np.exp(wide)).astype(dtype),
        ):
            got = forzium.logaddexp(x, y)
            sums = [mpmath.exp(float(a)) + mpmath.exp(float(b)) for a, b in zip(x, y, strict=True)]
            error = [abs(mpmath.mpf(float(z)) - mpmath.log(s)) for z, s in zip(got, sums, strict=True)]
            assert all(e <= float(unit) for e, unit in zip(error, np.abs(np.spacing(got)), strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "right"), [("arcsinh", mpmath.asinh), ("arctanh", mpmath.atanh)])
def test_small_numbers_are_their_own_results(name, right, dtype):
    """Where x is the number nearest to the result, its neighbour is a whole unit away at powers of two."""
    limits = np.finfo(dtype)
    powers = np.ldexp(np.ones(1, dtype), np.arange(limits.minexp - limits.nmant, -19))
    near = [np.nextafter(powers, np.asarray(to, dtype)) for to in (0, 1)]
    x = np.concatenate([powers, *near, powers * np.asarray(1.4142135623730951, dtype)])
    x = np.concatenate([x, -x])
    with mpmath.workprec(200):
        nearest = np.array([float(right(float(value))) for value in x]).astype(dtype)
    got = getattr(forzium, name)(x)
    small = np.abs(x) < (2.0**-12 if dtype == "float32" else 2.0**-27)
    np.testing.assert_array_equal(nearest[small], x[small])
    np.testing.assert_array_equal(got[small], x[small])
    assert (np.abs(got - nearest) <= np.spacing(np.abs(nearest))).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in PRESENT if hasattr(np, name)])
def test_zeros_and_what_is_exact_have_numpys_sign(name, dtype):
    function = getattr(np, name)
    few = hard_points(dtype)[::7]
    specials = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, np.inf, -np.inf, np.nan], dtype)
    points = np.concatenate([specials, few[np.isfinite(few)][:200]])
    operands = (points,) if ORACLES[name].operands == 1 else tuple(map(np.ravel, np.meshgrid(points, points)))
    got, want = getattr(forzium, name)(*operands), function(*operands)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    zero = (got == 0) & (want == 0)
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["silu", "gelu", "gelu_tanh", "elu"])
def test_activations_that_multiply_by_x_keep_its_sign_at_zero(name, dtype):
    got = getattr(forzium, name)(np.array([0.0, -0.0] * 9, dtype))
    np.testing.assert_array_equal(got, 0)
    np.testing.assert_array_equal(np.signbit(got), [False, True] * 9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PRESENT)
def test_a_result_does_not_depend_on_where_its_element_lies(name, dtype):
    """In a whole vector, in the last and incomplete one, at a stride, alone, and in an expression."""
    points = hard_points(np.dtype(dtype))[::37][:130]
    operands = (points,) if ORACLES[name].operands == 1 else (points, points[::-1].copy())
    function = getattr(forzium, name)
    whole = function(*operands)
    for some in (slice(1, None), slice(3, 50), slice(77, 78), slice(None, None, 3)):
        np.testing.assert_array_equal(function(*(x[some] for x in operands)), whole[some])
    text = "elu(x, 1)" if name == "elu" else f"{name}({', '.join('xy'[: len(operands)])})"
    variables = dict(zip("xy", operands, strict=False))
    np.testing.assert_array_equal(forzium.evaluate(text, variables), whole)


# ---- NumPy's validation sets -------------------------------------------------------------------------------

SETS = Path(np._core.__file__).parent / "tests" / "data"
OPERANDS = {np.float32: ("<I", "<f"), np.float64: ("<Q", "<d")}


def number(text, dtype):
    whole, floating = OPERANDS[dtype]
    return struct.unpack(floating, struct.pack(whole, int(text, 16)))[0]


def validation_set(name):
    """{dtype: (operands, expected, most ULP)} of a file of NumPy's."""
    path = SETS / f"umath-validation-set-{name}.csv"
    if not path.exists():
        pytest.skip(f"this NumPy comes without {path.name}")
    with path.open() as file:
        lines = list(csv.DictReader(line for line in file if not line.startswith(("#", "\n"))))
    found = {}
    for line in lines:
        dtype = {"np.float32": np.float32, "np.float64": np.float64}[line["dtype"].strip()]
        texts = [line[key].strip() for key in ("input", "input1", "input2") if line.get(key)]
        row = [*(number(text, dtype) for text in texts), number(line["output"].strip(), dtype)]
        found.setdefault(dtype, []).append((*row, int(line["ulperrortol"])))
    return found


@pytest.mark.parametrize("name", [name for name in PRESENT if hasattr(np, name)])
def test_numpys_validation_set_is_met(name):
    for dtype, rows in validation_set(name).items():
        *operands, want = np.array([row[:-1] for row in rows], dtype).T
        allowed = np.array([row[-1] for row in rows])
        got = getattr(forzium, name)(*map(np.ascontiguousarray, operands))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        error = errors(got, want.astype(np.longdouble))
        assert np.all(error <= np.maximum(allowed, 1)), f"{dtype.__name__}: up to {error.max():g} ULP"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_with_exponents_up_to_the_largest(dtype):
    """Of one kind in a whole array: others beside them would have all computed with care."""
    limits = np.finfo(dtype)
    above = np.array([1 + limits.eps, 1.5, 2, 10, limits.max], dtype)
    below = np.array([1 - limits.epsneg, 0.75, 0.5, limits.tiny, limits.smallest_subnormal], dtype)
    for exponent in (limits.max, limits.max / 2, np.sqrt(limits.max) * 2**20):
        for bases, large in ((above, np.inf), (below, 0)):
            for base in bases:
                x, y = np.full(40, base), np.full(40, exponent, dtype)
                np.testing.assert_array_equal(forzium.power(x, y), large)
                np.testing.assert_array_equal(forzium.power(x, -y), np.inf if large == 0 else 0)
        np.testing.assert_array_equal(forzium.power(np.ones(40, dtype), y), 1)

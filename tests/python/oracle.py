"""What it means to give NumPy's result, on any number of threads and in little memory."""

import forzium
import numpy as np

# Within 1 ULP of the exact value; everything else gives NumPy's bits.
APPROXIMATE = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "cos",
    "cosh",
    "elu",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "gelu",
    "gelu_tanh",
    "hypot",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "power",
    "sigmoid",
    "silu",
    "sin",
    "sinh",
    "softplus",
    "tan",
    "tanh",
]

# Refuse float16, in which NumPy steps.
FULL_FLOATS = ["nextafter"]


def _takes_floats(function):
    return any("d" in types.split("->")[0] for types in function.types)


UFUNCS = sorted(
    name
    for name in forzium.__all__
    if isinstance(getattr(np, name, None), np.ufunc) and getattr(np, name).signature is None
)
EXACT = [name for name in UFUNCS if name not in APPROXIMATE]
ELEMENTWISE = [name for name in EXACT if _takes_floats(getattr(np, name))]
TO_BOOL = [name for name in EXACT if {types[-1] for types in getattr(np, name).types} <= {"?", "O"}]
UNARY = [name for name in ELEMENTWISE if getattr(np, name).nin == 1]
BINARY = [name for name in ELEMENTWISE if getattr(np, name).nin == 2]


def numbers_of_threads(*numbers):
    """Sets each in turn, 1, 2, 3 and 7 by default; after the test conftest.py sets what was before."""
    for number in numbers or (1, 2, 3, 7):
        forzium.set_num_threads(number)
        yield number


# For a fresh interpreter. Its ru_maxrss would begin with what the process that started it has had.
PEAK = """
        def peak():
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""


def counted(want):
    """What NumPy has counted, as a number of its own: before 2.3 it is an int."""
    return np.intp(want) if type(want) is int else want


def assert_same(got, want):
    """Same type, shape, dtype and bits; of a NaN only that it is one."""
    assert type(got) is type(want)
    assert_same_values(got, want)


def assert_gives(name, got, want):
    """As NumPy's function of this name; of zeros with different signs its fmax and fmin give either."""
    (assert_equal if name in ("fmax", "fmin") else assert_same)(got, want)


def assert_same_values(got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_array_equal(got, want)
    number = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number], "signs of zero")


def assert_equal(got, want):
    """Same type, shape, dtype and numbers; the sign of a zero sum is left open."""
    assert type(got) is type(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_array_equal(got, want)


def assert_within(got, exact, bound):
    """|got - exact| <= bound where exact is finite; the same NaN and infinity elsewhere."""
    got, exact, bound = np.asarray(got), np.asarray(exact), np.broadcast_to(bound, np.shape(exact))
    assert got.shape == exact.shape
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(got[~finite], exact[~finite].astype(got.dtype))
    error = np.abs(got[finite].astype(np.longdouble) - exact[finite])
    assert np.all(error <= bound[finite]), f"off by up to {np.max(error / bound[finite]):.3g} times the bound"


def outcome(call):
    """What a call came to: its result and None, or None and its exception."""
    try:
        return call(), None
    except Exception as error:  # the error is what is being asked about
        return None, error

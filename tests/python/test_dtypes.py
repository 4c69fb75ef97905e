"""Every dtype gives what NumPy gives: values, result dtypes, refusals."""

import enum
import itertools
import operator
from fractions import Fraction

import forzium
import numpy as np
import pytest
from forzium.accuracy.oracle import ORACLES, exact, long_double_is_wide
from forzium.accuracy.ulp import errors
from oracle import APPROXIMATE, EXACT, FULL_FLOATS, UFUNCS, assert_same, outcome

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
PAIRS = list(itertools.product(DTYPES, DTYPES))
ROWS = {name: getattr(np, name) for name in EXACT if name not in FULL_FLOATS}
UNARY = [name for name, function in ROWS.items() if function.nin == 1]
BINARY = [name for name, function in ROWS.items() if function.nin == 2]
# Python's integers at and beyond the dtypes' limits, and floats.
SCALARS = [True, 0, 3, -2, 300, 2**40, -(2**63), 10**30, -(10**30), 1.5, 0.1, 1e300]


def sample(dtype, seed=0, n=67):
    """Whole range and small numbers; among floats special ones."""
    dtype, random = np.dtype(dtype), np.random.default_rng(seed)
    if dtype.kind == "b":
        return random.random(n) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        wide = random.integers(limits.min, limits.max, n, dtype=dtype, endpoint=True)
        return np.where(random.random(n) < 0.5, wide, random.integers(0, 9, n).astype(dtype))
    values = random.standard_normal(n) * 2.0 ** random.integers(-10, 10, n)
    values[::5] = random.choice([0.0, np.nan, np.inf, -np.inf, 1, 65504, 6e-8], len(values[::5]))
    return values.astype(dtype)


def assert_as_numpy(call, numpys):
    with np.errstate(all="ignore"):
        want, numpys_error = outcome(numpys)
    got, error = outcome(call)
    if numpys_error is None:
        assert error is None, error
        assert_same(got, want)
    else:
        assert type(error) in (type(numpys_error), TypeError), (error, numpys_error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, dtype):
    x = sample(dtype)
    assert_as_numpy(lambda: getattr(forzium, name)(x), lambda: ROWS[name](x))
    assert_as_numpy(lambda: getattr(forzium, name)(x[::-2]), lambda: ROWS[name](x[::-2]))
    assert_as_numpy(lambda: getattr(forzium, name)(x[0]), lambda: ROWS[name](x[0]))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_binary(name, dtype):
    for other in DTYPES:
        for x, y in [
            (sample(dtype), sample(other, 1)),
            (sample(dtype, 2, 5)[:, None], sample(other, 3, 30)[::-1]),
        ]:
            assert_as_numpy(lambda x=x, y=y: getattr(forzium, name)(x, y), lambda x=x, y=y: ROWS[name](x, y))


@pytest.mark.parametrize("name", FULL_FLOATS)
@pytest.mark.parametrize("dtype", [*DTYPES, *SCALARS[:4], 1.5])
def test_full_floats_are_numpys_and_narrow_ones_are_refused(name, dtype):
    x = sample(dtype) if isinstance(dtype, str) else dtype
    for other in (*DTYPES, *SCALARS[:4], 1.5):
        y = sample(other, 1) if isinstance(other, str) else other
        with np.errstate(all="ignore"):
            want = getattr(np, name)(x, y)
        if want.dtype != np.float16:
            assert_same(getattr(forzium, name)(x, y), want)
            continue
        with pytest.raises(TypeError, match=f"{name}: there is no loop for float16; float64 would do"):
            getattr(forzium, name)(x, y)
        with pytest.raises(TypeError, match=f"{name}: there is no loop for float16; float64 would do"):
            forzium.evaluate(f"{name}(x, y)")
        with np.errstate(all="ignore"):
            want = getattr(np, name)(x, y, dtype="f4")
        assert_same(getattr(forzium, name)(x, y, dtype="f4"), want)


@pytest.mark.parametrize("name", FULL_FLOATS)
def test_bfloat16_is_refused_where_narrow_floats_are(name):
    x = sample("f4").astype(pytest.importorskip("ml_dtypes").bfloat16)
    for operands in ((x, x), (x, 1.0), (x[0], x[0])):
        with pytest.raises(TypeError, match=f"{name}: there is no loop for bfloat16; float64 would do"):
            getattr(forzium, name)(*operands)
    assert_same(getattr(forzium, name)(x, np.float32(2)), getattr(np, name)(x.astype("f4"), np.float32(2)))


FUNCTIONS = {name: getattr(np, name) for name in APPROXIMATE if name in UFUNCS}


def assert_as_numpys_function(name, *operands):
    """NumPy's type, dtype, shape and refusals, and within 1 ULP of the exact value in the result's dtype."""
    with np.errstate(all="ignore"):
        want, refusal = outcome(lambda: FUNCTIONS[name](*operands))
    if refusal or want.dtype.kind != "f":
        assert_as_numpy(lambda: getattr(forzium, name)(*operands), lambda: FUNCTIONS[name](*operands))
        return
    got = getattr(forzium, name)(*operands)
    assert (type(got), got.dtype, got.shape) == (type(want), want.dtype, want.shape)
    if got.dtype == np.float64 and not long_double_is_wide():
        np.testing.assert_allclose(got, want, rtol=1e-14)
        return
    cast = (np.asarray(x).astype(got.dtype) for x in np.broadcast_arrays(*operands))
    cast = (x.astype("f4").ravel() if x.dtype == np.float16 else x.ravel() for x in cast)
    with np.errstate(all="ignore"):
        error = errors(np.ravel(got), exact(name, tuple(cast)))
    assert error.max() <= 1, f"{error.max():.3f} ULP at {[np.ravel(x)[error.argmax()] for x in operands]}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.nin == 1])
def test_functions_of_one(name, dtype):
    for x in (sample(dtype), sample(dtype, 1)[::-2], sample(dtype, 2)[0]):
        assert_as_numpys_function(name, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, function in FUNCTIONS.items() if function.nin == 2])
def test_functions_of_two(name, dtype):
    for other in DTYPES:
        assert_as_numpys_function(name, sample(dtype), sample(other, 1))
        assert_as_numpys_function(name, sample(dtype, 2, 3)[:, None], sample(other, 3, 30)[::-2])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("name", APPROXIMATE)
def test_functions_over_their_inputs_and_into_wider_floats(name, dtype):
    x = [sample(dtype, seed, 300) for seed in range(min(ORACLES[name].operands, 2))]
    function = getattr(forzium, name)
    want = function(*x)
    wide = np.empty(300)
    assert function(*x, out=wide) is wide
    np.testing.assert_array_equal(wide, want)
    memory = np.zeros(310, dtype)
    for place in (memory[5:305], memory[:300], memory[9:309]):
        memory[5:305] = x[0]
        function(memory[5:305], *x[1:], out=place)
        np.testing.assert_array_equal(place, want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rectifiers(dtype):
    """Which make floats of integers, as functions of one or of two numbers do."""
    for x in (sample(dtype), sample(dtype, 1)[::-2]):
        number = x.astype(np.exp(x).dtype)
        np.testing.assert_array_equal(forzium.relu(x), np.maximum(number, 0), strict=True)
        assert_same(forzium.leaky_relu(x, 0.25), np.where(x < 0, x * 0.25, x))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_python_scalars(name, dtype):
    x = sample(dtype)
    for scalar in SCALARS:
        if abs(scalar) == 10**30 and (dtype == "?" or name.startswith("logical")):
            continue  # NumPy fails to convert it to its default integer; there is an answer
        assert_as_numpy(lambda s=scalar: getattr(forzium, name)(x, s), lambda s=scalar: ROWS[name](x, s))
        assert_as_numpy(lambda s=scalar: getattr(forzium, name)(s, x), lambda s=scalar: ROWS[name](s, x))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("out_dtype", DTYPES)
def test_out_is_cast_within_its_kind(name, out_dtype):
    for dtype in DTYPES:
        x, y = sample(dtype), sample(dtype, 1)
        got, want = np.zeros(len(x), out_dtype), np.zeros(len(x), out_dtype)
        assert_as_numpy(
            lambda x=x, y=y, got=got: getattr(forzium, name)(x, y, out=got),
            lambda x=x, y=y, want=want: ROWS[name](x, y, out=want),
        )
        np.testing.assert_array_equal(got, want)


def dtypes_to_ask_for(name):
    """A comparison's result is bool whatever float is asked for."""
    return ["i1", "u2", "i8"] + ["f4", "f8"] * (not ROWS[name].types[0].endswith("?"))


@pytest.mark.parametrize(
    ("name", "wanted"), [(name, wanted) for name in BINARY for wanted in dtypes_to_ask_for(name)]
)
def test_dtype_argument(name, wanted):
    for dtype in ("?", "u1", "i4", "f4"):
        x, y = sample(dtype), sample(dtype, 1)
        assert_as_numpy(
            lambda x=x, y=y: getattr(forzium, name)(x, y, dtype=wanted),
            lambda x=x, y=y: ROWS[name](x, y, dtype=wanted),
        )


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("number", [0, 1, -1, 300, True, 1.5])
def test_numbers_beside_a_bool_that_is_asked_for(name, number):
    x = sample("?")
    for first, second in ((x, number), (number, x), (True, number)):
        assert_as_numpy(
            lambda x=first, y=second: getattr(forzium, name)(x, y, dtype=bool),
            lambda x=first, y=second: ROWS[name](x, y, dtype=bool),
        )


@pytest.mark.parametrize("dtype", ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_integer_powers(dtype):
    for other in ("?", "u1", "u4" if dtype == "u8" else "i8"):  # uint64 with int64 is float64
        x, y = sample(dtype), sample(other, 1) & np.dtype(other).type(63)
        assert_as_numpy(lambda x=x, y=y: forzium.power(x, y), lambda x=x, y=y: np.power(x, y))
    assert_as_numpy(lambda: forzium.power(x, 3), lambda: np.power(x, 3))
    assert_as_numpy(lambda: forzium.power(3, x & 1), lambda: np.power(3, x & 1))


@pytest.mark.parametrize("n", [1, 5, 700, 100_000])
def test_integers_to_negative_powers_are_refused(n):
    x = np.arange(n)
    exponents = np.ones(n, np.int8)
    exponents[-1] = -1
    out = np.full(n, 7)
    with pytest.raises(ValueError, match="power: y has integers below 0"):
        forzium.power(x, exponents, out=out)
    with pytest.raises(ValueError, match="power: y has integers below 0"):
        forzium.power(x, -1)
    assert (out == 7).all()
    np.testing.assert_allclose(forzium.power(x + 1.0, -1.0), 1 / (x + 1.0), rtol=3e-16)


@pytest.mark.parametrize(("dtype", "other"), PAIRS)
def test_where(dtype, other):
    x, y = sample(dtype), sample(other, 1)
    for condition in (sample("?", 2), sample("i4", 3), sample("f8", 4), sample("f4", 5)[::-1], True, 0.5):
        assert_as_numpy(lambda c=condition: forzium.where(c, x, y), lambda c=condition: np.where(c, x, y))
    column = sample("?", 6)[:, None]
    assert_as_numpy(lambda: forzium.where(column, x, y), lambda: np.where(column, x, y))
    assert_as_numpy(lambda: forzium.where(column, x, 1), lambda: np.where(column, x, 1))


@pytest.mark.parametrize(("dtype", "other"), PAIRS)
def test_clip(dtype, other):
    x, bound = sample(dtype) + np.dtype(dtype).type(0), sample(other, 1)
    for low, high in [(bound, bound), (bound, None), (None, bound)]:
        assert_as_numpy(
            lambda low=low, high=high: forzium.clip(x, low, high) + 0,
            lambda low=low, high=high: np.clip(x, low, high) + 0,
        )


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "?"])
def test_three_dtypes_meet_as_numpys(dtype):
    x = sample(dtype)
    for low_dtype, high_dtype in itertools.product(DTYPES, repeat=2):
        low, high = sample(low_dtype, 1), sample(high_dtype, 2)
        assert_as_numpy(
            lambda low=low, high=high: forzium.clip(x, low, high),
            lambda low=low, high=high: np.clip(x, low, high),
        )
        with np.errstate(invalid="ignore"):
            assert forzium.evaluate("clip(x, low, high)").dtype == np.clip(x, low, high).dtype


class Level(enum.IntEnum):
    HIGH = 300


@pytest.mark.parametrize("number", [0, 300, -7, 0.5, True, Level.HIGH])
@pytest.mark.parametrize("bound", [1, 0.25, np.uint8(3), np.int32(2), np.float32(0.25), sample("i2")])
def test_a_clipped_number_has_its_own_dtype(number, bound):
    for bounds in ((bound, bound), (bound, None), (None, bound), (0, bound)):
        assert_as_numpy(lambda b=bounds: forzium.clip(number, *b), lambda b=bounds: np.clip(number, *b))


def test_clip_without_bounds_is_a_copy():
    x = np.arange(5.0)
    copy = forzium.clip(x)
    assert_same(copy, x)
    assert not np.shares_memory(copy, x)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fma_rounds_once(dtype):
    x, y = (1 + np.arange(start, start + 99).astype(dtype) * np.finfo(dtype).eps for start in (1, 1000))
    z = -x * y
    exact = [
        Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)) for a, b, c in zip(x, y, z, strict=True)
    ]
    want = np.array([float(value) for value in exact]).astype(dtype)
    assert np.count_nonzero(want) > 50
    assert_same(forzium.fma(x, y, z), want)


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = sample("f4").astype(ml_dtypes.bfloat16)
    y = sample("f4", 1).astype(ml_dtypes.bfloat16)
    for name in ("add", "multiply", "negative", "sqrt", "less", "isnan"):
        arguments = (x, y)[: ROWS[name].nin]
        with np.errstate(all="ignore"):
            want = ROWS[name](*arguments)
        got = getattr(forzium, name)(*arguments)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.astype("f4"), want.astype("f4"))
    assert forzium.add(x, np.float32(1)).dtype == np.float32
    assert forzium.add(x, 1).dtype == x.dtype
    np.testing.assert_array_equal(
        forzium.add(sample("f4"), 0, out=np.empty_like(x)).astype("f4"), (x + x.dtype.type(0)).astype("f4")
    )


def test_bfloat16_by_its_name_needs_no_array_of_it_before(run_python):
    pytest.importorskip("ml_dtypes")
    run_python("""
        import forzium, numpy as np
        a = np.linspace(-3, 3, 101, dtype=np.float32)
        got = forzium.evaluate("bfloat16(a)", {"a": a})
        import ml_dtypes
        want = a.astype(ml_dtypes.bfloat16)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got.view("u2"), want.view("u2"))
    """)
    run_python("""
        import forzium
        assert forzium.astype([1.5], "bfloat16").dtype.name == "bfloat16"
        assert forzium.add([1.5], 2, dtype="bfloat16").dtype.name == "bfloat16"
    """)


def test_bfloat16_by_its_name_needs_ml_dtypes(run_python):
    run_python("""
        import sys
        import forzium, numpy as np
        sys.modules["ml_dtypes"] = None  # cannot be imported
        try:
            forzium.evaluate("bfloat16(a)", {"a": np.ones(3)})
        except TypeError as error:
            assert "evaluate: bfloat16 needs ml_dtypes" in str(error), error
        else:
            raise AssertionError("no TypeError")
    """)


@pytest.mark.parametrize("dtype", ["c8", "c16", "O", "M8[s]", "m8[s]", "S3", "U3", "V8", "g"])
def test_other_dtypes_are_refused(dtype):
    x = np.zeros(3, dtype)
    if x.dtype == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(TypeError, match=r"add: x has dtype .* would do"):
        forzium.add(x, 1)
    with pytest.raises(TypeError, match=r"add: out has dtype .* would do"):
        forzium.add(1.0, 1, out=x)


@pytest.mark.parametrize("name", ["bitwise_and", "left_shift", "invert"])
def test_bit_operations_refuse_floats_by_name(name):
    arguments = [1.5] * ROWS[name].nin
    with pytest.raises(TypeError, match=f"{name}: there is no loop for float64; int64 would do"):
        getattr(forzium, name)(*arguments)


def test_activations_take_their_parameters():
    x = np.array([-2.0, -0.5, 0.0, 3.0])
    assert_same(forzium.leaky_relu(x), np.where(x < 0, x * 0.01, x))
    assert_same(forzium.leaky_relu(x, 0.25), np.where(x < 0, x * 0.25, x))
    assert_same(forzium.leaky_relu(x, alpha=np.arange(4.0)), np.where(x < 0, x * np.arange(4.0), x))
    np.testing.assert_allclose(forzium.elu(x), np.where(x < 0, np.expm1(x), x), rtol=1e-15)
    np.testing.assert_allclose(forzium.elu(x, alpha=2.0), np.where(x < 0, 2 * np.expm1(x), x), rtol=1e-15)
    assert_same(forzium.relu(x), np.maximum(x, 0))
    assert_same(forzium.gelu(x, approximate="tanh"), forzium.gelu_tanh(x))
    assert_same(forzium.gelu(x, "none"), forzium.gelu(x))
    with pytest.raises(ValueError, match="gelu: approximate is 'erf'"):
        forzium.gelu(x, approximate="erf")
    with pytest.raises(TypeError, match="gelu: approximate is True"):
        forzium.gelu(x, approximate=True)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8"])
@pytest.mark.parametrize("name", ["add", "arctan2", "copysign", "hypot", "logaddexp"])
def test_eight_bits_with_bfloat16_are_bfloat16(name, dtype):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x, y = np.ones(3, dtype), np.ones(3, bfloat16)
    assert getattr(forzium, name)(x, y).dtype == getattr(forzium, name)(y, x).dtype == bfloat16


@pytest.mark.parametrize("bounds", [(-1, 300), (-(2**70), 7), (3, 2**70), (-1, None), (None, 256)])
def test_clip_takes_bounds_beyond_the_dtype(bounds):
    x = np.arange(10, dtype=np.uint8)
    result = forzium.clip(x, *bounds)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.clip(x, *bounds))
    with pytest.raises(OverflowError, match="clip: min is a Python integer out of bounds for uint8"):
        forzium.clip(x, 300, 400)


SIGNED = [-(2**63), -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1]
UNSIGNED = [0, 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]
COMPARISONS = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}


@pytest.mark.parametrize(("name", "compare"), COMPARISONS.items())
@pytest.mark.parametrize("order", [1, -1])
def test_int64_compares_with_uint64_as_the_integers_they_are(name, compare, order):
    (x, y) = [(SIGNED, np.int64), (UNSIGNED, np.uint64)][::order]
    wanted = np.array([[compare(a, b) for b in y[0]] for a in x[0]])
    x, y = np.array(*x)[:, None], np.array(*y)
    operation = getattr(forzium, name)
    np.testing.assert_array_equal(operation(x, y), wanted)
    assert operation(x[1, 0], y[-1]) == wanted[1, -1]
    many = [np.ascontiguousarray(np.broadcast_to(a, (9000, *wanted.shape))) for a in (x, y)]
    np.testing.assert_array_equal(operation(*many), np.broadcast_to(wanted, many[0].shape))
    strided = operation(many[0][::-2], many[1][::2])
    np.testing.assert_array_equal(strided, np.broadcast_to(wanted, strided.shape))


HUGE = [-(10**30) - 1, -(10**30), -(2**63) - 1, 2**64, 10**30, 10**30 + 1]


@pytest.mark.parametrize(("name", "compare"), COMPARISONS.items())
def test_integers_of_any_size_compare_as_the_integers_they_are(name, compare):
    operation, numbers = getattr(forzium, name), [*HUGE, *SIGNED, *UNSIGNED]
    for x in numbers:
        assert [operation(x, y) for y in numbers] == [compare(x, y) for y in numbers]
    for few in (np.array(SIGNED), np.array(UNSIGNED, np.uint64), np.array([-128, 127], np.int8)):
        for x in HUGE:
            np.testing.assert_array_equal(operation(x, few), getattr(np, name)(x, few))
            np.testing.assert_array_equal(operation(few, x), getattr(np, name)(few, x))


@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite"])
@pytest.mark.parametrize("number", HUGE)
def test_integers_beyond_64_bits_are_no_infinities(name, number):
    with pytest.raises(OverflowError, match=f"{name}: x is a Python integer out of bounds for int64"):
        getattr(forzium, name)(number)
    assert forzium.logical_not(number) == np.logical_not(number)


def test_fused_comparisons_of_int64_with_uint64():
    arrays = {"s": np.array(SIGNED)[:, None], "u": np.array(UNSIGNED, np.uint64)}
    below, chosen = forzium.evaluate("(s < u, where(u == s, s, 3))", arrays)
    np.testing.assert_array_equal(below, [[a < b for b in UNSIGNED] for a in SIGNED])
    np.testing.assert_array_equal(chosen, [[a if a == b else 3 for b in UNSIGNED] for a in SIGNED])


@pytest.mark.parametrize(("name", "compare"), COMPARISONS.items())
def test_fused_comparisons_of_what_was_computed_or_is_a_number(name, compare):
    arrays = {"s": np.array(SIGNED[:-1])[:, None], "u": np.array(UNSIGNED[:-1], np.uint64)}
    below, natural, integer = forzium.evaluate(
        f"({name}(s + 1, u + 1), {name}(s, 18446744073709551615), {name}(-1, u))", arrays
    )
    np.testing.assert_array_equal(
        below, [[compare(a + 1, b + 1) for b in UNSIGNED[:-1]] for a in SIGNED[:-1]]
    )
    np.testing.assert_array_equal(natural, [[compare(a, 2**64 - 1)] * 6 for a in SIGNED[:-1]])
    np.testing.assert_array_equal(integer, [[compare(-1, b) for b in UNSIGNED[:-1]]] * 7)


def test_a_mixed_comparison_writes_any_out_also_over_an_input():
    x, y = np.arange(-8, 100), np.full(108, 5, np.uint64)
    for dtype in ("float16", "int8", "float64"):
        out = np.empty(108, dtype)
        assert forzium.less(x, y, out=out) is out
        np.testing.assert_array_equal(out, x < 5)
    memory = x.copy()
    forzium.greater(y, memory, out=memory.view(bool)[:108])
    np.testing.assert_array_equal(memory.view(bool)[:108], x < 5)


def test_a_mixed_comparison_names_itself_where_shapes_differ():
    with pytest.raises(ValueError, match="less: "):
        forzium.less(np.zeros(3, np.int64), np.zeros(4, np.uint64))


@pytest.mark.parametrize(
    "name", ["add", "multiply", "maximum", "minimum", "logical_and", "logical_or", "logical_xor"]
)
@pytest.mark.parametrize("size", [1, 63, 200])
def test_any_byte_but_0_is_true(name, size):
    """As in bools that are views of other bytes."""
    x, y = np.random.default_rng(12).choice(np.uint8([0, 1, 2, 16, 128, 255]), (2, size)).view(bool)
    expected = getattr(np, name)(x != 0, y != 0)
    for got in (getattr(forzium, name)(x, y), forzium.evaluate(f"{name}(x, y)")):
        assert ((got.view(np.uint8) != 0) == expected).all()

"""Expressions give what NumPy gives for the same operations, and let nothing but arithmetic through."""

import struct

import forzium
import numpy as np
import pytest
from forzium import expressions, fused_functions
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from layouts import arrays, dtypes
from oracle import assert_same, numbers_of_threads

NAMES = ("a", "b", "c")
FUNCTIONS = {
    "abs": np.absolute,
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": np.where,
    "isnan": np.isnan,
    "floor": np.floor,
    "copysign": np.copysign,
    "float32": np.float32,
    "float64": np.float64,
}


def by_numpy(text, values):
    return eval(text, {"__builtins__": {}, **FUNCTIONS}, dict(values))


@st.composite
def arithmetic(draw, depth=4):
    """The text of an expression over a, b and c, of any shape of tree."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([*NAMES, *NAMES, "2", "0.5", "3.0", "-1"]))
    part = arithmetic(depth=depth - 1)
    form = draw(
        st.sampled_from(
            [
                "({} + {})",
                "({} - {})",
                "({} * {})",
                "({} / {})",
                "(-{})",
                "abs({})",
                "({})**2",
                "floor({})",
                "maximum({}, {})",
                "minimum({}, {})",
                "copysign({}, {})",
                "sqrt({})",
                "float64({})",
                "float32({})",
                "where({} < a, {}, {})",
                "where(isnan(a*{}) | (b >= {}), {}, {})",
                "where((a > {}) & ({} != c), {}, {})",
                "where(~({} == b), {}, {})",
            ]
        )
    )
    return form.format(*(draw(part) for _ in range(form.count("{}"))))


@st.composite
def operands(draw):
    together = draw(mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=7, max_dims=3))
    return {
        name: draw(arrays(shape, draw(dtypes)))
        for name, shape in zip(NAMES, together.input_shapes, strict=True)
    }


def assert_same_as_numpy(got, want, shape):
    got, want = np.asarray(got), np.broadcast_to(np.asarray(want), shape)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_array_equal(got, want)


@given(text=arithmetic(), values=operands())
def test_gives_numpys_bits(text, values):
    text = f"({text}) + 0*a + 0*b + 0*c"  # all names, so that the shape is that of all
    want = by_numpy(text, values)
    assert_same(np.asarray(forzium.evaluate(text, values)), np.asarray(want))


@pytest.mark.parametrize("number", ["sqrt(-1)", "-sqrt(-1)", "sqrt(-1) * 0", "abs(sqrt(-1))"])
def test_signs_of_constants_that_are_nan_are_numpys(number):
    values = {"a": np.ones(9)}
    text = f"copysign(a, {number}) + copysign(2*a, -({number}))"
    assert_same(forzium.evaluate(text, values), by_numpy(text, values))


@given(values=operands())
def test_comparisons_are_bool(values):
    for text in ("(a < b) | (b >= c)", "a != b + c", "isnan(a*b + c)", "~(a > b) ^ (c <= 1)"):
        want = by_numpy(text, values)
        np.testing.assert_array_equal(forzium.evaluate(text, values), want)
        assert np.asarray(forzium.evaluate(text, values)).dtype == np.bool_


@pytest.mark.parametrize("n", [0, 1, 7, 63, 64, 65, 511, 512, 513, 4097, 20001, 100003])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lengths_and_positions(n, dtype):
    random = np.random.default_rng(n)
    memory = random.standard_normal((3, n + 3)).astype(dtype)
    text = "where(a*b > c, a/b, (a - b)*(a - b) + c)"
    for offset in range(3):
        values = dict(zip(NAMES, memory[:, offset : offset + n], strict=True))
        assert_same(forzium.evaluate(text, values), by_numpy(text, values))


def test_threads_give_the_same_bits():
    random = np.random.default_rng(0)
    values = {name: random.standard_normal(200_001) for name in NAMES}
    results = set()
    for _ in numbers_of_threads():
        for text in ("a*b + c/(1 + a*a)", "sum(a*b + c)", "sum((a - b)**2)", "mean(a*c)"):
            results.add((text, np.asarray(forzium.evaluate(text, values)).tobytes()))
    assert len(results) == 4


@given(values=operands())
def test_reductions_are_those_of_the_array(values):
    whole = forzium.evaluate("a*b + c", values, order="C")  # in the order in which they are summed
    for name in ("sum", "mean"):
        got = forzium.evaluate(f"{name}(a*b + c)", values)
        np.testing.assert_array_equal(got, getattr(forzium, name)(whole))


# ---- numexpr's examples ------------------------------------------------------------------------------------


def test_names_are_the_callers():
    a, b = np.arange(1e3), np.arange(1e3)
    np.testing.assert_array_equal(forzium.evaluate("a + 1"), a + 1)
    np.testing.assert_array_equal(forzium.evaluate("a*b - 4.1*a > 2.5*b"), a * b - 4.1 * a > 2.5 * b)
    np.testing.assert_array_equal(forzium.evaluate("2*a + 3*b", {"b": a}, {"a": a}), 5 * a)
    assert forzium.evaluate("GLOBAL * 2") == 6.0


GLOBAL = 3.0


def test_looking_up_keeps_no_array_alive():
    import weakref

    class Kept(np.ndarray):
        pass

    def call():
        a = np.ones(3).view(Kept)
        reference = weakref.ref(a)
        forzium.evaluate("a + 1")
        del a
        return reference()

    assert call() is None


def test_out_is_written_and_returned():
    a, out = np.arange(5.0), np.empty(5)
    assert forzium.evaluate("a*2 + 1", out=out) is out
    np.testing.assert_array_equal(out, a * 2 + 1)
    single = np.empty(5, np.float32)
    forzium.evaluate("a/3", out=single)
    np.testing.assert_array_equal(single, (a / 3).astype(np.float32))


@pytest.mark.parametrize("n", [5, 1000, 100_000])
def test_out_may_overlap_inputs(n):
    line = np.random.default_rng(0).standard_normal(n + 1)
    want = line[:-1] * line[1:] + line[:-1]
    forzium.evaluate("x*y + x", {"x": line[:-1], "y": line[1:]}, out=line[1:])
    np.testing.assert_array_equal(line[1:], want)


@pytest.mark.parametrize("n", [5, 1000, 100_000])
def test_several_outputs_may_be_the_inputs(n):
    a, b = np.random.default_rng(0).standard_normal((2, n))
    total, difference = a + b, a - b
    results = forzium.evaluate("a + b, a - b", out=(a, b))
    assert results[0] is a
    assert results[1] is b
    np.testing.assert_array_equal(a, total)
    np.testing.assert_array_equal(b, difference)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(700, 501), (1, 37), (3, 1), (5, 40, 33), (40, 7, 129), (9, 4097)])
@pytest.mark.parametrize(
    "text", ["a*row + column", "gapped*row - column", "row - flipped", "a*2 + gapped*column"]
)
def test_many_rows_with_a_row_or_a_column_on_any_number_of_threads(text, shape, dtype):
    random = np.random.default_rng(0)
    a, wide = random.random(shape).astype(dtype), random.random((*shape[:-1], 2 * shape[-1])).astype(dtype)
    row, column = random.random(shape[-1]).astype(dtype), random.random((shape[-2], 1)).astype(dtype)
    values = {"a": a, "row": row, "column": column, "flipped": a[::-1], "gapped": wide[..., : shape[-1]]}
    want = eval(text, {}, values)
    for _ in numbers_of_threads(1, 3):
        assert_same(forzium.evaluate(text, values), want)
        assert_same(forzium.evaluate(f"sum({text})", values), forzium.sum(want))
        surrounded = np.full((*shape[:-1], shape[-1] + 5), 9, dtype)
        forzium.evaluate(text, values, out=surrounded[..., 2:-3])
        np.testing.assert_array_equal(surrounded[..., 2:-3], want)
        assert (surrounded[..., :2] == 9).all()
        assert (surrounded[..., -3:] == 9).all()


def test_outputs_must_not_overlap():
    a = np.ones(5)
    with pytest.raises(ValueError, match="share memory"):
        forzium.evaluate("a + 1, a + 2", out=(a, a))
    assert (a == 1).all()


def test_python_numbers_are_weak():
    a = np.ones(3, np.float32)  # noqa: F841
    assert forzium.evaluate("2*a + 0.5").dtype == np.float32
    n = 2.5  # noqa: F841
    assert forzium.evaluate("n*a").dtype == np.float32
    assert forzium.evaluate("sqrt(2)*a").dtype == np.float64
    assert forzium.evaluate("2*3 + 1") == 7
    assert forzium.evaluate("1/0*a")[0] == np.inf


@pytest.mark.parametrize("text", ["a*0.1", "a // 0.1", "a % (1/7)", "a*k", "clip(a, 0.1, k)"])
def test_numbers_are_rounded_to_the_narrow_floats_that_they_meet(text):
    values = {"a": np.array([1.3, 2.7, -0.5, 0.1], np.float16), "k": 0.3, "clip": np.clip}
    want = eval(text, {}, values)
    got = forzium.evaluate(text, values)
    assert got.dtype == want.dtype == np.float16
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("number", [-1, 300, 2049, 2051, 70000, -70000])
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.uint16, np.uint64])
@pytest.mark.parametrize(
    "text", ["k / c", "c / k", "hypot(c, k)", "hypot(k, c)", "copysign(c, k)", "copysign(k, c)"]
)
def test_where_integers_become_floats_any_number_fits(text, dtype, number):
    """Python's is rounded to float16 where they become that; NumPy's scalars are not."""
    c = np.array([0, 1, 2, 100]).astype(dtype)
    written = text.replace("k", str(number))
    for spelled, k in ((text, number), (written, number), (text, np.int64(number))):
        with np.errstate(all="ignore"):
            want = eval(text, {"hypot": np.hypot, "copysign": np.copysign}, {"c": c, "k": k})
        got = forzium.evaluate(spelled, {"c": c, "k": k})
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=0 if want.dtype == np.float16 else 3e-7)


def test_a_bool_times_itself_is_a_bool():
    b = np.array([True, False])
    for got, want in ((forzium.evaluate("b*b"), b * b), (forzium.evaluate("b**2"), b**2)):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("two", [2, 2.0])
def test_squares_have_the_dtype_of_numpys(dtype, two):
    a = np.array([0, 1, 3, 2**40, 0.1]).astype(dtype)
    want = a**two
    for got in (forzium.evaluate(f"a**{two}"), forzium.fuse(lambda a: a**two)(a)):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


UNARY = ("erf", "erfc", "sigmoid", "relu", "gelu", "gelu_tanh", "silu", "softplus", "exp", "isnan")
FUSED = {
    **{name: (lambda f: lambda x, y: f(x - y) * y)(getattr(forzium, name)) for name in UNARY},
    "leaky_relu": lambda x, y: forzium.leaky_relu(x - y),
    "elu": lambda x, y: forzium.elu(x - y, 0.5) + forzium.elu(x, alpha=y),
    "gelu of a way": lambda x, y: forzium.gelu(x - y, "tanh") + forzium.gelu(x, approximate="none"),
    "fma": lambda x, y: forzium.fma(x, y, 2.0),
    "clip": lambda x, y: forzium.clip(x - y, -0.5, max=y) + forzium.clip(x, min=y),
    "where": lambda x, y: forzium.where(forzium.greater(x, y), x, 1),
    "power": lambda x, y: forzium.power(x, y) + np.round(x),
    "astype": lambda x, y: forzium.astype(x * 9, "int32") + forzium.astype(y, np.float32),
    "astype of an array": lambda x, y: (x * 9).astype("int32") + y.astype(np.float32),
    "scalars": lambda x, y: x * np.float32(2.5) + np.float64(0.1) * y - np.int64(3) + np.float16(0.1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", FUSED)
def test_operations_are_fused_to_their_own_bits(name, dtype):
    function = FUSED[name]
    x, y = np.random.default_rng(2).uniform(0.1, 3, (2, 1000)).astype(dtype)
    got, want = forzium.fuse(function)(x, y), function(x, y)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: forzium.argmax(x),
        lambda x: forzium.softmax(x),
        lambda x: forzium.matmul(x, x),
        lambda x: forzium.sigmoid(x, out=np.empty(3)),
        lambda x: forzium.sigmoid(x, dtype="float32"),
        lambda x: forzium.gelu(x, "other"),
        lambda x: forzium.add(x, [1.0]),
        lambda x: x * np.array(2.0),
        lambda x: forzium.astype(x, "complex64"),
        lambda x: x.astype("complex64"),
    ],
)
def test_what_cannot_be_fused_is_refused(function):
    with pytest.raises((TypeError, ValueError), match=r"forzium|fuse|gelu|astype"):
        forzium.fuse(function)


def test_casting_is_numpys():
    a, whole = np.arange(5.0), np.zeros(5, np.int64)
    with pytest.raises(TypeError, match="int64"):
        forzium.evaluate("a*2.5", out=whole)
    assert not whole.any()
    forzium.evaluate("a*2.5", out=whole, casting="unsafe")
    np.testing.assert_array_equal(whole, (a * 2.5).astype(np.int64))
    with pytest.raises(TypeError):
        forzium.evaluate("a + 1", out=np.empty(5, np.float32), casting="safe")
    with pytest.raises(ValueError, match=r"^evaluate: casting: "):
        forzium.evaluate("a", casting="any")


def test_numexprs_arguments_are_taken_or_refused():
    a = np.arange(5.0)
    taken = {"order": "K", "sanitize": True, "optimization": "moderate", "truediv": "auto"}
    np.testing.assert_array_equal(forzium.evaluate("a/2", disable_cache=True, **taken), a / 2)
    for name, value in (("order", "F"), ("sanitize", False), ("optimization", "all"), ("truediv", False)):
        with pytest.raises(ValueError, match=name):
            forzium.evaluate("a/2", **{name: value})
    with pytest.raises(TypeError, match="vml"):
        forzium.evaluate("a/2", vml=True)


@pytest.mark.parametrize(
    "text",
    [
        "2*a + 3*b",
        "2*a + 3*b*c",
        "((.25*a + .75)*a - 1.5)*a - 2",
        "(a + 2*b) / (1 + a + 4*b*b)",
        "sinh(a) + cosh(b) - tanh(c)",
        "sin(a)**2 + cos(b)**2 - tan(c)",
        "arcsin(a/9) - arccos(b/9) + arctan(c)",
        "arcsinh(a) + arccosh(b + 1) - arctanh(c/9)",
        "arctan2(a, b) + hypot(b, c)",
        "log(a + 1) + log10(b + 1) - log1p(c) + log2(a + 1)",
        "exp(-a) + expm1(b/9)",
        "sqrt(a**2 + b**2 + c**2)",
        "floor(a*1.5) + ceil(b/3) - trunc(c/2) + rint(a/2)",
        "fmod(a, 3) + a % 3 - b // 2",
        "where(a > b, c, -a)",
        "maximum(a, b) - minimum(b, c) + sign(c - 4)",
        "(a > 2) & ~(b == 3) | (c <= 1) ^ (a != b)",
        "copysign(a, b - 4)",
        "a*2.e-5 + 2E5*b - 1.2e3",
        "isnan(a) | isinf(b) | isfinite(c) | signbit(-a)",
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_numexprs_functions(text, dtype):
    random = np.random.default_rng(0)
    values = {name: random.integers(0, 9, 1003).astype(dtype) for name in NAMES}
    scope = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    want, got = eval(text, {"__builtins__": {}, **scope}, dict(values)), forzium.evaluate(text, values)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-6 if got.dtype == np.float32 else 1e-14, atol=1e-6)


# Of numexpr's functions those of complex numbers and of text.
NOT_REAL = {"real", "imag", "conj", "complex", "contains"}
TAKES_TWO = {"arctan2", "copysign", "fmod", "hypot", "maximum", "minimum", "nextafter"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_real_function_of_numexpr_gives_what_it_gives_there(dtype):
    numexpr = pytest.importorskip("numexpr")
    table = set(pytest.importorskip("numexpr.expressions").functions)
    assert table >= NOT_REAL | TAKES_TWO
    values = dict(zip("ab", np.random.default_rng(4).uniform(0.1, 0.9, (2, 1003)).astype(dtype), strict=True))
    for name in sorted(table - NOT_REAL):
        arguments = {"arccosh": "a + 1", "where": "a > b, a, b"}.get(
            name, "a, b" if name in TAKES_TWO else "a"
        )
        text = f"{name}({arguments})"
        want, got = numexpr.evaluate(text, values), forzium.evaluate(text, values)
        assert got.shape == want.shape, text  # and the dtype is NumPy's, where numexpr's may be float64
        np.testing.assert_allclose(got, want, rtol=1e-4 if name in ("sum", "prod") else 1e-6, err_msg=text)
    for name in NOT_REAL:
        with pytest.raises(TypeError, match=f"column 1: {name} is for .*, which (is|are) not supported"):
            forzium.evaluate(f"{name}(a)", values)


@pytest.mark.parametrize("n", [1, 7, 8, 16, 17, 63, 1000, 4097])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_numbers(n, dtype):
    random = np.random.default_rng(n)
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = {name: random.integers(least, most, n, dtype) for name in ("a", "b")}
    values["c"] = random.integers(-2, 70, n, dtype)
    for text in (
        "(3*a + b) ^ (a >> 2)",
        "(a & b | ~a) - (a << c) + (b >> c)",
        "maximum(a, b) * minimum(a, c) - -b",
        "where(abs(a) >= b, a, c) + where(a == c, b, 1)",
        "(a <= b) | (a != c)",
    ):
        want = by_numpy(text, values)
        got = forzium.evaluate(text, values)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want, text)


def test_constants_alone_are_numpys():
    a = np.ones(3, np.int32)
    for text in ("abs(-3)*a", "maximum(2, 3) + a", "2**3**2 + a", "sqrt(4)*a", "floor(2.5)*a"):
        want, got = by_numpy(text, {"a": a}), forzium.evaluate(text)
        assert got.dtype == want.dtype, text
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10.0**309", np.power(10.0, 309)),
        ("(-10.0)**309", np.power(-10.0, 309)),
        ("(-10.0)**310", np.power(-10.0, 310)),
        ("1/-0.0", np.divide(1, -0.0)),
        ("-1/0", np.divide(-1, 0)),
    ],
)
def test_constants_beyond_the_floats_are_infinities_of_their_sign(text, value):
    a = np.ones(3)
    np.testing.assert_array_equal(forzium.evaluate(f"a + {text}", {"a": a}), a + value)


# ---- programs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "operations", "constants"),
    [
        ("(a + b)*(a + b) + 2*3*a", 4, 1),  # a + b, its square, 6*a, their sum
        ("(a + b)*(b + a)", 3, 0),  # the order of operands may show in the bits of a NaN
        ("2*3 + 4*(5 - 1)", 0, 1),
        ("a*(1/7) + b*(1/7)", 3, 1),
        ("a*2 + b*2.0", 3, 2),  # one is an integer
        ("a*0.0 + b*-0.0", 3, 2),
        ("exp(1)*a + exp(1)*b", 3, 1),
        ("a + b, a - b, a + b", 2, 0),
        ("sin(a - b)**2 + cos(a - b)**2", 6, 0),
        ("float32(a) + float32(a)", 2, 0),
        ("sum((a - b)*(a - b))", 2, 0),
        ("where(a - b > 0, a - b, 0)", 3, 1),
    ],
)
def test_equal_parts_are_computed_once_and_constants_beforehand(text, operations, constants):
    _, packed, instructions, *_ = expressions.parse(text)
    assert len(instructions) == operations * struct.calcsize("5i")  # an operation, a dtype, three operands
    assert len(packed) == constants * struct.calcsize("iiQ")


def test_equal_parts_of_a_function_are_computed_once():
    _, packed, instructions, *_ = fused_functions.trace(lambda a, b: np.exp(a + b) + forzium.exp(a + b) * 2)
    assert len(instructions) == 4 * struct.calcsize("5i")  # the sum of both, exp of it, twice that, their sum
    assert len(packed) == struct.calcsize("iiQ")


@pytest.mark.parametrize("first", ["?", "b", "i", "q", "B", "Q", "e", "f", "d"])
@pytest.mark.parametrize("second", ["?", "b", "i", "q", "B", "Q", "e", "f", "d"])
def test_dtypes_are_numpys(first, second):
    random = np.random.default_rng(0)
    a, b = random.integers(0, 100, 700).astype(first), random.integers(1, 100, 700).astype(second)
    for text in ("a*b + a", "a/b", "a + 1", "2*a + b", "where(a > b, a, b)", "(a > b) | (a == b)", "a < 300"):
        want, got = by_numpy(text, {"a": a, "b": b}), forzium.evaluate(text)
        assert got.dtype == want.dtype, text
        np.testing.assert_array_equal(got, want, text)


def test_exponents_of_integers_may_not_be_below_zero():
    a, b = np.arange(1, 2000), np.arange(1999) % 7
    np.testing.assert_array_equal(forzium.evaluate("a**b + 1", {"a": a, "b": b}), a**b + 1)
    np.testing.assert_array_equal(forzium.evaluate("a**int32(3)"), a**3)
    np.testing.assert_array_equal(forzium.evaluate("a**n", {"a": a, "n": 3}), a**3)
    assert forzium.evaluate("a**b", {"a": a, "b": -1.0 * b}).dtype == np.float64
    out, b[1998] = np.zeros_like(a), -1
    for exponent, values in (
        ("b", {"b": b}),
        ("b", {"b": -2}),
        ("-1", {}),
        ("(b - 1)", {"b": 5 * a}),
        ("int8(-1)", {}),
    ):
        with pytest.raises(ValueError, match="power"):
            forzium.evaluate(f"a**{exponent}", {"a": a, **values}, out=out)
    assert not out.any()


# ---- code and interpreter ----------------------------------------------------------------------------------

COMPUTE = """
    import hashlib
    import numpy as np, forzium
    random, results = np.random.default_rng(7), []
    for dtype in "fdil":
        for n in 1, 7, 8, 100, 5003:
            a, b, c = (1 + 9*random.random((3, n))).astype(dtype)
            for text in "a*b + c", "where(a > b, a - c, b*2)", "abs(a - b)*c - a":
                results.append(np.asarray(forzium.evaluate(text)).tobytes())
            if dtype in "fd":
                results.append(forzium.evaluate("a/b - sqrt(c)/(1 + a)").tobytes())
    print(hashlib.sha256(b"".join(results)).hexdigest())
"""


def test_code_and_interpreter_give_the_same_bits(run_python):
    sets = {"avx512": ["avx512", "avx2", "sse2"], "avx2": ["avx2", "sse2"]}
    names = sets.get(forzium.detect_simd_support(), [forzium.detect_simd_support()])
    assert len({run_python(COMPUTE, FORZIUM_SIMD=name).stdout for name in names}) == 1


def test_memory_that_cannot_be_executed(run_python):
    """The interpreter takes over where the system refuses code."""
    refuse = """
    import ctypes
    PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
    if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
        print("unknown")
        raise SystemExit
"""
    refused = run_python(refuse + COMPUTE).stdout
    if refused.strip() == "unknown":
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert refused == run_python(COMPUTE).stdout

"""What is no expression, or does not fit, is one clear error that points at the place."""

import forzium
import numpy as np
import pytest
from oracle import outcome


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("__builtins__", 1),
        ("a + __import__('os')", 5),
        ("lambda x: x", 1),
        ('locals()["evaluate"]', 1),
        ("import os;", 1),
        ("os. cpu_count()", 1),
        ("(3+1).ᵇit_length()", 1),
        ("a.T", 1),
        ("1 + a.__class__", 5),
        ("a[0]", 1),
        ("a < [0, 0, 0]", 5),
        ("len(a)", 1),
        ("open('x')", 1),
        ("(a := 2)", 2),
        ("a if a else a + eval('1')", None),
        ("a @ a", 1),
        ("f'{a}'", 1),
        ("a is a", 1),
        ("2 +", None),
        ("", None),
        ("sum(a) + 1", 1),
        ("9**9**9**9", 4),
        ("1 << 10**9", 1),
        ("1 // 0", 1),
        ("sqrt(a, axis=0)", 1),
    ],
)
def test_what_is_not_arithmetic_is_an_error(text, column):
    a = np.ones(3)
    expected = TypeError if " if " in text else ValueError
    with pytest.raises(expected, match=f"column {column}:" if column else "column"):
        forzium.evaluate(text, {"a": a})


@pytest.mark.parametrize(
    "text",
    [
        "(a > 1) and (a < 9)",
        "a or a",
        "not a",
        "0 < a < 2",
        "1.5j*a",
        "real(a)",
        "contains(a, b'x')",
        "complex(a, a)",
        "conj(a)",
        "a == 'b'",
        "sqrt(a, a)",
        "where(a, a)",
        "power(2)",
        "pow()",
        "left_shift(1)",
        "a + add(1, 2, 3)",
    ],
)
def test_what_is_of_the_wrong_kind_is_a_type_error(text):
    a = np.ones(3)
    with pytest.raises(TypeError, match="column"):
        forzium.evaluate(text, {"a": a})


def test_a_name_without_a_value_is_a_key_error_and_a_value_error():
    for kind in (KeyError, ValueError):
        with pytest.raises(kind, match="nobody"):
            forzium.evaluate("2*nobody")
    with pytest.raises(KeyError):
        forzium.evaluate("print + 1", {}, {})


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("nobody", "nobody", "column 1"),
        ("2*nobody", "nobody", "column 3"),
        ("a + nobody*(nobody - 1)", "nobody", "column 5"),
        ("exp(a) + exp", "exp", "column 10"),
        ("where(a > 1, a, somebody)", "somebody", "column 17"),
        ("sum(a - nobody, axis=0)", "nobody", "column 9"),
        ("a + 1, nobody", "nobody", "column 8"),
        ("  a + ä*ü", "ü", "column 9"),
        ("(a +\n  nobody)", "nobody", "line 2, column 3"),
        ("a + \ufb01", "fi", "column 5"),
    ],
)
def test_a_name_without_a_value_is_pointed_at(text, name, place):
    values = {"a": 1.0, "ä": 1.0}
    for made in (text, forzium.expression(text)):
        with pytest.raises(KeyError) as raised:
            forzium.evaluate(made, values, {})
        assert str(raised.value) == f"expression: {place}: the name {name} has no value"


def test_a_name_of_a_function_that_has_no_value_is_named():
    with pytest.raises(KeyError, match=r"^evaluate: the name nobody has no value$"):
        forzium.evaluate(forzium.fuse(lambda nobody: nobody + 1), {}, {})


def test_what_has_no_names_is_a_type_error():
    for arguments in ((3,), ({}, 3)):
        with pytest.raises(TypeError, match="a mapping of names to values would do"):
            forzium.evaluate("a + 1", *arguments)


def test_syntax_errors_are_syntax_errors():
    with pytest.raises(SyntaxError):
        forzium.evaluate("2+")


def test_long_and_deep_expressions_work_or_say_so():
    a = np.ones(4)
    for text, want in (
        ("+".join(["a"] * 2000), 2000),
        ("+".join(f"{i}*a" for i in range(900)), 404550),
        ("(" * 90 + "a" + "+1)" * 90, 91),
    ):
        np.testing.assert_array_equal(forzium.evaluate(text), np.full(4, want))
    for text, want in (  # how many Python's parser takes, differs from version to version
        ("+".join(["a"] * 10_000), 10_000),
        ("+".join(["a"] * 100_000), 100_000),
        ("(" * 3000 + "a" + ")" * 3000, 1),
        ("-" * 100_000 + "a", 1),
    ):
        result, error = outcome(lambda text=text: forzium.evaluate(text, {"a": a}))
        if error is None:
            np.testing.assert_array_equal(result, np.full(4, want))
        else:
            assert isinstance(error, ValueError)
            assert "expression" in str(error)
    many = {f"x{i}": a for i in range(50)}
    with pytest.raises(ValueError, match="50"):
        forzium.evaluate("+".join(many), many)


def test_shapes_and_dtypes_that_do_not_fit():
    a, b = np.ones(3), np.ones(4)  # noqa: F841
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        forzium.evaluate("a + b")
    with pytest.raises(TypeError, match="complex"):
        forzium.evaluate("a + 1", {"a": np.ones(2, complex)})
    out = np.zeros(4)
    with pytest.raises(ValueError, match="out"):
        forzium.evaluate("a + 1", out=out)
    assert (out == 0).all()


def test_shapes_of_many_axes_that_do_not_fit():
    """Each fills the room that a message has for it."""
    a, b = (np.ones((10, 10) + (1,) * 60 + (n,)) for n in (2, 3))
    with pytest.raises(ValueError, match="could not be broadcast"):
        a + b
    with pytest.raises(ValueError, match=r"(.*\(10, 10, 1, ){4}.*do not broadcast.*equal or 1$"):
        forzium.evaluate("a + b + c + d", {"a": a, "b": a, "c": a, "d": b})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("ä + a.b", "column 5"),
        ("  \ta.b", "column 4"),
        ("  é + a @ a", "column 7"),
        ("  é + (a", "column 7"),
        ("(a +\n a.b)", "line 2, column 2"),
        ("(a +\r a.b)", "line 2, column 2"),
        ("(a +\r\n a.b)", "line 2, column 2"),
        ("\r\r  a.b", "line 3, column 3"),
        ("\n  a.b", "line 2, column 3"),
    ],
)
def test_places_are_counted_in_characters_of_the_text(text, place):
    with pytest.raises(ValueError, match=f"^expression: {place}: "):
        forzium.evaluate(text, {"a": 1.0, "é": 1.0, "ä": 1.0})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize(
    "bounds",
    ["1, 2", "None, 2", "1, None", "1", "None, None", "-300, 300", "-300, 2", "1, 300"],
)
def test_clip_takes_bounds_as_numpys(dtype, bounds):
    a = np.arange(5).astype(dtype)
    low, high = (*eval(f"({bounds},)"), None)[:2]
    want = np.clip(a, low, high)
    got = forzium.evaluate(f"clip(a, {bounds})", {"a": a})
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    fused = forzium.fuse(lambda x: np.clip(x, low, high))(a)
    np.testing.assert_array_equal(fused, want)


@pytest.mark.parametrize("text", ["a + 300", "a + b", "clip(a, 300, 400)", "maximum(a, 300)"])
def test_integers_beyond_the_dtype_are_numpys_error(text):
    out = np.zeros(3, np.int8)
    with pytest.raises(OverflowError, match=r"300.*int8"):
        forzium.evaluate(text, {"a": out, "b": 300}, out=out)
    assert not out.any()


@pytest.mark.parametrize("text", ["a + b\0", "a + \ud800", "a +\0b"])
def test_text_that_python_cannot_read_is_a_syntax_error(text):
    with pytest.raises(SyntaxError, match=r"^expression: column \d+: "):
        forzium.evaluate(text, {"a": 1.0, "b": 1.0})


def test_constants_beyond_every_float_name_their_column():
    with pytest.raises(ValueError, match="expression: column 5: an integer constant is too large"):
        forzium.evaluate("a + " + "9" * 400, {"a": np.ones(3)})


HUGE = [-(10**30), -(2**63) - 1, 2**64, 10**30]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64"])
@pytest.mark.parametrize("number", [-(2**63), -1000, -1, 0, 300, 2**63, 2**64 - 1, *HUGE])
def test_numbers_that_have_a_name_mean_what_they_mean_to_the_functions(dtype, number):
    """In comparisons, and as bounds that bound nothing, they may lie beyond the dtype."""
    a = np.arange(100, dtype=dtype)
    np.testing.assert_array_equal(forzium.evaluate("a < b", {"a": a, "b": number}), np.less(a, number))
    np.testing.assert_array_equal(forzium.evaluate("b == a", {"a": a, "b": number}), np.equal(number, a))
    assert forzium.evaluate("sum(a >= b)", {"a": a, "b": number}) == np.sum(np.greater_equal(a, number))
    np.testing.assert_array_equal(forzium.fuse(lambda a, b: (a != b) & (a > b))(a, number), a > number)
    for text, bounds in [("clip(a, b, 50)", (number, 50)), ("clip(a, 50, b)", (50, number))]:
        try:
            want = forzium.clip(a, *bounds)
        except OverflowError:
            with pytest.raises(OverflowError, match=dtype):
                forzium.evaluate(text, {"a": a, "b": number})
        else:
            np.testing.assert_array_equal(forzium.evaluate(text, {"a": a, "b": number}), want)
            np.testing.assert_array_equal(want, np.clip(a, *bounds))


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64"])
@pytest.mark.parametrize("text", ["a + b", "b * a", "2*b + a", "a // b", "a << b"])
def test_integers_beyond_64_bits_are_numpys_error_too(text, dtype, number):
    a = np.ones(3, dtype)
    out = a.copy()
    with pytest.raises(OverflowError):
        eval(text, {"a": a, "b": number})
    for spelled in (text, text.replace("b", f"({number})")):
        with pytest.raises(OverflowError, match="does not fit"):
            forzium.evaluate(spelled, {"a": a, "b": number}, out=out)
    np.testing.assert_array_equal(out, a)


@pytest.mark.parametrize("number", HUGE)
def test_integers_beyond_64_bits_are_floats_where_floats_are_computed(number):
    for text, dtype in (("a + b", "f2"), ("b - a", "f4"), ("a * b", "f8"), ("a / b", "i1"), ("b / a", "u8")):
        a = np.array([1, 2, 3], dtype)
        want = eval(text, {"a": a, "b": number})
        for spelled in (text, text.replace("b", f"({number})")):
            got = forzium.evaluate(spelled, {"a": a, "b": number})
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
def test_comparisons_do_not_round_to_integers_beyond_64_bits(name, dtype):
    limits, compare = np.iinfo(dtype), getattr(np, name)
    a = np.array([limits.min, limits.min + 1, 0, limits.max - 1, limits.max], dtype)
    for number in (2**64, 2**64 + 1, -(2**63) - 1, *HUGE):
        want = compare(a, number), compare(number, a)
        for b in ("b", f"({number})"):
            got = forzium.evaluate(f"{name}(a, {b}), {name}({b}, a)", {"a": a, "b": number})
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("number", HUGE)
def test_integers_beyond_64_bits_become_no_integers(number):
    for dtype in ("int8", "uint32", "int64", "uint64"):
        with pytest.raises(OverflowError, match=f"does not fit {dtype}"):
            forzium.evaluate(f"{dtype}(b)", {"b": number})
        with pytest.raises(OverflowError, match=f"astype: x is a Python integer out of bounds for {dtype}"):
            forzium.astype(number, dtype)
    assert forzium.evaluate("bool(b)", {"b": number})
    assert forzium.astype(number, "?")
    assert forzium.evaluate("float32(b)", {"b": number}) == forzium.astype(number, "f4") == np.float32(number)


def test_two_integers_beyond_64_bits_are_compared_exactly_or_not_at_all():
    assert forzium.evaluate(f"{2**64} < {2**64 + 1}")
    with pytest.raises(OverflowError, match="less: the number"):
        forzium.evaluate("a < b", {"a": 2**64, "b": 2**64 + 1})

"""Every operation gives in an expression the bits that it gives alone, among others and with any operands."""

import itertools

import forzium
import numpy as np
import pytest
from forzium import _core
from layouts import awkward_values
from oracle import assert_same, outcome

ROWS = {name: operands for name, (_, operands) in _core.expression_operations().items()}
ALIASES = {
    "abs": "absolute",
    "round": "rint",
    "copy": "positive",
    "true_divide": "divide",
    "mod": "remainder",
}
LENGTHS = (1, 8, 65, 1000, 20_001)
every_row = pytest.mark.parametrize("name", ROWS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64"])


def values(n, dtype, seed=0):
    """Of a, b and c: special ones among floats; integers that b may be as an exponent or a number of bits."""
    if np.dtype(dtype).kind == "f":
        return dict(zip("abc", awkward_values(seed, (3, n), dtype), strict=True))
    a, b, c = np.random.default_rng(seed).integers(-(2**30), 2**30, (3, n)).astype(dtype)
    return {"a": a, "b": abs(b) % 9, "c": c % 5 - 2}


def assert_alike(text, alone, given, **options):
    """Both the same bits, or both refuse."""
    want, refusal = outcome(alone)
    got, error = outcome(lambda: forzium.evaluate(text, given, **options))
    if refusal:
        assert type(error) is type(refusal), (error, refusal)
    else:
        assert error is None, error
        assert_same(np.asarray(got), np.asarray(want))


@every_row
@every_dtype
def test_alone(name, dtype):
    operation, names = getattr(forzium, name), "abc"[: ROWS[name]]
    text = f"{name}({', '.join(names)})"
    for n in LENGTHS:
        given = values(n, dtype)
        assert_alike(text, lambda g=given: operation(*(g[k] for k in names)), given)
        swapped = dict(zip(names, [given[k][::-1] for k in names], strict=True))
        assert_alike(text, lambda g=swapped: operation(*(g[k] for k in names)), swapped)


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name != "signbit"]
)  # a computed NaN has either sign
@every_dtype
def test_in_a_chain(name, dtype):
    """Its first operand is computed, and so is what becomes of its result."""
    rest = "bc"[: ROWS[name] - 1]
    text = f"{name}({', '.join(['a*c + b', *rest])})"

    def alone(given):
        first = forzium.add(forzium.multiply(given["a"], given["c"]), given["b"])
        inner = getattr(forzium, name)(first, *(given[k] for k in rest))
        return forzium.subtract(forzium.multiply(inner, given["c"]), given["a"])

    for n in LENGTHS:
        given = values(n, dtype, 1)
        assert_alike(f"{text}*c - a", lambda g=given: alone(g), given)


@every_row
@every_dtype
def test_with_rows_columns_and_numbers(name, dtype):
    names = "abc"[: ROWS[name]]
    operation, text = getattr(forzium, name), f"{name}({', '.join(names)})"
    for rows, n in ((3, 8), (7, 65), (40, 501)):
        whole = {k: x.reshape(rows, n) for k, x in values(rows * n, dtype, 2).items()}
        forms = (lambda x: x, lambda x: x[:1], lambda x: x[:, :1], lambda x: x[0, 0])
        for chosen in itertools.product(forms, repeat=len(names)):
            given = {k: form(whole[k]) for k, form in zip(names, chosen, strict=True)}
            assert_alike(text, lambda g=given: operation(*g.values()), given)


@pytest.mark.parametrize("alias", ALIASES)
@every_dtype
def test_other_names(alias, dtype):
    names = "ab"[: ROWS[ALIASES[alias]]]
    given = values(1000, dtype)
    operands = [given[k] for k in names]
    assert_alike(f"{alias}({', '.join(names)})", lambda: getattr(forzium, ALIASES[alias])(*operands), given)


@pytest.mark.parametrize("target", _core.expression_dtypes())
@every_dtype
def test_conversions(target, dtype):
    if target == "bfloat16":
        pytest.importorskip("ml_dtypes")
    for n in LENGTHS:
        a = np.random.default_rng(n).uniform(0, 60, n).astype(dtype)
        assert_alike(f"{target}(a)", lambda a=a: forzium.astype(a, target), {"a": a})
        doubled = forzium.astype(forzium.add(a, a), target)
        rest = forzium.astype(a, target)
        if target != "bool":
            assert_alike(
                f"{target}(a + a) - {target}(a)", lambda d=doubled, r=rest: forzium.subtract(d, r), {"a": a}
            )

"""Where a thread rounds up, down or to zero, arithmetic does, too, and functions keep their bits."""

import forzium
import numpy as np
import pytest
from forzium.accuracy.oracle import ORACLES
from rounding import ARE_KNOWN, IS_X86, ROUNDINGS, rounding

pytestmark = pytest.mark.skipif(not ARE_KNOWN, reason="the numbers of the roundings are not known here")


def assert_bits(result, wanted):
    """The same numbers and signs of zeros; NaN for NaN."""
    np.testing.assert_array_equal(result, wanted)
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(result)[number], np.signbit(wanted)[number])


def inputs_of(dtype, size):
    """Numbers of all sizes that functions tell apart: in (-1, 1), tens, near 1, huge and tiny."""
    rng = np.random.default_rng(size)
    x = rng.uniform(-1, 1, (2, size)) * rng.choice([1, 1, 12, 300, 1e-3, 1e-12, 1e12], (2, size))
    x[:, ::7] = rng.choice([1, -1, 0.9999969, 6.5, -2, 88, 1e30, np.inf, np.nan, 0], x[:, ::7].shape)
    with np.errstate(over="ignore"):
        return x.astype(dtype)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64", *["float16"] * IS_X86])
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_functions_have_the_bits_of_rounding_to_nearest(name, dtype, mode):
    for size in (1, 9, 30_000):
        x = inputs_of(dtype, size)[: ORACLES[name].operands]
        call = getattr(forzium, name)
        arguments = (*x, 1) if name == "elu" else x
        wanted = call(*arguments)
        with rounding(mode):
            result = call(*arguments)
        assert_bits(result, wanted)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [3, 100, 5000])
@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm", "normalize", "norm"]
)
def test_rows_have_the_bits_of_rounding_to_nearest(name, columns, dtype, mode):
    x = np.random.default_rng(columns).normal(0, 5, (40, columns)).astype(dtype)
    call = getattr(forzium, name)
    wanted = call(x, -1)
    with rounding(mode):
        result = call(x, -1)
    assert_bits(result, wanted)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["max", "min", "nanmax", "nanmin", "prod"])
def test_extremes_and_products_keep_the_sign_of_zero(name, dtype, mode):
    call = getattr(forzium, name)
    for zero in (0.0, -0.0):
        x = np.ones((40, 3), dtype)
        if name.endswith("max"):
            x *= -1
        x[:, 1] = zero
        wanted = getattr(np, name)(x, axis=-1)
        with rounding(mode):
            rows, one = call(x, -1), call(x[0])
        assert_bits(rows, wanted)
        assert_bits(one, wanted[0])


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("size", [5, 1000, 300_000])
def test_in_an_expression_each_operation_rounds_as_it_does_alone(size, mode):
    x, y, z = np.random.default_rng(size).standard_normal((3, size))
    power = forzium.exp(x)
    with rounding(mode):
        result = forzium.evaluate("exp(x) / 3 + y * z")
        wanted = power / 3 + y * z
    assert_bits(result, wanted)
    assert not np.array_equal(wanted, power / 3 + y * z)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("size", [1, 9, 1000, 300_000])
def test_constants_of_expressions_are_rounded_to_nearest(size, mode):
    """Whichever thread meets the text first; texts are kept, so each is another."""
    ones, same = np.ones(size, np.float32), f"{size}0{mode} != {mode}"
    texts = (f"where({same}, y * {c}, y)" for c in ("0.1", "0.7", "(2/3 - 0.1)", "sqrt(0.3)", "1e-41"))
    with rounding(mode):
        results = [forzium.evaluate(text, {"y": ones}) for text in texts]
    for result, constant in zip(results, (0.1, 0.7, 2 / 3 - 0.1, np.sqrt(0.3), 1e-41), strict=True):
        assert_bits(result.astype("f4"), np.full(size, constant, "f4"))


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_constants_of_fused_functions_are_rounded_to_nearest(mode):
    with rounding(mode):
        result = forzium.fuse(lambda x: x * (np.exp(0.3) / 3))(np.ones(9))
    assert_bits(result, np.full(9, np.exp(0.3) / 3))


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "sqrt", "square", "reciprocal"])
def test_arithmetic_rounds_as_numpys(name, dtype, mode):
    x = np.random.default_rng(3).uniform(0.1, 9, (2, 1001)).astype(dtype)
    x = x[: getattr(np, name).nin]
    with rounding(mode):
        result, wanted = getattr(forzium, name)(*x), getattr(np, name)(*x)
    assert_bits(result, wanted)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "power"])
def test_integers_are_exact(name, dtype, mode):
    rng, limits = np.random.default_rng(4), np.iinfo(dtype)
    x, y = rng.integers(limits.min, limits.max, (2, 5000), dtype, endpoint=True)
    y = abs(y % 7) if name == "power" else np.where(rng.random(5000) < 0.5, y, y % 9 + (y % 9 == 0))
    y = np.where(y == 0, 3, y).astype(dtype)
    wanted = getattr(np, name)(x, y)
    with rounding(mode):
        result = getattr(forzium, name)(x, y)
    assert_bits(result, wanted)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.skipif(not IS_X86, reason="AArch64's instruction follows the thread")
def test_what_becomes_float16_rounds_to_nearest(step, dtype, mode):
    """As NumPy's does: halves of their steps, what is beside them, subnormal and too large numbers."""
    every = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(dtype)
    middle = np.append((every[1:] + every[:-1]) / 2, every.dtype.type(65520))
    x = np.concatenate(
        [every, middle, np.nextafter(middle, 0), np.nextafter(middle, every.dtype.type(np.inf))]
    )
    x = np.concatenate([x, -x])
    with np.errstate(over="ignore"):
        wanted = x.astype(np.float16)
    spread = np.zeros(step * x.size, dtype)[::step]
    spread[...] = x
    with rounding(mode):
        result = forzium.astype(spread, "float16")
    assert_bits(result, wanted)


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("step", [1, 2])
def test_float16_is_read_exactly(step, mode):
    """Zeros with their signs, too, which a difference of equal numbers loses where a thread rounds down."""
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    spread = np.zeros(step * every.size, np.float16)[::step]
    spread[...] = every
    with rounding(mode):
        result = forzium.astype(spread, "float32")
    assert_bits(result, every.astype(np.float32))


@pytest.mark.parametrize("mode", ROUNDINGS)
def test_activations_of_layers_have_the_bits_of_functions(mode):
    """Of sums that are exact, and never 1 - 1, so that the activation is all that could round."""
    rng = np.random.default_rng(6)
    x = (rng.integers(1, 4, (33, 5)) * rng.choice([-1, 1], (33, 1))).astype("f4")
    weight = (rng.integers(1, 4, (70, 5)) / 16).astype("f4")
    sums = x @ weight.T
    for name in ("sigmoid", "gelu", "tanh", "silu"):
        with rounding(mode):
            result = forzium.linear(x, weight, activation=name)
        assert_bits(result, getattr(forzium, name)(sums))


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_divisions_of_whole_numbers_in_floats_are_exact(name, dtype, mode):
    x, y = np.random.default_rng(7).integers(1, 1000, (2, 5000)).astype(dtype)
    wanted = getattr(np, name)(x, y)
    with rounding(mode):
        result = getattr(forzium, name)(x, y)
    np.testing.assert_array_equal(result, wanted)

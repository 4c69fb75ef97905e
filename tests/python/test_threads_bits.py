"""What threads share has the same bits on any number of them: rows of the table, casts, and reductions and
scans of numbers with NaN among them."""

from functools import cache, partial

import forzium
import numpy as np
import pytest
from forzium import _core
from layouts import awkward_values
from oracle import APPROXIMATE, numbers_of_threads

ROWS = {name: operands for name, (_, operands) in _core.expression_operations().items()}
EXACT = [name for name in ROWS if name not in APPROXIMATE]
OF_FLOATS_ONLY = ("copysign", "fma", "leaky_relu", "nextafter", "relu", "rint", "signbit", "sqrt")
LENGTH = 140_003
REDUCTIONS = (
    *("sum", "mean", "var", "std", "prod", "max", "min", "argmax", "argmin", "any", "all", "count_nonzero"),
    *("nansum", "nanmean", "nanvar", "nanstd", "nanprod", "nanmax", "nanmin"),
)
SHAPES = [(LENGTH,), (300, 467), (3, 46_701), (46_701, 3)]


def bits(result):
    """Of a NaN only that it is one."""
    if result.dtype.kind == "f":
        result = np.where(np.isnan(result), result.dtype.type(np.nan), result)
    return result.dtype.str, result.tobytes()


def assert_one_result(*calls, split=False):
    """Of each call, whichever thread computes a part; where it surely is split, there are tasks."""
    first = None
    for threads in numbers_of_threads():
        forzium.thread_pool_metrics(reset=True)
        results = [bits(np.asarray(call())) for call in calls]
        tasks = forzium.thread_pool_metrics()["total_tasks_completed"]
        assert threads == 1 or not split or tasks >= len(calls), "nothing was split"
        first = first or results
        for k, (result, wanted) in enumerate(zip(results, first, strict=True)):
            assert result == wanted, f"call {k} at {threads} threads"


def operands(name, dtype, n=LENGTH):
    """Whole numbers of any size, or floats of any magnitude with special ones."""
    count, random = ROWS.get(name, 1), np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return [awkward_values(seed, n, dtype) for seed in range(count)]
    if dtype == "bool":
        return list(random.random((count, n)) < 0.5)
    limits = np.iinfo(dtype)
    inputs = random.integers(limits.min, limits.max, (count, n), dtype, endpoint=True)
    if name == "power":
        inputs[1] %= 7
    return list(inputs)


def assert_row_is_one(name, dtype):
    """At the beginning of memory, off it, and at gaps."""
    operation, inputs = getattr(forzium, name), operands(name, dtype)
    wide = [np.repeat(x, 2) for x in inputs]
    assert_one_result(
        lambda: operation(*inputs),
        lambda: operation(*(x[1:-2] for x in inputs)),
        lambda: operation(*(x[::-2] for x in wide)),
        split=True,
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", APPROXIMATE)
def test_functions(name, dtype):
    assert_row_is_one(name, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [n for n in EXACT if not n.startswith("bitwise") and n not in
                                  ("invert", "left_shift", "right_shift")])  # fmt: skip
def test_rows_of_floats(name, dtype):
    assert_row_is_one(name, dtype)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize("name", [*(name for name in EXACT if name not in OF_FLOATS_ONLY), "power"])
def test_rows_of_integers(name, dtype):
    assert_row_is_one(name, dtype)


@pytest.mark.parametrize("source", ["bool", "int8", "int32", "uint64", "float16", "float32", "float64"])
def test_casts(source):
    (x,) = operands("negative", source)
    targets = ("bool", "int8", "int32", "uint64", "float16", "float32", "float64")
    if x.dtype.kind == "f":  # to integers only what they hold
        x = np.where(np.isfinite(x) & (abs(x) < 100), abs(x), 1).astype(source)

    def copied(target, where):
        out = np.zeros(len(x), target)
        forzium.copyto(out, x, "unsafe", where)
        return out

    chosen = np.random.default_rng(0).random(len(x)) < 0.3
    for target in targets:
        assert_one_result(
            lambda t=target: forzium.astype(x, t),
            lambda t=target: forzium.astype(x[::-1], t),
            lambda t=target: copied(t, True),
            lambda t=target: copied(t, chosen),
        )


@cache
def with_nan(shape, dtype, share):
    x = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    x[np.random.default_rng(2).random(shape) < share] = np.nan
    return x


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_with_nan(name, dtype, shape):
    operation = getattr(forzium, name)
    for share in (0.3, 2 / LENGTH):
        x = with_nan(shape, dtype, share)
        assert_one_result(*(partial(operation, x, axis) for axis in (None, *range(x.ndim))))
    assert_one_result(lambda: operation(with_nan((2 * LENGTH, 2), dtype, 0.3)[::2, 1]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans_with_nan(name, dtype, shape):
    x = with_nan(shape, dtype, 2 / LENGTH)
    assert_one_result(*(partial(getattr(forzium, name), x, axis) for axis in (None, *range(x.ndim))))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "layer_norm", "rms_norm", "normalize", "logsumexp", "norm"]
)
def test_rows_with_nan(name, dtype):
    x = with_nan((300, 467), dtype, 5 / LENGTH)
    assert_one_result(*(partial(getattr(forzium, name), x, axis) for axis in (0, 1, None)))

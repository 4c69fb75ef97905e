"""matmul: exact on whole numbers, within k eps |a||b| otherwise, for every shape and layout."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, arrays, awkward_values, dtypes, integer_arrays, layouts
from oracle import assert_equal, assert_within, numbers_of_threads, outcome

sides = st.integers(0, 9) | st.integers(0, 9) | st.integers(10, 70)


def assert_product(c, a, b):
    """The error bound of any order of summation, with or without FMA, against long double."""
    wide_a, wide_b = a.astype(np.longdouble), b.astype(np.longdouble)
    limits = np.finfo(c.dtype)
    k = a.shape[1]
    bound = k * limits.eps * (np.abs(wide_a) @ np.abs(wide_b)) + k * limits.smallest_subnormal
    assert_within(c, wide_a @ wide_b, bound)


@given(data=st.data(), m=sides, k=sides, n=sides, a_dtype=dtypes, b_dtype=dtypes)
def test_whole_numbers_exactly(data, m, k, n, a_dtype, b_dtype):
    a, b = data.draw(integer_arrays((m, k), a_dtype)), data.draw(integer_arrays((k, n), b_dtype))
    want = (a.astype(np.int64) @ b.astype(np.int64)).astype(np.result_type(a, b))
    assert_equal(forzium.matmul(a, b), want)


@given(data=st.data(), m=sides, k=sides, n=sides, dtype=dtypes)
def test_within_the_error_bound(data, m, k, n, dtype):
    a = data.draw(arrays((m, k), dtype, specials=False))
    b = data.draw(arrays((k, n), dtype, specials=False))
    assert_product(forzium.matmul(a, b), a, b)


@given(data=st.data(), m=sides, k=sides, n=sides, dtype=dtypes)
def test_writes_out_of_any_layout_and_nothing_beside_it(data, m, k, n, dtype):
    a, b = data.draw(integer_arrays((m, k), dtype)), data.draw(integer_arrays((k, n), dtype))
    layout = data.draw(layouts((m, n)))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.matmul(a, b, out=got) is got
    want[...] = a.astype(np.int64) @ b.astype(np.int64)
    got += 0  # the sign of a zero sum is left open
    np.testing.assert_array_equal(got_memory, want_memory)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "side", [1, 2, 7, 8, 9, 23, 24, 25, 47, 48, 49, 95, 96, 97, 143, 144, 145, 239, 240, 241]
)
def test_sides_around_the_tiles(dtype, side):
    random = np.random.default_rng(side)
    for m, k, n in [
        (side, side, side),
        (side, 5, 3),
        (5, side, 3),
        (3, 5, side),
        (side, 1, side),
        (1, side, 1),
    ]:
        a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in ((m, k), (k, n)))
        want = (a.astype(np.int64) @ b.astype(np.int64)).astype(dtype)
        for left, right in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
            assert_equal(forzium.matmul(left, right), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (300, 1030, 310),
        (1, 5000, 700),
        (700, 5000, 1),
        (5, 20_000, 5),
        (2000, 3, 400),
        (3, 385, 5000),
        (6, 1023, 1111),
        (4, 1000, 1003),
        (37, 700, 3111),
        (513, 257, 511),
        (50, 200, 4003),
        (20, 150, 4096),
        (100, 9001, 90),
        (37, 60_001, 32),
        (5003, 64, 50),
        (20_001, 17, 9),
        (4099, 31, 380),
        (100_000, 0, 50),
    ],
)
def test_large(dtype, m, k, n):
    random = np.random.default_rng(k)
    a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in ((m, k), (k, n)))
    want = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)  # whole numbers below 2**53: exact
    assert_equal(forzium.matmul(a, b), want)
    assert_equal(forzium.matmul(b.T, a.T), np.ascontiguousarray(want.T))
    assert_equal(forzium.matmul(np.asfortranarray(a), b), want)
    assert_equal(forzium.matmul(np.repeat(a, 2, axis=1)[:, ::2], b), want)
    out = np.empty((m, n + 3), dtype)
    assert_equal(forzium.matmul(np.hstack([a, a])[:, :k], b, out=out[:, 1:-2]), want)


def test_random_reals():
    random = np.random.default_rng(0)
    for dtype in DTYPES:
        a, b = (random.standard_normal(shape).astype(dtype) for shape in ((90, 600), (600, 70)))
        assert_product(forzium.matmul(a, b), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_matrix_with_itself(dtype):
    a = np.random.default_rng(4).integers(-8, 9, (61, 61)).astype(dtype)
    for left, right in [(a, a), (a, a.T), (a[::-1], a[:, ::-1])]:
        assert_equal(forzium.matmul(left, right), (left.astype(int) @ right.astype(int)).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [3, 8, 25, 100])
def test_non_finite_values_reach_their_row_and_column_only(dtype, value, side):
    """The zeros that fill a tile's unused lanes meet no infinity."""
    for row, column in [(0, 0), (side - 1, side - 1), (side // 2, 0)]:
        a, b = np.full((side, side), 2, dtype), np.full((side, side), 3, dtype)
        a[row, column] = value
        want = np.full((side, side), 6 * side, dtype)
        want[row] = value
        assert_equal(forzium.matmul(a, b), want)
        assert_equal(forzium.matmul(b, np.ascontiguousarray(a.T)), np.ascontiguousarray(want.T))


def test_infinity_times_zero_is_nan():
    a, b = np.array([[np.inf, 1.0]]), np.array([[0.0, 5.0], [2.0, np.inf]])
    np.testing.assert_array_equal(forzium.matmul(a, b), [[np.nan, np.inf]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_and_inner_dimension_zero(dtype):
    for m, k, n in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)]:
        assert_equal(forzium.matmul(np.ones((m, k), dtype), np.ones((k, n), dtype)), np.zeros((m, n), dtype))
    out = np.full((3, 4), np.nan, dtype)
    forzium.matmul(np.ones((3, 0), dtype), np.ones((0, 4), dtype), out=out)
    assert_equal(out, np.zeros((3, 4), dtype))


def test_out_holding_nan_is_overwritten():
    a = np.arange(30.0 * 30).reshape(30, 30)
    out = np.full((30, 30), np.nan)
    assert_equal(forzium.matmul(a, a, out), a @ a)


def test_lists_keywords_and_byte_orders():
    a, b = [[1, 2], [3, 4]], [[5, 6], [7, 8]]
    want = np.array([[19.0, 22.0], [43.0, 50.0]])
    assert_equal(forzium.matmul(a, b), want.astype(int))
    assert_equal(forzium.matmul(a=np.array(a, float), b=b, out=None), want)
    assert_equal(forzium.matmul(np.array(a, ">f8"), np.array(b, "<f8")), want)


@pytest.mark.parametrize("window", [np.s_[:8, :8], np.s_[4:, 4:], np.s_[7::-1, :8]])
def test_overlapping_out_is_refused_or_as_with_copies(window):
    memory = awkward_values(3, (12, 12), "float64", share_special=0)
    before = memory.copy()
    other = np.eye(8) * 2
    for arguments in ((memory[:8, :8], other), (other, memory[:8, :8])):
        memory[...] = before
        _, error = outcome(lambda arguments=arguments: forzium.matmul(*arguments, out=memory[window]))
        if error is None:
            np.testing.assert_array_equal(memory[window], before[:8, :8] * 2)
        else:
            assert isinstance(error, ValueError)
            assert "out" in str(error)
            np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((2, 3), (2, 3), r"\(2, 3\).*\(2, 3\)"),
        ((2, 3), (4, 3), r"\(2, 3\).*\(4, 3\)"),
        ((0, 3), (0, 3), r"\(0, 3\)"),
    ],
)
def test_shapes_that_do_not_fit(a, b, words):
    out = np.full((2, 3), 7.0)
    with pytest.raises(ValueError, match=rf"matmul.*{words}"):
        forzium.matmul(np.ones(a), np.ones(b), out=out)
    assert np.all(out == 7)


SHAPES = [
    *[((3,), (3, 4)), ((3, 4), (4,)), ((3,), (3,)), ((0,), (0,)), ((0,), (0, 2)), ((70,), (70, 50))],
    *[((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((6, 3, 4), (6, 4, 5)), ((6, 3, 4), (1, 4, 5))],
    *[
        ((2, 1, 3, 4), (5, 4, 2)),
        ((2, 3, 4), (4,)),
        ((4,), (2, 4, 3)),
        ((0, 3, 4), (4, 5)),
        ((2, 0, 4), (4, 1)),
    ],
    *[
        ((7, 1, 40), (40, 9)),
        ((5, 4, 30, 20), (5, 1, 20, 31)),
        ((300, 2, 3), (300, 3, 2)),
        ((3, 90, 70), (3, 70, 80)),
    ],
]


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8", "float16"])
def test_vectors_and_stacks(a, b, dtype):
    random = np.random.default_rng(len(a))
    left, right = (random.integers(-3, 4, shape).astype(dtype) for shape in (a, b))
    want = np.matmul(left.astype(np.int64), right.astype(np.int64)).astype(dtype)
    assert_equal(forzium.matmul(left, right), want)
    if want.ndim:
        out = np.full(want.shape[::-1], 99, dtype).T
        assert forzium.matmul(left, right, out=out) is out
        assert_equal(out, want)


@given(data=st.data(), dtype=dtypes | st.sampled_from(["int16", "int64", "uint32"]))
def test_stacks_of_any_layout(data, dtype):
    """Broadcast, transposed, reversed: what NumPy makes of copies."""
    side = st.integers(0, 6)
    m, k, n = data.draw(side), data.draw(side), data.draw(side)
    stack = data.draw(st.lists(st.integers(0, 4), max_size=3))
    shapes = []
    for _ in range(2):
        kept = stack[data.draw(st.integers(0, len(stack))) :]
        shapes.append([1 if data.draw(st.integers(0, 3)) == 0 else length for length in kept])
    a = data.draw(integer_arrays((*shapes[0], m, k), dtype))
    b = data.draw(integer_arrays((*shapes[1], k, n), dtype))
    want = np.matmul(a.astype(np.int64), b.astype(np.int64)).astype(dtype)
    assert_equal(forzium.matmul(a, b), want)
    layout = data.draw(layouts(want.shape))
    (got, got_memory), (expected, memory) = layout.allocate(dtype), layout.allocate(dtype)
    forzium.matmul(a, b, out=got)
    expected[...] = want
    got += np.zeros((), dtype)
    np.testing.assert_array_equal(got_memory, memory)


INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


@pytest.mark.parametrize("b_dtype", ["bool", *INTEGERS, "float16", "float32", "float64"])
@pytest.mark.parametrize("a_dtype", ["bool", *INTEGERS, "float16", "float32", "float64"])
def test_dtypes_promote_as_numpys(a_dtype, b_dtype):
    random = np.random.default_rng(7)
    a, b = (
        random.integers(0, 3, shape).astype(dtype) for shape, dtype in (((5, 9), a_dtype), ((9, 30), b_dtype))
    )
    assert_equal(forzium.matmul(a, b), np.matmul(a, b))
    assert_equal(forzium.matmul(b.T, a.T), np.matmul(b.T, a.T))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(3, 4, 5), (40, 300, 70), (1, 50, 60), (60, 50, 1), (130, 600, 200)]
)
def test_integers_wrap(dtype, m, k, n):
    limits, random = np.iinfo(dtype), np.random.default_rng(m)
    a, b = (
        random.integers(limits.min, limits.max, shape, dtype, endpoint=True) for shape in ((m, k), (k, n))
    )
    with np.errstate(over="ignore"):
        assert_equal(forzium.matmul(a, b), np.matmul(a, b))


def test_bools_are_or_of_ands():
    random = np.random.default_rng(0)
    a, b = random.random((20, 300)) < 0.1, random.random((300, 50)) < 0.1
    assert_equal(forzium.matmul(a, b), a @ b)
    assert_equal(forzium.matmul(np.ones((2, 256), bool), np.ones((256, 2), bool)), np.ones((2, 2), bool))


def test_narrow_floats_are_rounded_once():
    random = np.random.default_rng(3)
    a, b = (random.standard_normal(shape).astype(np.float16) for shape in ((30, 700), (700, 50)))
    got = forzium.matmul(a, b)
    want = a.astype(np.float64) @ b.astype(np.float64)
    assert got.dtype == np.float16
    np.testing.assert_array_less(np.abs(got - want), np.abs(want) * 2.0**-11 + 1e-3)
    ones = np.ones((2, 4096), np.float16)
    assert_equal(forzium.matmul(ones, ones.T), np.full((2, 2), 4096, np.float16))


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    a, b = (np.arange(-6, 6).reshape(shape).astype(bfloat16) for shape in ((3, 4), (4, 3)))
    got = forzium.matmul(a, b)
    assert got.dtype == bfloat16
    np.testing.assert_array_equal(got.astype(float), a.astype(float) @ b.astype(float))


def test_out_is_of_a_kind_that_holds_the_result():
    a = np.arange(6).reshape(2, 3)
    out = np.empty((2, 2))
    assert_equal(forzium.matmul(a, a.T, out=out), (a @ a.T).astype(float))
    assert_equal(
        forzium.matmul(a.astype(float), a.T, out=np.empty((2, 2), "float32")), (a @ a.T).astype("float32")
    )
    out = np.full((2, 2), 7)
    with pytest.raises(TypeError, match=r"matmul: out .*int64.*float64"):
        forzium.matmul(a.astype(float), a.T, out=out)
    assert np.all(out == 7)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (50, 900, 70), (7, 30000, 9), (200, 30, 20)])
def test_out_over_an_input(dtype, m, k, n):
    random = np.random.default_rng(1)
    a, b = (random.integers(-8, 9, shape).astype(dtype) for shape in ((m, k), (k, n)))
    want = a @ b
    for x in (a, b):
        if x.size >= m * n:
            kept = x.copy()
            out = x.reshape(-1)[: m * n].reshape(m, n)
            assert_equal(forzium.matmul(a, b, out=out), want)
            x[...] = kept


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (100, 100, 100),
        (1, 400, 5000),
        (1, 100_000, 3),
        (20, 60_000, 30),
        (100, 20_000, 100),
        (50, 200, 4000),
        (2000, 50, 7),
        (9001, 30, 50),
        (7, 50, 2000),
        (6, 1023, 1111),
        (4, 1000, 1003),
        (530, 300, 330),
        (37, 700, 3111),
        (300, 700, 1),
    ],
)
def test_bits_do_not_depend_on_threads(m, k, n):
    random = np.random.default_rng(2)
    for dtype in DTYPES:
        a, b = (random.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
        stack = np.stack([a[:, :50]] * 9), b[:50]
        results = set()
        for _ in numbers_of_threads():
            results.add((forzium.matmul(a, b).tobytes(), forzium.matmul(*stack).tobytes()))
        assert len(results) == 1


# ---- packed matrices and layers ---------------------------------------------------------------------------


@given(
    data=st.data(), m=sides, k=sides, n=sides, dtype=dtypes | st.sampled_from(["int8", "int64", "float16"])
)
def test_packed(data, m, k, n, dtype):
    a, b = data.draw(integer_arrays((m, k), dtype)), data.draw(integer_arrays((k, n), dtype))
    want = (a.astype(np.int64) @ b.astype(np.int64)).astype(dtype)
    packed = forzium.pack(b)
    assert (packed.shape, packed.dtype) == (b.shape, b.dtype)
    b[...] = 0
    assert_equal(forzium.matmul(a, packed), want)
    assert_equal(forzium.matmul(np.stack([a, a]), packed), np.stack([want, want]))


def test_packed_matrices_of_another_dtype_or_shape():
    packed = forzium.pack(np.ones((3, 4), np.float32))
    with pytest.raises(TypeError, match=r"matmul: a is float64 and b was packed from float32"):
        forzium.matmul(np.ones((2, 3)), packed)
    with pytest.raises(ValueError, match=r"matmul: a is \(2, 4\) and b is \(3, 4\)"):
        forzium.matmul(np.ones((2, 4), np.float32), packed)
    with pytest.raises(ValueError, match=r"pack: b is \(3,\)"):
        forzium.pack(np.ones(3))
    with pytest.raises(TypeError, match=r"pack: b has dtype complex128"):
        forzium.pack(np.ones((3, 3), complex))
    with pytest.raises(TypeError):
        type(packed)()


ACTIVATIONS = ["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "softplus", "tanh"]


@pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 4), (2, 5, 4), (40, 700), (0, 4), (3, 0)])
def test_layer(activation, dtype, shape):
    random = np.random.default_rng(5)
    x = random.integers(-4, 5, shape).astype(dtype)
    weight = random.integers(-4, 5, (60, shape[-1])).astype(dtype)
    bias = random.integers(-4, 5, 60).astype(dtype)
    plain = (x.astype(np.int64) @ weight.T.astype(np.int64)).astype(dtype)
    apply = getattr(forzium, activation) if activation else lambda x: x
    assert_equal(forzium.linear(x, weight, bias, activation), apply(plain + bias))
    assert_equal(forzium.linear(x, weight, activation=activation), apply(plain))
    assert_equal(forzium.linear(x, forzium.pack(weight.T), bias[::-1], activation), apply(plain + bias[::-1]))
    out = np.empty((*plain.shape, 2), dtype)[..., 0]
    assert_equal(forzium.linear(x, weight, bias.astype(int), activation, out=out), apply(plain + bias))


def test_layer_to_one_feature():
    x, weight, bias = np.arange(12.0).reshape(4, 3), np.array([[1.0, -2.0, 0.5]]), np.array([100.0])
    assert_equal(forzium.linear(x, weight, bias), x @ weight.T + 100)


def test_layer_over_its_own_input():
    x, weight = np.arange(16.0).reshape(4, 4), np.arange(16.0).reshape(4, 4)
    want = x @ weight.T
    assert_equal(forzium.linear(x, weight, out=x), want)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (((2, 3), (4, 5)), ValueError, r"linear: x is \(2, 3\) and weight is \(4, 5\)"),
        (((2, 3), (3,)), ValueError, r"linear: weight is \(3,\)"),
        (((), (3, 3)), ValueError, r"linear: x is \(\)"),
        (((2, 3), (4, 3), (3,)), ValueError, r"linear: bias is \(3,\); \(4,\)"),
    ],
)
def test_layers_that_do_not_fit(arguments, kind, words):
    with pytest.raises(kind, match=words):
        forzium.linear(*map(np.ones, arguments))


def test_layers_refuse_other_activations_and_integers():
    x = np.ones((2, 2))
    with pytest.raises(ValueError, match="linear: activation is 'swish'; \"relu\""):
        forzium.linear(x, x, activation="swish")
    with pytest.raises(TypeError, match="linear: activation"):
        forzium.linear(x, x, activation=3)
    with pytest.raises(TypeError, match="linear: x is int64 and weight is int64"):
        forzium.linear(x.astype(int), x.astype(int))


@pytest.mark.parametrize(("a", "b"), [((), (3, 3)), ((3, 3), ()), ((4,), (3, 3)), ((3, 3), (4,))])
def test_ranks_that_do_not_fit(a, b):
    for function in (np.matmul, forzium.matmul):
        with pytest.raises(ValueError, match="matmul"):
            function(np.ones(a), np.ones(b))


def test_stacks_that_do_not_broadcast():
    with pytest.raises(
        ValueError, match=r"matmul: a is \(3, 2, 2\) and b is \(2, 2, 2\); but for the last two"
    ):
        forzium.matmul(np.ones((3, 2, 2)), np.ones((2, 2, 2)))


def test_sizes_that_overflow():
    huge = np.broadcast_to(np.float64(1), (2**40, 1))
    with pytest.raises((ValueError, MemoryError)):
        forzium.matmul(huge, huge.T)


# ---- stacks of small matrices ------------------------------------------------------------------------------


def small_stacks(random, count, side, dtype):
    """As one run, with gaps between matrices, rows or numbers, transposed, reversed, broadcast."""
    memory = random.integers(-8, 9, (2 * count, side + 3, 2 * side + 5)).astype(dtype)
    run = random.integers(-8, 9, (count, side, side)).astype(dtype)
    yield run
    yield run.transpose(0, 2, 1)
    yield random.integers(-8, 9, (count, side + 1, side)).astype(dtype)[:, :side]
    yield random.integers(-8, 9, (2 * count, side, side)).astype(dtype)[::2]
    yield memory[:count, 2 : side + 2, 3 : side + 3]
    yield memory[:count, :side, ::2][..., :side].transpose(0, 2, 1)
    yield run[::-1]
    yield run[:, ::-1]
    yield run[..., ::-1]
    yield run.transpose(1, 0, 2).copy().transpose(1, 0, 2)
    yield np.asfortranarray(run)
    yield np.broadcast_to(run[:1], run.shape)
    yield run[0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16"])
@pytest.mark.parametrize("side", [1, 3, 4, 8, 9, 16, 17, 48, 65])
def test_stacks_of_small_matrices_however_they_lie(dtype, side):
    random = np.random.default_rng(side)
    for count in (1, 2, min(side, 17)):
        stacks = list(small_stacks(random, count, side, dtype))
        for a in stacks:
            for b in stacks:
                want = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)
                assert_equal(forzium.matmul(a, b), want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("side", [4, 8, 9, 16])
def test_stacks_of_small_matrices_leave_gaps_of_out_alone(dtype, side):
    random = np.random.default_rng(side)
    a, b = random.integers(-8, 9, (2, 6, side, side)).astype(dtype)
    want = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)
    for place in (
        np.s_[:6, :side, :side],
        np.s_[::2, 1 : side + 1, 2 : side + 2],
        np.s_[5::-1, side::-1, : 2 * side : 2],
    ):
        got, expected = np.full((2, 12, side + 1, 2 * side + 2), 77, dtype)
        for axes in ((0, 1, 2), (0, 2, 1)):
            out = got[place][:, :side].transpose(axes)
            forzium.matmul(a, b, out=out)
            expected[place][:, :side].transpose(axes)[...] = want
            assert_equal(got, expected)


@pytest.mark.parametrize("weight", [(5, 3), (5,)])
def test_a_stack_backwards_into_an_out_backwards(weight):
    random = np.random.default_rng(5)
    stack, right = (random.integers(-8, 9, shape).astype(float) for shape in ((4, 2, 5), weight))
    for a in (stack[::-1], stack, np.broadcast_to(stack[0, 0], stack.shape)):
        want = a @ right
        memory = np.full((6, *want.shape[1:]), 77.0)
        out = memory[4:0:-1]
        assert forzium.matmul(a, right, out=out) is out
        assert_equal(out, want)
        assert np.all(memory[[0, 5]] == 77)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("side", [4, 8, 9, 16])
def test_stacks_of_small_matrices_have_the_same_bits_on_any_number_of_threads(dtype, side):
    random = np.random.default_rng(side)
    a, b = random.standard_normal((2, 700, side, side)).astype(dtype)
    far, results = np.repeat(b, 2, axis=0)[::2], set()
    for _ in numbers_of_threads():
        results.add((forzium.matmul(a, b).tobytes(), forzium.matmul(a, b[5]).tobytes()))
        assert_equal(forzium.matmul(a, far), forzium.matmul(a, b))
    assert len(results) == 1
    assert_product(forzium.matmul(a, b)[-1], a[-1], b[-1])


def test_no_byte_beyond_the_last_small_matrix_is_read_or_written(run_python):
    """The stacks end where memory does that may not be read."""
    run_python("""
        import ctypes, mmap
        import forzium, numpy as np

        def stack_at_the_end(count, side, dtype):
            step = count * side * side * np.dtype(dtype).itemsize
            size = -(-step // mmap.PAGESIZE) * mmap.PAGESIZE
            readable = np.frombuffer(mmap.mmap(-1, size + mmap.PAGESIZE), np.uint8, size)
            end = ctypes.c_void_p(readable.ctypes.data + size)
            assert ctypes.CDLL(None).mprotect(end, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
            stack = readable[size - step :].view(dtype).reshape(count, side, side)
            stack[...] = np.arange(stack.size).reshape(stack.shape) % 7
            return stack

        for dtype in "f", "d", "i4", "e":
            for side in range(1, 20):
                a, b, out = (stack_at_the_end(3, side, dtype) for _ in range(3))
                want = (a.astype("d") @ b.astype("d")).astype(dtype)
                for x, y, z in (a, b, out), (a[:1], b, out), (a, b[2], out), (a[::2], b[::2], out[::2]):
                    forzium.matmul(x, y, out=z)
                    assert (z == (x.astype("d") @ y.astype("d")).astype(dtype)).all()
                forzium.matmul(a.transpose(0, 2, 1), b.transpose(0, 2, 1), out=out.transpose(0, 2, 1))
                assert (out == (b.astype("d") @ a.astype("d")).astype(dtype)).all()
        """)

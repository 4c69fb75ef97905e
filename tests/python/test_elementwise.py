"""Every element-wise operation gives NumPy's bits, wherever its operands lie."""

import array
import math

import forzium
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from layouts import DTYPES, arrays, awkward_values, dtypes, layouts, seeds, shapes, special_values
from oracle import (
    BINARY,
    ELEMENTWISE,
    FULL_FLOATS,
    TO_BOOL,
    UNARY,
    assert_gives,
    assert_same,
    assert_same_values,
    outcome,
)

operations = pytest.mark.parametrize("name", ELEMENTWISE)
to_floats = pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name not in TO_BOOL])
binary_operations = pytest.mark.parametrize("name", BINARY)


def pair(name):
    """The operation and NumPy's."""
    return getattr(forzium, name), getattr(np, name)


@st.composite
def operands(draw, name, *, max_dims=4):
    """Inputs for the operation, of any dtypes and layouts, that broadcast together."""
    if name in UNARY:
        return [draw(arrays(draw(shapes(max_dims=max_dims)), draw(dtypes)))]
    together = draw(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=7, max_dims=max_dims))
    return [draw(arrays(shape, draw(dtypes))) for shape in together.input_shapes]


def test_the_table_holds_at_least_the_basic_operations():
    assert {"negative", "absolute", "sqrt", "square"} <= set(UNARY)
    assert {"add", "subtract", "multiply", "divide", "maximum", "minimum"} <= set(BINARY)


@operations
@given(data=st.data())
def test_gives_numpys_bits(name, data):
    operation, numpys = pair(name)
    inputs = data.draw(operands(name))
    assert_gives(name, operation(*inputs), numpys(*inputs))


@operations
@given(data=st.data())
def test_leaves_its_inputs_alone_and_returns_fresh_memory(name, data):
    inputs = data.draw(operands(name))
    before = [x.tobytes() for x in inputs]
    result = getattr(forzium, name)(*inputs)
    assert [x.tobytes() for x in inputs] == before
    assert not any(np.shares_memory(result, x) for x in inputs if isinstance(result, np.ndarray))


@operations
@given(data=st.data(), dtype=dtypes, extra=st.sampled_from([(), (1,), (3,), (2, 0)]))
def test_writes_out_of_any_layout_and_nothing_beside_it(name, data, dtype, extra):
    operation, numpys = pair(name)
    inputs = data.draw(operands(name, max_dims=3))
    layout = data.draw(layouts(extra + np.broadcast_shapes(*(x.shape for x in inputs))))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert operation(*inputs, out=got) is got
    numpys(*inputs, out=want, casting="same_kind")
    assert_gives(name, got, want)
    got[...] = want[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory)


@operations
def test_out_may_be_given_by_position_and_as_none(name):
    operation, numpys = pair(name)
    inputs = [np.arange(1.0, 6.0)] * numpys.nin
    out = np.empty_like(numpys(*inputs))
    assert operation(*inputs, out) is out
    assert_same(out, numpys(*inputs))
    assert_same(operation(*inputs, None), numpys(*inputs))
    assert_same(operation(*inputs, out=None, dtype=None), numpys(*inputs))


@st.composite
def windows(draw, rows, columns):
    """A function from a buffer of bytes to a (rows, columns) view of it: any dtype, start, order."""
    dtype, misalignment = draw(dtypes), draw(st.sampled_from([0, 0, 4, 1]))
    row, column = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    transposed = draw(st.booleans())
    down, right = draw(st.sampled_from([1, -1])), draw(st.sampled_from([1, -1]))

    def view(memory):
        sides = (columns, rows) if transposed else (rows, columns)
        whole = np.ndarray([side + 2 for side in sides], dtype, memory, misalignment)
        part = whole[row : row + sides[0], column : column + sides[1]][::down, ::right]
        return part.T if transposed else part

    return view


def holds_signalling_nan(x):
    """Bytes of other numbers can be one; NumPy's fmax takes it for a number in vectors only."""
    quiet = {4: 1 << 22, 8: 1 << 51}[x.itemsize]
    return bool(np.any(np.isnan(x) & (np.ascontiguousarray(x).view(f"u{x.itemsize}") & quiet == 0)))


@operations
@given(data=st.data(), seed=seeds, rows=st.integers(1, 6), columns=st.integers(1, 20))
def test_overlapping_out_gets_the_result_copies_would_give(name, data, seed, rows, columns):
    operation, numpys = pair(name)
    views = [data.draw(windows(rows, columns)) for _ in range(numpys.nin + 1)]
    values = awkward_values(seed, (rows + 2) * (columns + 2) + 1, "float64")
    ours, theirs = values.copy().view(np.uint8), values.copy().view(np.uint8)

    *inputs, got = [view(ours) for view in views]
    assume(name not in ("fmax", "fmin") or not any(map(holds_signalling_nan, inputs)))
    operation(*inputs, out=got)
    *inputs, want = [view(theirs) for view in views]
    numpys(*[x.copy() for x in inputs], out=want, casting="same_kind")

    assert_gives(name, got, want)
    got[...] = want[...] = 0
    np.testing.assert_array_equal(ours, theirs)


@operations
@pytest.mark.parametrize("shift", [-70000, -513, -8, -1, 0, 1, 7, 64, 70000])
def test_long_overlaps(name, shift):
    """As above where the work is split over blocks and threads."""
    operation, numpys = pair(name)
    count, start = 300_000, 70_000
    memory = awkward_values(shift % 99, count + 2 * start, "float64")
    ours, theirs = memory.copy(), memory.copy()
    x, out = slice(start, start + count), slice(start + shift, start + shift + count)
    operation(*[ours[x]] * numpys.nin, out=ours[out])
    theirs[out] = numpys(*[memory[x]] * numpys.nin)
    assert_same(ours, theirs)


@operations
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_pair_of_special_values(name, dtype):
    operation, numpys = pair(name)
    special = special_values(dtype)
    inputs = [x.ravel() for x in np.meshgrid(*[special] * numpys.nin)]
    assert_gives(name, operation(*inputs), numpys(*inputs))


@operations
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", [1, -1, 2])
def test_every_length_up_to_four_vectors(name, dtype, step):
    operation, numpys = pair(name)
    values = awkward_values(7, (numpys.nin, 160), dtype)
    for start in (0, 1):
        for length in range(70):
            inputs = [row[start : start + abs(step) * length : 1][::step] for row in values]
            assert_gives(name, operation(*inputs), numpys(*inputs))


@operations
@pytest.mark.parametrize("dtype", DTYPES)
def test_long_arrays(name, dtype):
    """Long enough to be split: contiguous, in place, by columns, against a row and a column."""
    operation, numpys = pair(name)
    values = awkward_values(3, (numpys.nin, 1003, 701), dtype)
    assert_gives(name, operation(*values), numpys(*values))
    assert_gives(name, operation(*values.swapaxes(1, 2)), numpys(*values.swapaxes(1, 2)))
    if numpys.nin == 2:
        whole, row, column = values[0], values[1, :1], values[1, :, :1]
        for inputs in [(whole, row), (row, whole), (whole, column), (column, whole), (row, column)]:
            assert_gives(name, operation(*inputs), numpys(*inputs))
    want = numpys(*values).astype(dtype)
    operation(*values, out=values[0])
    assert_gives(name, values[0], want)


@pytest.mark.parametrize(
    "shape", [(1000, 130), (7, 100, 211), (41, 500), (40_000, 3), (5, 9, 1, 1500), (2, 40_000)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("threads", [1, 3])
def test_rows_columns_and_planes_are_broadcast(shape, dtype, threads):
    """Every choice of axes along which either input stands still, on ranges that begin within a row."""
    forzium.set_num_threads(threads)
    random = np.random.default_rng(1)
    out = np.empty(shape, dtype)
    for kept in np.ndindex(*[2] * len(shape)):
        x = random.integers(1, 100, shape).astype(dtype)
        few = [length if keep else 1 for length, keep in zip(shape, kept, strict=True)]
        y = random.integers(1, 100, few).astype(dtype)
        for left, right in ((x, y), (y, x)):
            forzium.subtract(left, right, out=out)
            np.testing.assert_array_equal(out, np.subtract(left, right))
            np.testing.assert_array_equal(forzium.less(left, right), np.less(left, right))
        np.testing.assert_array_equal(forzium.where(y > 50, x, y), np.where(y > 50, x, y))


@st.composite
def spreads(draw, shape, dtype):
    """All of an array, its last axes (a row), its first ones (a column) or one number; some with steps."""
    split = draw(st.integers(1, len(shape) - 1))
    ones = (1,) * len(shape)
    choices = [shape, shape[split:], ones[:split] + shape[split:], shape[:split] + ones[split:], ones]
    own = draw(st.sampled_from(choices))
    steps = tuple(slice(None, None, draw(st.sampled_from([1, 1, 1, 1, -1, 2]))) for _ in own)
    stored = np.random.default_rng(draw(seeds)).integers(0, 100, [2 * length for length in own]).astype(dtype)
    view = stored[tuple(slice(length * abs(step.step)) for length, step in zip(own, steps, strict=True))][
        steps
    ]
    return view if draw(st.booleans()) else np.ascontiguousarray(view).reshape(view.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64"])
@given(data=st.data())
def test_rows_and_columns_of_every_length(dtype, data):
    shape = data.draw(shapes(2, 3).filter(lambda shape: math.prod(shape) < 6000))
    x, y = data.draw(spreads(shape, dtype)), data.draw(spreads(shape, dtype))
    whole = np.random.default_rng(data.draw(seeds)).integers(0, 100, shape).astype(dtype)
    chosen = whole > 50
    for left, right in ((x, y), (whole, y), (x, whole)):
        assert_same(forzium.subtract(left, right), np.subtract(left, right))
        assert_same(forzium.less(left, right), np.less(left, right))
    assert_same(forzium.where(chosen, x, y), np.where(chosen, x, y))
    assert_same(forzium.clip(whole, x, y), np.clip(whole, x, y))
    for row in (y, whole[:1], whole[:, -1:]):  # the last two lie within out
        want = np.subtract(whole, row)
        forzium.subtract(whole, row, out=whole)
        assert_same(whole, want)


@operations
def test_as_many_axes_as_numpy_has(name):
    operation, numpys = pair(name)
    many = np.full((1,) * 30 + (2,) * 4 + (1,) * 30, 3.0)
    assert_same(operation(*[many] * numpys.nin), numpys(*[many] * numpys.nin))
    uneven = awkward_values(1, (4,) * 8, "float32")[::2, 1:, ::-1, :2, ::2, 1:3, :, ::3]
    inputs = [uneven] * numpys.nin
    assert_same(operation(*inputs), numpys(*inputs))


# ---- dtypes ------------------------------------------------------------------------------------


@to_floats
@given(
    dtype=st.sampled_from(
        ["float32", "float64", "f4", "d", np.float32, np.float64, float, np.dtype("float32")]
    ),
    data=st.data(),
)
def test_dtype_argument(name, dtype, data):
    operation, numpys = pair(name)
    inputs = data.draw(operands(name, max_dims=2))
    assert_gives(
        name,
        operation(*inputs, dtype=dtype),
        numpys(*inputs, dtype=dtype, casting="same_kind"),
    )


@to_floats
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("out_dtype", DTYPES)
def test_dtype_argument_with_out(name, dtype, out_dtype):
    operation, numpys = pair(name)
    inputs = [awkward_values(seed, (9, 31), "float64") for seed in range(numpys.nin)]
    got, want = np.empty((9, 31), out_dtype), np.empty((9, 31), out_dtype)
    assert operation(*inputs, out=got, dtype=dtype) is got
    numpys(*inputs, out=want, dtype=dtype)
    assert_gives(name, got, want)


@operations
@given(data=st.data())
def test_byte_swapped_inputs(name, data):
    operation, numpys = pair(name)
    inputs = data.draw(operands(name, max_dims=3))
    for swapped in ([True, False], [False, True], [True, True]):
        given_ = [
            x.astype(x.dtype.newbyteorder()) if swap else x for x, swap in zip(inputs, swapped, strict=False)
        ]
        assert_gives(name, operation(*given_), numpys(*given_))


@operations
def test_byte_swapped_out_is_numpys_result_or_refused(name):
    operation, numpys = pair(name)
    inputs = [np.arange(1.0, 9.0)] * numpys.nin
    out = np.full(8, 7.0).astype(np.dtype(float).newbyteorder())
    _, error = outcome(lambda: operation(*inputs, out=out))
    if error is None:
        np.testing.assert_array_equal(out, numpys(*inputs))
    else:
        assert isinstance(error, TypeError)
        assert "out" in str(error)
        np.testing.assert_array_equal(out, np.full(8, 7.0))


# ---- scalars -----------------------------------------------------------------------------------

SCALARS = [
    2.5, -0.0, float("nan"), float("inf"), 1e300, 1e-300, 0.1, 3, -(2**24) - 1, 2**53 + 1, 10**30, True,
    False, np.float32(0.1), np.float64(0.1), np.array(0.1), np.array(0.1, np.float32),
]  # fmt: skip


@binary_operations
@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (33,), (0,), (3, 1, 5)])
def test_scalars_on_either_side(name, scalar, dtype, shape):
    """Python's numbers take the array's dtype; NumPy's scalars and 0-d arrays keep their own."""
    operation, numpys = pair(name)
    if name.startswith("logical") and isinstance(scalar, int) and scalar == 10**30:
        scalar = 1e30  # NumPy fails to convert the integer
    x = awkward_values(5, shape, dtype)
    assert_gives(name, operation(x, scalar), numpys(x, scalar))
    assert_gives(name, operation(scalar, x), numpys(scalar, x))
    if name not in TO_BOOL:
        assert_same(
            operation(x, scalar, dtype="float32"), numpys(x, scalar, dtype="float32", casting="same_kind")
        )


@operations
@pytest.mark.parametrize("scalar", [0.1, float("nan"), -0.0, np.float32(0.1), np.float64(0.1)], ids=repr)
def test_only_scalars(name, scalar):
    operation, numpys = pair(name)
    inputs = [scalar] * numpys.nin
    assert_gives(name, operation(*inputs), numpys(*inputs))
    out, want = np.empty((2, 3), np.float32), np.empty((2, 3), np.float32)
    operation(*inputs, out=out)
    assert_gives(name, out, numpys(*inputs, out=want))


@operations
@pytest.mark.parametrize("scalar", [3, -(2**40), True])
def test_only_python_integers(name, scalar):
    operation, numpys = pair(name)
    got, error = outcome(lambda: operation(*[scalar] * numpys.nin))
    want, numpys_error = outcome(lambda: numpys(*[scalar] * numpys.nin))
    if numpys_error is None and not (name in FULL_FLOATS and want.dtype == np.float16):
        assert_gives(name, got, want)
    else:
        assert isinstance(error, TypeError)


class FloatSubclass(float):
    pass


class IntSubclass(int):
    pass


@pytest.mark.parametrize("scalar", [FloatSubclass(0.1), IntSubclass(3)], ids=repr)
def test_subclasses_of_pythons_numbers(scalar):
    x = np.ones(5, np.float32)
    assert_same_values(np.asarray(forzium.add(x, scalar)).astype(float), (x + scalar).astype(float))


@pytest.mark.parametrize("number", [-1, 300, 2049, 2051, 70000, -70000])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_numbers_are_rounded_to_the_float16_that_integers_become(dtype, number):
    x = np.array([0, 1, 2, 100]).astype(dtype)
    for name in ("hypot", "copysign"):
        operation, numpys = pair(name)
        assert_gives(name, operation(x, number), numpys(x, number))
        assert_gives(name, operation(number, x), numpys(number, x))
    if number == 70000:
        assert not forzium.arctan2(x, number).any()


@pytest.mark.parametrize("number", [2049, 70000])
def test_bools_and_numpys_scalars_leave_numbers_as_they_are(number):
    for x, k in ((np.array([True, False]), number), (np.arange(3, dtype=np.uint8), np.int64(number))):
        assert_same(forzium.copysign(k, x), np.copysign(k, x))


# ---- what is not an ndarray --------------------------------------------------------------------


class ArrayInterface:
    """An array that only says where its memory is."""

    def __init__(self, values):
        self.__array_interface__ = dict(values.__array_interface__)
        self.keep = values


class DLPackExporter:
    """An array that only speaks DLPack."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class OldDLPackExporter(DLPackExporter):
    """DLPack before versions: no keywords but stream."""

    def __dlpack__(self, stream=None):
        return self.values.__dlpack__()


ARRAY_LIKES = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(map(tuple, x.tolist())),
    "list of tuples": lambda x: [tuple(row) for row in x.tolist()],
    "memoryview": lambda x: memoryview(np.ascontiguousarray(x)),
    "strided memoryview": memoryview,
    "read-only memoryview": lambda x: memoryview(np.ascontiguousarray(x)).toreadonly(),
    "array interface": ArrayInterface,
    "DLPack": DLPackExporter,
    "DLPack without versions": OldDLPackExporter,
}


@pytest.mark.parametrize("kind", ARRAY_LIKES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("view", ["x", "x[::-1]", "x[:, ::2]", "x.T"])
def test_array_likes(kind, dtype, view):
    x = eval(view, {"x": awkward_values(11, (6, 8), dtype)})
    like = ARRAY_LIKES[kind](x)
    as_numpy = x.astype(np.float64) if "list" in kind or kind == "tuple" else x
    assert_same(forzium.multiply(like, 3.0), np.multiply(as_numpy, 3.0))
    assert_same(forzium.absolute(like), np.absolute(as_numpy))
    assert_same(forzium.subtract(x, like), np.subtract(x, as_numpy))


@pytest.mark.parametrize("code", ["f", "d"])
def test_arrays_of_the_standard_library(code):
    x = array.array(code, [0.1, -0.0, 1e30, float("inf")])
    assert_same(forzium.add(x, x), np.add(np.asarray(x), np.asarray(x)))
    assert_same(forzium.square(memoryview(x)[::-2]), np.square(np.asarray(x)[::-2]))
    empty = array.array(code)
    assert_same(forzium.square(empty), np.square(np.asarray(empty)))


@pytest.mark.parametrize(
    "values",
    [
        [],
        [[]],
        [[], []],
        [1, 2, 3],
        [True, 2, 3.5],
        [[1], [2]],
        (1.5, 2),
        [[[1, 2], [3, 4]]],
        [-0.0, 1e-320],
        [2**53 + 1],
        [2**63, -1],
        [2**64],
        [10**30, 1.5],
        [np.float64(0.1), 2],
        [FloatSubclass(0.1), IntSubclass(2)],
    ],
    ids=repr,
)
def test_nested_sequences_are_what_numpy_makes_of_them(values):
    as_numpy = np.array(values)
    if as_numpy.dtype == object:  # integers of more than 64 bits
        as_numpy = as_numpy.astype(np.float64)
    assert_same(forzium.square(values), np.square(as_numpy))
    assert_same(forzium.add(values, 1), np.add(as_numpy, 1))
    assert_same(forzium.add(1.0, values), np.add(1.0, as_numpy))
    assert_same(forzium.add(values, np.float32(1)), np.add(as_numpy, np.float32(1)))


def test_array_likes_of_other_packages():
    torch = pytest.importorskip("torch")
    x = torch.arange(24, dtype=torch.float32).reshape(4, 6) - 7
    for tensor in (x, x.T, x[:, ::2], x.double()):
        assert_same_values(forzium.square(tensor), np.square(tensor.numpy()))
        assert_same_values(forzium.add(tensor, np.float64(0.1)), np.add(tensor.numpy(), np.float64(0.1)))


def test_memory_is_read_through_the_buffer_not_copied_before():
    """An exporter's memory and out may be one and the same."""
    x = np.arange(1000.0)
    forzium.multiply(memoryview(x), 2.0, out=x)
    forzium.multiply(ArrayInterface(x), 2.0, out=x)
    forzium.multiply(DLPackExporter(x), 2.0, out=x)
    np.testing.assert_array_equal(x, np.arange(1000.0) * 8)


def test_read_only_and_memory_mapped_inputs(tmp_path):
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(10, 10))
    mapped[...] = np.arange(100).reshape(10, 10)
    forzium.sqrt(mapped, out=mapped)
    np.testing.assert_array_equal(mapped, np.sqrt(np.arange(100).reshape(10, 10)))
    mapped.flags.writeable = False
    assert_same_values(forzium.negative(mapped), -np.asarray(mapped))


def dividends(dtype):
    """Quotients near whole numbers, of every size and sign; then any bits at all; then ordinary numbers by
    infinity, and quotients too small for the dtype, more at once than any vector holds."""
    random = np.random.default_rng(3)
    divisor = random.standard_normal(4000).astype(dtype) * np.exp2(random.integers(-60, 60, 4000)).astype(
        dtype
    )
    whole = np.rint(np.exp2(random.uniform(-1, 56, 4000))) * random.choice([-1, 1], 4000)
    near = np.nextafter(
        divisor * whole.astype(dtype), random.choice([-np.inf, 0, np.inf], 4000).astype(dtype)
    )
    word = np.dtype(f"u{np.dtype(dtype).itemsize}")
    x, y = random.integers(0, np.iinfo(word).max, (2, 4000), word, endpoint=True).view(dtype)
    special = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-38, 0.3, 0.1, -0.1], dtype)
    a, b = (m.ravel() for m in np.meshgrid(special, special))
    usual = random.uniform(0.5, 2, 256).astype(dtype) * np.tile(np.array([1, 1, -1, -1], dtype), 64)
    infinite = np.tile(np.array([np.inf, -np.inf], dtype), 128)
    smallest, largest = np.finfo(dtype).smallest_normal * usual, np.finfo(dtype).max * np.sign(infinite)
    return (
        np.concatenate([near, x, a, usual, smallest]),
        np.concatenate([divisor, y, b, infinite, largest]),
    )


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_division_with_a_remainder_has_numpys_bits(name, dtype):
    x, y = dividends(dtype)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x, y)
    got = getattr(forzium, name)(x, y)
    np.testing.assert_array_equal(got, want)
    number = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number])


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_neighbours_of_any_bits_are_numpys(dtype):
    """Among them both zeros, subnormals, the largest numbers, infinities, NaN, and neighbours of them."""
    word, random = np.dtype(f"u{np.dtype(dtype).itemsize}"), np.random.default_rng(6)
    special = special_values(dtype)
    up, down = (np.nextafter(special, np.full_like(special, to)) for to in (np.inf, -np.inf))
    x, y = (m.ravel() for m in np.meshgrid(*[np.concatenate([special, up, down])] * 2))
    any_bits = random.integers(0, np.iinfo(word).max, (2, 5000), word, endpoint=True).view(dtype)
    for a, b in ((x, y), any_bits, (any_bits[0], any_bits[0]), (any_bits[0], -any_bits[0])):
        want, got = np.nextafter(a, b), forzium.nextafter(a, b)
        number = ~np.isnan(want)
        np.testing.assert_array_equal(got.view(word)[number], want.view(word)[number])
        assert np.isnan(got[~number]).all()
        np.testing.assert_array_equal(forzium.evaluate("nextafter(a, b)"), want)


@pytest.mark.parametrize("n", [1, 8, 100, 1000, 9000, 20000])
@pytest.mark.parametrize("name", ["add", "negative", "less", "where", "clip", "power"])
def test_narrow_floats_at_every_length(name, n):
    x = np.linspace(-30, 40, n).astype(np.float16)
    inputs = {"negative": (x,), "where": (x > 0, x, x[::-1].copy()), "clip": (x, x[::-1].copy(), x)}
    inputs = inputs.get(name, (abs(x), x[::-1].copy() / 8))
    got = getattr(forzium, name)(*inputs)
    want = getattr(forzium, name)(*[v.astype("f") if v.dtype == "e" else v for v in inputs])
    assert got.dtype == ("?" if name == "less" else "e")
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got, want.astype(got.dtype))


@pytest.mark.parametrize("n", [3, 17, 600])
@pytest.mark.parametrize("name", ["add", "less", "maximum"])
def test_rows_and_columns_of_narrow_floats(name, n):
    x = np.random.default_rng(n).standard_normal((5, n)).astype(np.float16)
    for y in (x[0].copy(), x[:, :1].copy()):
        for a, b in ((x, y), (y, x)):
            want = getattr(np, name)(a.astype("f"), b.astype("f"))
            assert_same(getattr(forzium, name)(a, b), want.astype("?" if name == "less" else "e"))


@pytest.mark.parametrize("n", [1, 7, 16, 33, 1000, 30003])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_on_all_bits_of_float16(name, n):
    random = np.random.default_rng(n)
    x, y = random.integers(0, 65536, (2, 3, n), dtype=np.uint16).view(np.float16)
    for a, b in (
        (x, y),
        (x[:, 1:], y[:, :-1]),
        (x[:, ::2], y[:, ::2]),
        (x, y[:1]),
        (y[:, :1], x),
        (x, y[0, 0]),
    ):
        with np.errstate(all="ignore"):
            assert_same(getattr(forzium, name)(a, b), getattr(np, name)(a, b))
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x, x)
        assert_same(getattr(forzium, name)(x, x, out=x), want)


def test_keywords_of_any_alphabet_are_named():
    with pytest.raises(TypeError, match="unexpected keyword argument 'öut'"):
        forzium.add(1.0, 2, **{"öut": np.empty(())})


def roots_modulo_power_of_two(c, bits):
    """All m below 2**bits whose squares are c modulo 2**bits, for c that is 1 modulo 8 (Hensel)."""
    roots = [1, 3, 5, 7]
    for k in range(3, bits):
        candidates = {m + more for m in roots for more in (0, 1 << k)}
        roots = [m for m in candidates if (m * m - c) % (1 << k + 1) == 0]
    return roots


def test_the_hardest_square_roots_are_rounded_right():
    """Of what misses by least, c / 4, the square of a middle of two numbers, m / 2 for odd m of 54 bits."""
    hard = [
        float((m * m - c) >> bits) * 2.0 ** (bits % 2)
        for c in range(-799, 800, 8)
        for bits in (54, 55)
        for root in roots_modulo_power_of_two(c, bits)
        for m in range(root, 1 << 54, 1 << bits)
        if m >> 53 and (m * m - c) >> (bits + 52) == 1
    ]
    assert len(hard) > 100
    for power in (0, 900, -100, -900, -1060):
        x = np.ldexp(np.resize(hard, 1000), power)
        assert_same(forzium.sqrt(x), np.sqrt(x))


def test_square_roots_of_all_significands_of_float32():
    x = np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32)  # from 1 to 4
    np.testing.assert_array_equal(forzium.sqrt(x), np.sqrt(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_square_roots_beside_numbers_without_one_are_the_same(dtype):
    limits, zero = np.finfo(dtype), dtype(0)
    edges = [dtype(2.0**power) for power in (-70, 70, *((-900, 900) if dtype is np.float64 else ()))]
    others = [zero, -zero, dtype(-1), dtype(np.inf), dtype(-np.inf), dtype(np.nan), limits.max, limits.tiny]
    others += [step for edge in edges for step in (np.nextafter(edge, zero), edge)]
    others += [limits.smallest_subnormal, -limits.smallest_subnormal]
    x = np.random.default_rng(0).uniform(1, 100, 1000).astype(dtype)
    for lane, other in enumerate(others):
        x[lane::13] = other
        with np.errstate(invalid="ignore"):
            assert_same(forzium.sqrt(x), np.sqrt(x))

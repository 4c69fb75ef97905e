"""transpose copies elements unchanged to permuted axes."""

import forzium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import DTYPES, arrays, awkward_values, dtypes, layouts, shapes
from oracle import numbers_of_threads, outcome


def assert_same_bytes(got, want):
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    assert got.tobytes() == want.tobytes()


def permutations(ndim):
    """None, or each axis once, counted from either end."""
    forms = st.permutations(range(ndim)).flatmap(
        lambda axes: st.tuples(*(st.sampled_from([axis, axis - ndim]) for axis in axes))
    )
    return st.none() | forms | forms.map(list)


@given(data=st.data(), dtype=dtypes)
def test_is_numpys_transpose_in_memory_of_its_own(data, dtype):
    x = data.draw(arrays(data.draw(shapes(max_dims=5)), dtype))
    axes = data.draw(permutations(x.ndim))
    got = forzium.transpose(x, axes)
    assert_same_bytes(np.asarray(got), np.transpose(x, axes))
    assert not np.shares_memory(got, x)


@given(data=st.data(), dtype=dtypes)
def test_writes_out_of_any_layout_and_nothing_beside_it(data, dtype):
    x = data.draw(arrays(data.draw(shapes(max_dims=4)), dtype))
    axes = data.draw(permutations(x.ndim))
    layout = data.draw(layouts(np.transpose(x, axes).shape))
    (got, got_memory), (want, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.transpose(x, axes, out=got) is got
    want[...] = np.transpose(x, axes)
    assert got_memory.tobytes() == want_memory.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_of_nans_survive(dtype):
    """It is a copy: payloads and signalling NaNs are nobody's business."""
    bits = np.random.default_rng(0).integers(0, 256, 64 * 48 * 8, np.uint8)
    x = bits.view(dtype).reshape(64, -1)
    assert_same_bytes(forzium.transpose(x), x.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1003, 777), (3, 100_001), (100_001, 3), (1, 4097), (2048, 512), (61, 67, 129)]
)
def test_large(dtype, shape):
    x = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    for axes in (None, *([(0, 2, 1), (1, 0, 2), (1, 2, 0)] if len(shape) == 3 else [])):
        assert_same_bytes(forzium.transpose(x, axes), np.transpose(x, axes))


@pytest.mark.parametrize("dtype", [*DTYPES, "int32"])
@pytest.mark.parametrize(("columns", "multiple"), [(16, 16), (1000, 16), (1031, 16), (1031, 1024)])
@pytest.mark.parametrize("first", [0, 1, 5, 16, 33, 64])  # bytes
def test_beyond_the_caches_at_any_place_of_a_line(dtype, columns, multiple, first):
    """There lines are written past the caches, where the rows of the output are whole ones."""
    beyond = forzium.info()["cache_bytes"]["l3"] // np.dtype(dtype).itemsize // 2 // columns
    rows = (beyond // multiple + 1) * multiple
    x = np.arange(rows * columns, dtype=dtype).reshape(rows, columns)
    memory = np.full(x.nbytes + 256, 0xA5, np.uint8)
    begin = -memory.ctypes.data % 64 + first
    out = memory[begin : begin + x.nbytes].view(dtype).reshape(columns, rows)
    assert_same_bytes(forzium.transpose(x, out=out), x.T)
    assert np.all(memory[:begin] == 0xA5)
    assert np.all(memory[begin + x.nbytes :] == 0xA5)


def test_small_stacks_wake_no_thread():
    forzium.add(np.ones(10), 1.0)
    forzium.thread_pool_metrics(reset=True)
    x = np.arange(8 * 3 * 5.0).reshape(8, 3, 5)
    assert_same_bytes(forzium.transpose(x, (0, 2, 1)), x.transpose(0, 2, 1))
    assert forzium.thread_pool_metrics()["total_tasks_started"] == 0


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", range(1, 10))
@pytest.mark.parametrize("pixels", [1, 2, 15, 16, 17, 31, 33, 48, 10_007])
def test_channels_of_pixels(dtype, channels, pixels):
    bits = np.random.default_rng(pixels).integers(0, 256, channels * pixels * 8, np.uint8).view(dtype)
    for shape in ((channels, pixels), (pixels, channels)):
        x = bits[: channels * pixels].reshape(shape)
        assert_same_bytes(forzium.transpose(x), x.T)
        wide = np.zeros((*shape[::-1], 2), dtype)[..., 0]
        assert_same_bytes(forzium.transpose(x, out=wide), x.T)
        stack = np.stack([x, x[::-1]])
        assert_same_bytes(forzium.transpose(stack, (0, 2, 1)), stack.transpose(0, 2, 1))


def test_every_small_matrix():
    whole = np.arange(40.0 * 40).reshape(40, 40)
    for rows in range(0, 40):
        for columns in (0, 1, 3, 7, 8, 9, 17, 33, 40):
            assert_same_bytes(forzium.transpose(whole[:rows, :columns]), whole[:rows, :columns].T)


def test_lists_scalars_and_other_byte_orders():
    assert_same_bytes(forzium.transpose([[1, 2, 3], [4, 5, 6]]), np.array([[1, 4], [2, 5], [3, 6]]))
    assert forzium.transpose(np.array(2.5)) == 2.5
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(forzium.transpose(x.astype(x.dtype.newbyteorder())), x.T)


@pytest.mark.parametrize("window", [np.s_[:8, :8], np.s_[2:, :8], np.s_[:8, 1:9]])
def test_overlapping_out_is_refused_or_as_with_copies(window):
    memory = awkward_values(1, (10, 10), "float64")
    before = memory.copy()
    x, out = memory[:8, :8], memory[window]
    _, error = outcome(lambda: forzium.transpose(x, out=out))
    if error is None:
        assert_same_bytes(out, before[:8, :8].T)
    else:
        assert isinstance(error, ValueError)
        assert "transpose" in str(error)
        assert memory.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    ("axes", "kind"),
    [
        ((0,), ValueError),
        ((0, 1, 2), ValueError),
        ((), ValueError),
        ((0, 0), ValueError),
        ((0, -2), ValueError),
        ((0, 2), ValueError),
        ((-3, 0), ValueError),
        ((0, 2**40), (ValueError, OverflowError)),
        ((0, 2**70), (ValueError, OverflowError)),
        ((0.0, 1.0), TypeError),
        (("0", "1"), TypeError),
        ("01", TypeError),
        ({0: 1}, (TypeError, ValueError)),
        (1.5, TypeError),
    ],
)
def test_bad_axes(axes, kind):
    x, out = np.ones((3, 3)), np.full((3, 3), 7.0)
    with pytest.raises(kind, match="transpose"):
        forzium.transpose(x, axes, out=out)
    assert np.all(out == 7)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int16", "float16", "int32", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(1, 1), (15, 17), (16, 16), (33, 70), (130, 257), (3, 20, 41)])
def test_every_dtype(dtype, shape):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    assert_same_bytes(forzium.transpose(x), np.ascontiguousarray(x.T))
    out = np.empty((*x.T.shape[:-1], shape[0] + 3), dtype)
    forzium.transpose(x, out=out[..., 1:-2])
    assert_same_bytes(np.ascontiguousarray(out[..., 1:-2]), np.ascontiguousarray(x.T))


# ---- rows that lie a multiple of 4 KB apart ----------------------------------------------------


def whole_numbers(shape, dtype):
    return np.random.default_rng(len(shape)).integers(0, 1 << 30, shape).astype(dtype)


def far_rows(shape, dtype, offset=1):
    """Matrices as slices out of wider ones whose rows are whole pages, and the guarded memory of them."""
    pages = (offset + shape[-1]) * np.dtype(dtype).itemsize // 4096 + 1
    wide = np.full((*shape[:-1], pages * 4096), 0xA5, np.uint8)
    return wide.view(dtype)[..., offset : offset + shape[-1]], wide


def assert_writes_alone(source, axes, out, memory):
    """The transpose of source to out, and nothing else to the memory in which out lies."""
    out[...] = 0
    forzium.transpose(source, axes, out=out)
    assert np.array_equal(out, source.transpose(axes))
    out[...] = np.full(out.itemsize, 0xA5, np.uint8).view(out.dtype)[0]
    assert np.all(memory == 0xA5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(128, 1024), (130, 1024), (64, 2048), (512, 512), (65, 4096), (7, 8192)])
def test_rows_of_whole_pages(dtype, shape):
    """Of one byte to eight, so that each of these is one for some dtype."""
    x = whole_numbers(shape, dtype)

    def check():
        for source in (x, x[::-1], x[:, ::-1]):
            assert_same_bytes(forzium.transpose(source), source.T)
            assert_same_bytes(forzium.transpose(source.copy().T), source)

    for _ in numbers_of_threads():
        check()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(128, 400), (130, 130), (1027, 130), (63, 500), (300, 9), (17, 1000)])
def test_slices_out_of_rows_of_whole_pages(dtype, shape):
    """As input, as output and as both; the bytes between their rows stay as they are."""
    values = whole_numbers(shape, dtype)
    far, _ = far_rows(shape, dtype)
    far[...] = values
    out, memory = far_rows(shape[::-1], dtype, offset=3)

    def check():
        assert_same_bytes(forzium.transpose(far), values.T)
        for source in (values, far, far[::-1, ::-1]):
            assert_writes_alone(source, None, out, memory)
        assert_writes_alone(far, None, out[:, ::-1], memory)
        assert_writes_alone(far[:, ::2], None, out[::2], memory)

    for _ in numbers_of_threads():
        check()


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_stacks_of_rows_of_whole_pages(dtype, axes):
    values = whole_numbers((5, 66, 130), dtype)
    far, _ = far_rows(values.shape, dtype)
    far[...] = values
    out, memory = far_rows(tuple(values.shape[axis] for axis in axes), dtype)

    def check():
        for source in (values, far, far[::-1], far[:, ::-1, ::-1]):
            assert_writes_alone(source, axes, out, memory)

    for _ in numbers_of_threads():
        check()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_whole_pages_beyond_half_the_last_cache(dtype):
    cache = forzium.info()["cache_bytes"]["l3"]
    if not 0 < cache <= 64 << 20:
        pytest.skip(f"a last cache of {cache} bytes")
    columns = 4096 // np.dtype(dtype).itemsize
    values = whole_numbers((cache // 2 // 4096 + 13, columns), dtype)
    out, memory = far_rows(values.shape[::-1], dtype, offset=5)
    stack = values[:-1].reshape(2, -1, columns)[:, :, ::-1]

    def check():
        for source in (values, values[::-1, :-3]):
            assert_writes_alone(source, None, out[: source.shape[1]], memory)
        assert np.array_equal(forzium.transpose(stack, (0, 2, 1)), stack.transpose(0, 2, 1))

    for _ in numbers_of_threads():
        check()

"""astype and copyto convert, broadcast and mask as NumPy's do; new arrays lie in memory as NumPy's do."""

import threading

import forzium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import GUARD, arrays, awkward_values, layouts, seeds, shapes
from oracle import outcome

KINDS = [*"?bhilBHILefd"]
FLOATS = "efd"


def numbers(seed, shape, dtype):
    """Values that every dtype holds after rounding or wrapping in one way: no NaN, nor 1e30 to integers."""
    return np.random.default_rng(seed).integers(-100, 100, shape).astype(dtype)


def fill(seed, shape, source, target):
    """Every value of a float that only floats receive; else moderate ones."""
    if source in FLOATS and target in FLOATS:
        return awkward_values(seed, shape, "d").astype(source)
    return numbers(seed, shape, source) + np.array(0.75).astype(source)


def quiet(function, *args, **kwargs):
    with np.errstate(all="ignore"):
        return function(*args, **kwargs)


@given(data=st.data(), source=st.sampled_from(KINDS), target=st.sampled_from(KINDS), seed=seeds)
def test_astype_is_numpys(data, source, target, seed):
    shape = data.draw(shapes())
    x = data.draw(layouts(shape)).place(quiet(fill, seed, shape, source, target))
    got, want = forzium.astype(x, target), quiet(x.astype, target)
    np.testing.assert_array_equal(got, want)
    assert (type(got), got.dtype) == (np.ndarray, want.dtype)
    assert not np.shares_memory(got, x)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("n", [1, 7, 64, 65, 1000, 70_000])
def test_astype_at_every_length(source, target, n):
    x = quiet(fill, n, n, source, target)
    np.testing.assert_array_equal(forzium.astype(x, target), quiet(x.astype, target))


def test_astype_without_need_of_a_copy():
    x = np.arange(3.0)
    assert forzium.astype(x, "d", copy=False) is x
    assert forzium.astype(x, "f", copy=False).dtype == np.float32
    assert not np.shares_memory(forzium.astype(x, "d"), x)


def test_astype_of_a_zero_dimensional_array_is_one():
    assert type(forzium.astype(np.array(2.5), int)) is np.ndarray
    assert forzium.astype(2.5, int) == 2


def test_astype_takes_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.linspace(-3, 3, 1001, dtype=np.float32)
    narrow = forzium.astype(x, ml_dtypes.bfloat16)
    np.testing.assert_array_equal(narrow.view(np.uint16), x.astype(ml_dtypes.bfloat16).view(np.uint16))
    np.testing.assert_array_equal(forzium.astype(narrow, "d"), narrow.astype("d"))


@pytest.mark.parametrize("n", [1, 5, 8, 15, 16, 17, 63, 64, 1000, 65536])
@pytest.mark.parametrize("step", [1, 2])
def test_float16_keeps_its_bits(n, step):
    halves = np.arange(65536, dtype=np.uint16)[31700::step][:n].view("e")  # about infinity, where NaN begins
    wide = quiet(halves.astype, "f")
    np.testing.assert_array_equal(forzium.astype(halves, "f").view("I"), wide.view("I"))
    floats = np.concatenate(
        [wide, np.random.default_rng(n).integers(2**32, size=n, dtype=np.uint32).view("f")]
    )
    floats = floats[::step][:n]
    np.testing.assert_array_equal(forzium.astype(floats, "e").view("H"), quiet(floats.astype, "e").view("H"))


@pytest.mark.parametrize("dtype", ["complex128", object, "datetime64[s]", "U3", "longdouble"])
def test_astype_refuses_other_dtypes(dtype):
    with pytest.raises(TypeError, match=r"^astype: dtype is"):
        forzium.astype(np.ones(3), dtype)
    with pytest.raises(TypeError, match=r"^astype: x has dtype"):
        forzium.astype(np.zeros(3, dtype), "f")


@given(data=st.data(), source=st.sampled_from(KINDS), target=st.sampled_from(KINDS), seed=seeds)
def test_copyto_writes_what_numpys_does_and_nothing_beside_it(data, source, target, seed):
    shape = data.draw(shapes())
    layout = data.draw(layouts(shape))
    kept = tuple(length for length in shape[data.draw(st.integers(0, len(shape))) :])
    src = data.draw(layouts(kept)).place(quiet(fill, seed, kept, source, target))
    where = data.draw(st.just(True) | arrays(shape, "float32").map(lambda x: x > 0))
    (got, got_memory), (want, want_memory) = layout.allocate(target), layout.allocate(target)
    assert forzium.copyto(got, src, "unsafe", where) is None
    quiet(np.copyto, want, src, "unsafe", where)
    assert got_memory.tobytes() == want_memory.tobytes()


@pytest.mark.parametrize("pattern", ["none", "all", "runs", "random", "one"])
@pytest.mark.parametrize("n", [1, 255, 256, 257, 100_000])
@pytest.mark.parametrize("target", ["?", "e", "f", "d"])
def test_copyto_where(pattern, n, target):
    random = np.random.default_rng(n)
    where = {
        "none": np.zeros(n, bool),
        "all": np.ones(n, bool),
        "runs": np.arange(n) // 300 % 2 == 0,
        "random": random.random(n) < 0.5,
        "one": np.arange(n) == n // 2,
    }[pattern]
    src, got = random.random(n), np.full(n, GUARD).astype(target)
    want = got.copy()
    forzium.copyto(got, src, "unsafe", where=where)
    np.copyto(want, src, "unsafe", where=where)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shift", [-3, -1, 1, 3])
@pytest.mark.parametrize("n", [10, 1000, 200_000])
def test_copyto_within_one_array(shift, n):
    got, where = np.arange(float(n)), np.arange(n - abs(shift)) % 3 > 0
    want = got.copy()
    ahead, behind = slice(max(shift, 0), n + min(shift, 0)), slice(max(-shift, 0), n + min(-shift, 0))
    forzium.copyto(got[ahead], got[behind], where=where)
    np.copyto(want[ahead], want[behind], where=where)
    np.testing.assert_array_equal(got, want)


def test_copyto_where_the_mask_lies_in_what_is_written():
    got = np.tile([True, False, False], 1000)
    want = got.copy()
    forzium.copyto(got[1:], True, where=got[:-1])
    np.copyto(want[1:], True, where=want[:-1].copy())
    np.testing.assert_array_equal(got, want)


def test_copyto_leaves_other_elements_to_other_threads():
    """Two threads fill complementary halves of one array: no element may be written back as it was."""
    n = 200_000
    for _ in range(20):
        dst, odd = np.zeros(n), np.arange(n) % 2 == 1
        threads = [
            threading.Thread(target=forzium.copyto, args=(dst, value), kwargs={"where": where})
            for value, where in ((1.0, odd), (2.0, ~odd))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(dst, np.where(odd, 1.0, 2.0))


CALLS = [
    (np.zeros(3, bool), 1),
    (np.zeros(3, "b"), 300),
    (np.zeros(3, "B"), -1),
    (np.zeros(3, "i"), 2.5),
    (np.zeros(3, "f"), 2.5),
    (np.zeros(3, "f"), 10**30),
    (np.zeros(3, "i"), True),
    (np.zeros(3, "i"), [1, 2, 3]),
    (np.zeros(3, "i"), np.float32(1)),
    (np.zeros(3, "f"), np.float64(1)),
    (np.zeros(3), np.zeros(2)),
    (np.zeros(3), np.zeros((1, 1, 3))),
    (np.zeros(3), np.zeros((2, 3))),
    (np.zeros(()), 3),
    (np.zeros(0), []),
]


@pytest.mark.parametrize("casting", ["no", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize(("dst", "src"), CALLS)
def test_copyto_allows_what_numpys_does(dst, src, casting):
    got, want = dst.copy(), dst.copy()
    _, error = outcome(lambda: forzium.copyto(got, src, casting))
    _, numpys = outcome(lambda: np.copyto(want, src, casting))
    assert type(error) is type(numpys)
    np.testing.assert_array_equal(got, want)


def test_copyto_refuses_before_it_writes():
    x = np.zeros(3)
    read_only = np.zeros(3)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="copyto: dst is read-only"):
        forzium.copyto(read_only, 1.0)
    with pytest.raises(TypeError, match="copyto: where is int64; bool would do"):
        forzium.copyto(x, 1.0, where=np.array([1, 0, 1]))
    with pytest.raises(ValueError, match=r"copyto: where of shape \(2,\) .* dst's shape \(3,\)"):
        forzium.copyto(x, 1.0, where=[True, False])
    with pytest.raises(ValueError, match=r"copyto: src of shape \(4,\) .* dst's shape \(3,\)"):
        forzium.copyto(x, np.zeros(4))
    with pytest.raises(ValueError, match=r"^copyto: casting: "):
        forzium.copyto(x, 1.0, casting="foo")
    with pytest.raises(ValueError, match="copyto: elements of dst may share memory"):
        forzium.copyto(np.lib.stride_tricks.as_strided(x, (3,), (0,)), 1.0)
    assert not x.any()


def steps(x):
    """Strides of the axes that have any."""
    return [stride for stride, length in zip(x.strides, x.shape, strict=True) if length > 1]


@settings(max_examples=300)
@given(data=st.data())
def test_new_arrays_have_numpys_order_of_axes(data):
    shape = data.draw(shapes(max_dims=4))

    def draw():
        kept = tuple(data.draw(st.sampled_from([1, length])) for length in shape)
        permutation = data.draw(st.permutations(range(len(shape))))
        return np.ones(tuple(kept[axis] for axis in permutation)).transpose(np.argsort(permutation).tolist())

    x, y = draw(), draw()
    want = np.add(x, y)
    for got in (forzium.add(x, y), forzium.evaluate("x + y")):
        if want.size and np.ndim(want):
            assert steps(got) == steps(want)
    assert forzium.evaluate("x + y", order="C").flags.c_contiguous
    if x.size:
        assert steps(forzium.astype(x, "f")) == steps(x.astype("f"))

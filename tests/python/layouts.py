"""Arrays as awkward as NumPy allows, for Hypothesis to draw."""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

DTYPES = ("float32", "float64")
GUARD = 0xA5  # fills the gaps between elements, to show a write outside the view

dtypes = st.sampled_from(DTYPES)
seeds = st.integers(0, 2**32 - 1)


def special_values(dtype):
    limits = np.finfo(dtype)
    positive = [0.0, limits.smallest_subnormal, limits.tiny, limits.eps, 1.0, 1.5, limits.max, np.inf]
    return np.array([*positive, *np.negative(positive), np.nan], dtype)


def awkward_values(seed, shape, dtype, share_special=0.2):
    """Normal deviates over many magnitudes with special values strewn in."""
    random = np.random.default_rng(seed)
    values = np.asarray(random.standard_normal(shape) * 2.0 ** random.integers(-40, 40, shape)).astype(dtype)
    special = random.choice(special_values(dtype), shape)
    return np.asarray(np.where(random.random(shape) < share_special, special, values), dtype)


@dataclass(frozen=True)
class Layout:
    """How an array lies in memory: axes from outermost to innermost, the step along each (negative:
    reversed), and bytes by which it misses alignment."""

    shape: tuple
    order: tuple
    steps: tuple
    offset: int

    def allocate(self, dtype):
        """The view, and the guarded bytes in which it lies."""
        extents = [abs(step) * length for step, length in zip(self.steps, self.shape, strict=True)]
        memory = np.full(self.offset + math.prod(extents) * np.dtype(dtype).itemsize, GUARD, np.uint8)
        whole = memory[self.offset :].view(dtype).reshape([extents[axis] for axis in self.order])
        view = whole.transpose(np.argsort(self.order).tolist())
        return view[(..., *(slice(None, None, step) for step in self.steps))], memory

    def place(self, values):
        view, _ = self.allocate(values.dtype)
        view[...] = values
        return view


@st.composite
def layouts(draw, shape):
    steps = st.sampled_from([1, 1, 1, -1, 2, -2, 3])
    return Layout(
        tuple(shape),
        tuple(draw(st.permutations(range(len(shape))))),
        tuple(draw(steps) for _ in shape),
        draw(st.sampled_from([0, 0, 1, 3, 4])),
    )


def shapes(min_dims=0, max_dims=4):
    """Mostly small; now and then one long enough for several vectors and a rest."""
    side = st.integers(0, 7) | st.integers(0, 7) | st.integers(8, 70)
    return (
        st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple).filter(lambda s: math.prod(s) < 20000)
    )


@st.composite
def arrays(draw, shape, dtype, *, specials=True, broadcast=True):
    """An array of this shape and dtype with any layout; some of its axes may have stride 0."""
    stride_zero = [broadcast and length > 0 and draw(st.integers(0, 7)) == 0 for length in shape]
    stored = tuple(1 if zero else length for zero, length in zip(stride_zero, shape, strict=True))
    values = awkward_values(draw(seeds), stored, dtype, 0.2 if specials else 0.0)
    view = draw(layouts(stored)).place(values)
    return np.broadcast_to(view, shape) if any(stride_zero) else view


@st.composite
def integer_arrays(draw, shape, dtype):
    """Small whole numbers, on which sums of products are exact."""
    values = np.random.default_rng(draw(seeds)).integers(-8, 9, shape).astype(dtype)
    return draw(layouts(tuple(shape))).place(values)

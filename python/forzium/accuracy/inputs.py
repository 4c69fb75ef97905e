"""Where to look for errors: every float32, or all exponents and the places where functions are hard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 1 << 16
"""So many that their exact values stay in the second cache."""
PATTERNS = 1 << 32
HARDEST_ANGLE = 6381956970095103 * 2.0**797
"""No double is nearer to a multiple of π/2."""


def every_float32() -> Iterator[tuple[Any, ...]]:
    """All bit patterns, chunk by chunk."""
    chunk = np.arange(CHUNK, dtype=np.uint32)
    for first in range(0, PATTERNS, CHUNK):
        yield ((chunk + np.uint32(first)).view(np.float32),)


def sampled(dtype: Any, operands: int, count: int) -> Iterator[tuple[Any, ...]]:
    """About ``count`` inputs of one or two operands, chunk by chunk."""
    arrays = _singles(dtype, count) if operands == 1 else _pairs(dtype, count)
    for first in range(0, len(arrays[0]), CHUNK):
        yield tuple(array[first : first + CHUNK] for array in arrays)


def hard_points(dtype: Any) -> Any:
    """Specials, neighbours of powers of two and of one, whole numbers and halves, multiples of π/2."""
    limits = np.finfo(dtype)
    powers = np.ldexp(np.ones(1, dtype), np.arange(limits.minexp - limits.nmant, limits.maxexp))
    near = [np.nextafter(powers, np.asarray(to, dtype)) for to in (0, np.inf)]
    steps = np.arange(-200, 201) * limits.eps
    quarters = (np.arange(1, 5001) * (np.longdouble(np.pi) / 2)).astype(dtype)
    angles = [quarters, np.asarray([HARDEST_ANGLE] if dtype == np.float64 else [], dtype)]
    positive = np.concatenate(
        [
            np.array([0, limits.smallest_subnormal, limits.tiny, limits.max, np.inf, np.nan], dtype),
            *(powers, *near, (1 + steps).astype(dtype), np.arange(2400).astype(dtype) / 2, *angles),
        ]
    )
    return np.concatenate([positive, -positive]).astype(dtype)


def _singles(dtype: Any, count: int) -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    grids = [random.uniform(-bound, bound, count // 8).astype(dtype) for bound in (1, 10, 100, 1000)]
    return (np.concatenate([hard_points(dtype), _all_exponents(random, dtype, count // 2), *grids]),)


def _all_exponents(random: np.random.Generator, dtype: Any, count: int) -> Any:
    """Random bits: every sign and exponent as often as any other."""
    whole = np.dtype(f"u{np.dtype(dtype).itemsize}")
    return random.integers(0, np.iinfo(whole).max, count, whole, endpoint=True).view(dtype)


def _pairs(dtype: Any, count: int) -> tuple[Any, ...]:
    random = np.random.default_rng(0)
    quarter = count // 4
    few = hard_points(dtype)[:: max(1, len(hard_points(dtype)) // 200)]
    grid = np.meshgrid(few, few)
    x = _all_exponents(random, dtype, quarter)
    with np.errstate(all="ignore"):
        near = (x * np.exp2(random.uniform(-30, 30, quarter))).astype(dtype)
        base = np.abs(_all_exponents(random, dtype, quarter))
        largest = np.finfo(dtype).maxexp
        exponent = (random.uniform(-1.1, 1.1, quarter) * largest / np.log2(base.astype(np.float64))).astype(
            dtype
        )
    first = [grid[0].ravel(), x, x, base, random.uniform(-20, 20, quarter).astype(dtype)]
    second = [
        *(grid[1].ravel(), _all_exponents(random, dtype, quarter), near, exponent),
        random.uniform(-20, 20, quarter).astype(dtype),
    ]
    cancelling = _where_logaddexp_cancels(random, dtype, count // 4)
    return np.concatenate([*first, cancelling[0]]), np.concatenate([*second, cancelling[1]])


def _where_logaddexp_cancels(random: np.random.Generator, dtype: Any, count: int) -> tuple[Any, Any]:
    """Pairs for which log(e^x + e^y) is share * x: a large share, a small one or a few last digits."""
    x = -np.log(2) * np.where(
        random.random(count) < 0.5, random.random(count), np.exp2(-random.pareto(1, count))
    )
    digits = np.finfo(dtype).nmant - 1
    share = random.uniform(-2, 1, count) * np.exp2(random.choice([0, 0, 0, -digits / 2, -digits], count))
    x, share = x.astype(dtype), share.astype(np.longdouble)
    wide = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        return x, (share * wide + np.log(-np.expm1(wide - share * wide))).astype(dtype)

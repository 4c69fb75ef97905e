"""The largest error of a function over many inputs, for every instruction set at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from .engine import Engine
from .inputs import every_float32, sampled
from .oracle import ORACLES, exact, is_slow
from .ulp import errors

COUNT = 4_000_000
SLOW_COUNT = 100_000
"""Inputs where not all are looked at, and where the oracle is slow besides."""
LOOKED = 64
"""Of the nearest numbers each 64th has its error counted, since counting takes longest."""


@dataclass
class Finding:
    """The worst that was found."""

    function: str
    dtype: str
    simd: str
    count: int = 0
    ulp: float = 0.0
    at: tuple[float, ...] = ()


def measure(
    name: str,
    dtype: str,
    instruction_sets: Sequence[str],
    exhaustive: bool,
    part: int = 0,
    parts: int = 1,
) -> list[Finding]:
    """The findings on one function and dtype in one part of the inputs, one for each instruction set."""
    findings = [Finding(name, dtype, simd) for simd in instruction_sets]
    with ExitStack() as stack, np.errstate(all="ignore"):
        engines = [stack.enter_context(Engine(simd)) for simd in instruction_sets]
        for operands in islice(_inputs(name, np.dtype(dtype), exhaustive), part, None, parts):
            for engine in engines:
                engine.start(name, operands)
            right = exact(name, operands)
            nearest = right.astype(dtype)
            for engine, finding in zip(engines, findings, strict=True):
                _note(finding, operands, engine.result(), right, nearest)
    return findings


def join(parts: Iterable[Sequence[Finding]]) -> list[Finding]:
    """One finding for each instruction set, of those of all parts."""
    joined = []
    for findings in zip(*parts, strict=True):
        worst = max(findings, key=lambda finding: finding.ulp)
        worst.count = sum(finding.count for finding in findings)
        joined.append(worst)
    return joined


def _inputs(name: str, dtype: Any, exhaustive: bool) -> Iterator[tuple[Any, ...]]:
    oracle = ORACLES[name]
    if exhaustive and dtype == np.float32 and oracle.operands == 1:
        chunks = every_float32()
    else:
        chunks = sampled(dtype, oracle.operands, SLOW_COUNT if is_slow(name, dtype) else COUNT)
    for operands in chunks:
        kept = oracle.limits or ~np.isinf(operands[0])
        yield operands if kept is True else tuple(x[kept] for x in operands)


def _note(finding: Finding, operands: tuple[Any, ...], got: Any, right: Any, nearest: Any) -> None:
    finding.count += len(got)
    looked = _worth_a_look(got, nearest)
    if not len(looked):
        return
    error = errors(got[looked], right[looked])
    worst = int(np.argmax(error))
    if error[worst] > finding.ulp:
        finding.ulp = float(error[worst])
        finding.at = tuple(float(x[looked[worst]]) for x in operands)


def _worth_a_look(got: Any, nearest: Any) -> Any:
    """Where the result is not the nearest number, and some of the others; their errors are at most 0.5."""
    odd = (got != nearest) & ((got == got) | (nearest == nearest))
    odd[::LOOKED] = True
    return np.flatnonzero(odd)

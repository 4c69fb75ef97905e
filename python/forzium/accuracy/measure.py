"""The largest error of a function over many inputs, for every instruction set at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from .engine import Engine
from .inputs import PATTERNS, PRIME, every_float32, sampled
from .oracle import ORACLES, exact, is_slow
from .ulp import errors

COUNT = 2_000_000
SLOW_COUNT = 40_000
"""Inputs of float64, and of float64 where the oracle is slow."""
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


def measure(name: str, dtype: str, instruction_sets: Sequence[str], exhaustive: bool) -> list[Finding]:
    """The findings on one function and dtype, one for each instruction set."""
    findings = [Finding(name, dtype, simd) for simd in instruction_sets]
    with ExitStack() as stack, np.errstate(all="ignore"):
        engines = [stack.enter_context(Engine(simd)) for simd in instruction_sets]
        for operands in _inputs(name, np.dtype(dtype), exhaustive):
            right = exact(name, operands)
            for engine, finding in zip(engines, findings, strict=True):
                _note(finding, operands, engine.compute(name, operands), right)
    return findings


def _inputs(name: str, dtype: Any, exhaustive: bool) -> Iterator[tuple[Any, ...]]:
    oracle = ORACLES[name]
    if exhaustive and dtype == np.float32 and oracle.operands == 1:
        chunks = every_float32()
    else:
        few = PATTERNS // PRIME if dtype == np.float32 else COUNT
        chunks = sampled(dtype, oracle.operands, SLOW_COUNT if is_slow(name, dtype) else few)
    for operands in chunks:
        kept = oracle.limits or ~np.isinf(operands[0])
        yield operands if kept is True else tuple(x[kept] for x in operands)


def _note(finding: Finding, operands: tuple[Any, ...], got: Any, right: Any) -> None:
    finding.count += len(got)
    looked = _worth_a_look(got, right)
    if not len(looked):
        return
    error = errors(got[looked], right[looked])
    worst = int(np.argmax(error))
    if error[worst] > finding.ulp:
        finding.ulp = float(error[worst])
        finding.at = tuple(float(x[looked[worst]]) for x in operands)


def _worth_a_look(got: Any, right: Any) -> Any:
    """Where the result is not the nearest number, and some of the others; their errors are at most 0.5."""
    nearest = right.astype(got.dtype)
    odd = (got != nearest) & ((got == got) | (nearest == nearest))
    odd[::LOOKED] = True
    return np.flatnonzero(odd)

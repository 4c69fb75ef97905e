"""A case: one piece of work that libraries are compared on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One row of a suite's table.

    ``operation`` and ``params`` say what to compute (see ``operations.py``); the rest says who takes
    part and how the figure is read.
    """

    key: str
    group: str
    title: str
    operation: str
    params: Mapping[str, Any]
    size: float
    """What the size axis of a chart shows: side of a square, or number of elements."""
    flops: float = 0.0
    """Arithmetic operations in one call, where a rate means something."""
    bytes: float = 0.0
    """The least memory traffic of one call, where a rate means something."""
    ceiling: str = ""
    """Key of the machine case that this one is given as a share of."""
    only: tuple[str, ...] = ()
    """The libraries that take part; all that know the operation if empty."""
    callers: int = 0
    """Python threads that call at once; 0 times the call itself, without a thread around it."""
    quick: bool = True
    """Measured by ``--quick`` too."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Case:
        """From plain data."""
        return cls(**{**data, "only": tuple(data["only"])})


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    seconds: float
    """Length of one round."""
    budget: float
    """Seconds for all rounds of one library on one case; if one is slow, all get fewer rounds, but some."""


@dataclass(frozen=True)
class Suite:
    """A table of cases, and the names of the probes that belong to it."""

    name: str
    title: str
    cases: tuple[Case, ...]
    effort: Effort
    quick_effort: Effort
    probes: tuple[str, ...] = field(default=())

"""What was promised beside what was reached, a module for each suite."""

from __future__ import annotations

from ..results import Results
from . import conv, elementwise, guide, matmul
from .verdicts import Verdict, VerdictTable

__all__ = ["Verdict", "VerdictTable", "tables"]

_TABLES = {
    "guide": guide.tables,
    "elementwise": elementwise.tables,
    "matmul": matmul.tables,
    "conv": conv.tables,
}


def tables(results: Results) -> list[VerdictTable]:
    """The tables that end a report."""
    return [table for suite in results.suites for table in _TABLES[suite](results)]

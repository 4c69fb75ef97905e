"""The findings as reStructuredText."""

from __future__ import annotations

from collections.abc import Sequence

from .measure import Finding

HEAD = """Accuracy
========

The largest error found, in units in the last place of the exact value, and where it was found. The nearest
number always would be 0.5; every function is meant to stay within 1. Exact values are NumPy's, SciPy's and
mpmath's in a wider type. Functions of one operand are checked on all numbers of float32 where the table says
4,294,967,296 inputs; otherwise on a sample of all exponents, and where functions are hard.
``python -m forzium accuracy --float32-exhaustive --write docs/accuracy.rst`` makes this table.

.. list-table::
   :header-rows: 1

"""
COLUMNS = ("function", "dtype", "instruction set", "inputs", "largest error (ULP)", "at")


def as_rst(findings: Sequence[Finding]) -> str:
    """A page of the documentation."""
    rows = [COLUMNS, *map(cells, findings)]
    return HEAD + "\n".join("   * - " + "\n     - ".join(row) for row in rows) + "\n"


def cells(finding: Finding) -> tuple[str, ...]:
    """A finding's row."""
    at = ", ".join(f"{x:.9g}" if finding.dtype == "float32" else repr(x) for x in finding.at)
    return (
        *(finding.function, finding.dtype, finding.simd, f"{finding.count:,}"),
        *(f"{finding.ulp:.4f}", at or "nowhere"),
    )

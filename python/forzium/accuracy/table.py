"""The findings as reStructuredText: a page that is also what later runs add to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .measure import Finding
from .oracle import ORACLES

HEAD = """Accuracy
========

The largest error found, in units in the last place of the exact value, and where it was found. The nearest
number always would be 0.5; every function is meant to stay within 1. Exact values are NumPy's, SciPy's and
mpmath's in a wider type. Functions of one operand are checked on all numbers of float32 where the table says
4,294,967,296 inputs; otherwise on a sample of all exponents, and where functions are hard; a sample may
miss the largest: of float32's logaddexp a search of 12 million pairs found 0.975.
``python -m forzium accuracy --float32-exhaustive --write docs/accuracy.rst`` makes this table; with
``--functions`` it measures some and leaves the rows of the others.

.. list-table::
   :header-rows: 1

"""
COLUMNS = ("function", "dtype", "instruction set", "inputs", "largest error (ULP)", "at")
ROW, CELL = "   * - ", "\n     - "

Row = tuple[str, ...]


def as_rst(rows: Iterable[Row]) -> str:
    """A page of the documentation."""
    return HEAD + "".join(ROW + CELL.join(row) + "\n" for row in (COLUMNS, *rows))


def rows_of(page: str) -> list[Row]:
    """The rows of such a page."""
    _, *rows = (tuple(row.strip().split(CELL)) for row in page.split(ROW)[1:])
    return rows


def write(path: Path, findings: Iterable[Finding]) -> None:
    """Writes the page, or puts the findings into the page that is there."""
    table = {row[:3]: row for row in rows_of(path.read_text(encoding="utf-8"))} if path.exists() else {}
    table |= {row[:3]: row for row in map(cells, findings)}
    order = list(ORACLES)
    rows = sorted((row for row in table.values() if row[0] in order), key=lambda row: order.index(row[0]))
    path.write_text(as_rst(rows), encoding="utf-8")


def cells(finding: Finding) -> Row:
    """A finding's row."""
    at = ", ".join(f"{x:.9g}" if finding.dtype == "float32" else repr(x) for x in finding.at)
    return (
        *(finding.function, finding.dtype, finding.simd, f"{finding.count:,}"),
        *(f"{finding.ulp:.4f}", at or "nowhere"),
    )

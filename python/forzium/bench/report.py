"""report.html: one file with everything in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from .cases import Case
from .claims import tables
from .claims.guide import pool_work
from .libraries import LIBRARIES
from .machine import busy
from .results import Results, Row
from .runner import count_threads
from .standings import group_standings, lost_rows, standings
from .units import format_bytes, format_percent, format_ratio, format_seconds

if TYPE_CHECKING:
    from .charts.style import Chart


def write_report(results: Results, charts: Sequence[Chart], folder: Path) -> None:
    """Fills the template with the results; images are inlined, so that the file stands alone."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": format_seconds,
        "bytes": format_bytes,
        "percent": format_percent,
        "ratio": format_ratio,
        "threads": count_threads,
        "rate": _rate,
    }
    page = environment.get_template("report.html.j2").render(
        results=results,
        tables=tables(results),
        busy=busy(results.machine),
        charts=[(chart, _inlined(folder / f"{chart.name}.svg")) for chart in charts],
        groups=_groups(results),
        standings=standings(results),
        lost=lost_rows(standings(results)),
        group_standings=group_standings(standings(results)),
        libraries=LIBRARIES,
        pool_work=pool_work,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _inlined(image: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(image.read_bytes()).decode()


def _groups(results: Results) -> list[tuple[str, list[Any]]]:
    """Every case with its rows, fastest first, under the group's name."""
    groups: dict[str, list[Any]] = {}
    for case in results.cases.values():
        rows = [row for row in results.rows if row.case == case.key]
        rows.sort(key=lambda row: (row.threads, row.seconds is None, row.seconds or 0.0))
        if rows:
            groups.setdefault(case.group, []).append((case, [_told(results, row) for row in rows]))
    return list(groups.items())


def _rate(case: Case, seconds: float) -> str:
    """Of arithmetic, but for windows, which go by fewer operations; else of memory traffic."""
    if case.flops and case.operation != "window":
        return f"{case.flops / seconds / 1e9:.3g} GFLOP/s"
    return f"{case.bytes / seconds / 1e9:.3g} GB/s" if case.bytes else ""


def _told(results: Results, row: Row) -> dict[str, Any]:
    """A row as the reader sees it."""
    case, seconds = results.cases[row.case], row.seconds
    ours = results.seconds(row.case, "forzium", row.threads)
    share = results.share_of_ceiling(row)
    return {
        "library": LIBRARIES[row.library].label,
        "ours": row.library == "forzium",
        "threads": row.threads,
        "seconds": format_seconds(seconds) if seconds else "",
        "rate": _rate(case, seconds) if seconds else "",
        "share": format_percent(share) if share else "",
        "speed": format_ratio(seconds / ours) if seconds and ours and row.library != "forzium" else "",
        "statement": row.statement,
        "note": row.status if row.status != "ok" else "" if seconds else "not measured",
        "detail": row.note,
    }

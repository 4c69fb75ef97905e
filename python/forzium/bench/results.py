"""What was measured: kept, asked, and written as JSON and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .cases import Case
from .libraries import LIBRARIES


@dataclass
class Row:
    """One library on one case at one number of threads."""

    case: str
    library: str
    threads: int
    status: str = "ok"
    """"ok", "wrong", "crashed", "error", "missing"; only "ok" rows have times and are ranked."""
    note: str = ""
    statement: str = ""
    error: float | None = None
    """Largest error, in units of rounding."""
    rounds: list[float] = field(default_factory=list)
    """Seconds per call, one figure a round."""

    @property
    def seconds(self) -> float | None:
        """The figure: the minimum over the rounds."""
        return min(self.rounds) if self.status == "ok" and self.rounds else None

    @property
    def failed(self) -> bool:
        """The library took part, and could not do it."""
        return self.status in ("wrong", "crashed", "error")


@dataclass
class Results:
    """One run of the benchmark."""

    machine: dict[str, Any]
    options: dict[str, Any]
    started: str
    suites: list[str]
    cases: dict[str, Case]
    threads: tuple[int, ...]
    """The numbers of threads compared: 1 and all."""
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    probes: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    _by_key: dict[tuple[str, str, int], Row] = field(default_factory=dict, init=False, repr=False)

    @property
    def all_threads(self) -> int:
        """The larger number of threads."""
        return self.threads[-1]

    def row(self, case: str, library: str, threads: int) -> Row | None:
        """A row; one that uses one thread whatever it is given stands for every number of threads."""
        if not LIBRARIES[library].threaded:
            threads = 1
        if len(self._by_key) != len(self.rows):
            self._by_key = {(row.case, row.library, row.threads): row for row in self.rows}
        return self._by_key.get((case, library, threads))

    def seconds(self, case: str, library: str, threads: int) -> float | None:
        """Seconds per call, if measured and right."""
        row = self.row(case, library, threads)
        return row.seconds if row else None

    def is_unfinished(self, case: str, threads: int) -> bool:
        """Whether forzium's turn never came, or that of another library that had made ready."""
        if self.cases[case].callers and threads < self.all_threads:
            return False
        rows = [self.row(case, library, threads) for library in LIBRARIES]
        waiting = any(row and row.seconds is None and row.status == "ok" for row in rows)
        return waiting or self.row(case, "forzium", threads) is None

    def best_peer(self, case: str, threads: int, among: Collection[str] = ()) -> tuple[str, float] | None:
        """The fastest other library and its seconds."""
        peers = [key for key, library in LIBRARIES.items() if library.peer and (not among or key in among)]
        timed = [(key, seconds) for key in peers if (seconds := self.seconds(case, key, threads)) is not None]
        return min(timed, key=lambda pair: pair[1], default=None)

    def speed(self, case: str, threads: int, among: Collection[str] = ()) -> float | None:
        """forzium's speed relative to the best peer's: above 1, forzium is ahead."""
        ours, best = self.seconds(case, "forzium", threads), self.best_peer(case, threads, among)
        return best[1] / ours if ours and best else None

    def share_of_ceiling(self, row: Row) -> float | None:
        """The row's rate as a share of the plain loop's rate in this run."""
        case = self.cases[row.case]
        if not case.ceiling or row.seconds is None:
            return None
        top = self.seconds(case.ceiling, "plain", row.threads)
        if top is None:
            return None
        ceiling = self.cases[case.ceiling]
        work, most = (
            (case.bytes, ceiling.bytes) if ceiling.operation != "fma" else (case.flops, ceiling.flops)
        )
        return (work / row.seconds) / (most / top)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        plain = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        rows = [{**asdict(row), "seconds": row.seconds} for row in self.rows]
        return {**plain, "cases": [case.to_json() for case in self.cases.values()], "rows": rows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Results:
        """From plain data."""
        cases = {case["key"]: Case.from_json(case) for case in data["cases"]}
        rows = [
            Row(**{name: value for name, value in row.items() if name != "seconds"}) for row in data["rows"]
        ]
        return cls(**{**data, "cases": cases, "rows": rows, "threads": tuple(data["threads"])})


def write_json(results: Results, folder: Path) -> None:
    """results.json: everything, raw. The last one stays until the new one is whole."""
    text = json.dumps(results.to_json(), indent=1, ensure_ascii=False)
    part = folder / "results.json.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / "results.json")


CSV_COLUMNS = (
    "case",
    "group",
    "title",
    "size",
    "dtype",
    "library",
    "threads",
    "callers",
    "status",
    "seconds",
    "gflops",
    "gbytes_per_second",
    "share_of_ceiling",
    "speed_to_best_peer",
    "error_ulp",
    "statement",
    "note",
)


def write_csv(results: Results, folder: Path) -> None:
    """results.csv: one line a row."""
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        writer.writerows(_csv_lines(results))


def _csv_lines(results: Results) -> Iterable[list[Any]]:
    for row in results.rows:
        case, seconds = results.cases[row.case], row.seconds
        best = results.best_peer(row.case, row.threads)
        yield [
            row.case,
            case.group,
            case.title,
            f"{case.size:g}",
            case.params.get("dtype", "float64"),
            row.library,
            row.threads,
            case.callers or 1,
            row.status,
            _number(seconds),
            _number(case.flops / seconds / 1e9 if seconds and case.flops else None),
            _number(case.bytes / seconds / 1e9 if seconds and case.bytes else None),
            _number(results.share_of_ceiling(row)),
            _number(best[1] / seconds if best and seconds else None),
            _number(row.error),
            row.statement,
            row.note,
        ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"

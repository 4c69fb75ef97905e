"""The terminal: progress while measuring, and the tables at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .cases import Effort
from .claims import Verdict, VerdictTable
from .libraries import LIBRARIES
from .machine import busy
from .probes import PROBES
from .results import Results
from .runner import Runner, count_threads
from .standings import Standing, group_standings, standings
from .units import format_ratio, format_seconds

MARKS = {True: "[bold green]yes", False: "[bold red]no", None: "[dim]not measured"}

FILE_WIDTH = 130
"""Columns where the output is not a terminal."""


class Console:
    """Everything the user sees."""

    def __init__(self) -> None:
        self._console = rich.console.Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = FILE_WIDTH

    def say(self, line: str) -> None:
        """One line."""
        self._console.print(line, markup=False)

    def measure(
        self,
        results: Results,
        effort: Effort,
        libraries: Sequence[str],
        probes: Sequence[str],
        keep: Callable[[], None],
    ) -> None:
        """Fills the results, with a progress bar; calls ``keep`` whenever there are new ones."""
        machine = results.machine
        threads = " and ".join(count_threads(count) for count in results.threads)
        self.say(f"{machine['cpu']}, {machine['cpus']} CPUs usable; every case at {threads}.")
        if busy(machine):
            self.say(busy(machine))
        bar = Progress(
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
        )
        with bar, Runner(results, effort, self.say) as runner:
            task = bar.add_task("starting the libraries", total=len(results.cases) + len(probes))

            def advance(text: str) -> None:
                bar.update(task, description=text)

            runner.start(libraries)
            for case in results.cases.values():
                runner.measure(case, advance)
                keep()
                bar.advance(task)
            for name in probes:
                results.probes[name] = PROBES[name](results.options["quick"], advance)
                keep()
                bar.advance(task)
            advance("done")

    def tell(self, results: Results, tables: Sequence[VerdictTable]) -> None:
        """forzium beside the best other library, by group and on every case, then claims and targets.

        Of very many cases only the lost ones are told; the report has all.
        """
        found = standings(results)
        self._console.print(_groups(found))
        self._console.print(_speeds(results, {standing.case.key for standing in found if standing.lost}))
        for table in tables:
            self._console.print(_verdicts(table.title, table.verdicts))
        if not results.complete:
            self.say("This run was interrupted: rows without figures were not measured.")


MANY = 150
"""Cases that nobody reads in a terminal."""


def _groups(found: list[Standing]) -> Table:
    table = Table(title="Speed relative to the fastest other library, by group")
    for head in ("group", "threads", "geometric mean", "worst", "best", "rows", "rows lost"):
        table.add_column(head, justify="left" if head == "group" else "right")
    for row in group_standings(found):
        colour = "green" if row.mean >= 1 else "red"
        lost = f"[red]{row.lost}[/]" if row.lost else "0"
        mean = f"[{colour}]{format_ratio(row.mean)}[/]"
        figures = (format_ratio(row.least), format_ratio(row.most), str(row.count), lost)
        table.add_row(row.group, str(row.threads), mean, *figures)
    return table


def _speeds(results: Results, lost: set[str]) -> Table:
    many = len(results.cases) > MANY
    title = "Time per call, and speed relative to the fastest other library (above 1× forzium is ahead)"
    table = Table(title=f"{title}: rows lost" if many else title)
    table.add_column("case")
    for count in results.threads:
        table.add_column(count_threads(count), justify="right")
        table.add_column("fastest other")
    for case in results.cases.values():
        cells = [cell for count in results.threads for cell in _speed_cells(results, case.key, count)]
        if any(cells) and (case.key in lost or not many):
            table.add_row(case.title, *cells)
    return table


def _speed_cells(results: Results, case: str, threads: int) -> tuple[str, str]:
    ours, best = results.seconds(case, "forzium", threads), results.best_peer(case, threads)
    speed = results.speed(case, threads)
    if speed is None or best is None:
        return format_seconds(ours) if ours else "", ""
    colour = "green" if speed >= 1 else "red"
    return format_seconds(ours or 0.0), f"[{colour}]{format_ratio(speed)}[/] {LIBRARIES[best[0]].label}"


def _verdicts(title: str, verdicts: Sequence[Verdict]) -> Table:
    table = Table(title=title, show_lines=True)
    for head in ("what", "wanted", "reached here", ""):
        table.add_column(head)
    for verdict in verdicts:
        table.add_row(verdict.what, verdict.wanted, verdict.reached, MARKS[verdict.met])
    return table

"""Takes turns: case by case, round by round, one process at work at a time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .cases import Case, Effort
from .libraries import LIBRARIES, Library
from .results import Results, Row
from .worker_process import WorkerCrashed, WorkerProcess

TIMEOUT = 300.0
"""Seconds after which a silent worker counts as crashed."""

LEAST_ROUNDS = 3

Say = Callable[[str], None]
Advance = Callable[[str], None]


@dataclass
class _Racer:
    worker: WorkerProcess
    row: Row
    spent: float = 0.0


class Runner:
    """All workers of a run. Use as a context manager: on the way out every process is ended."""

    def __init__(self, results: Results, effort: Effort, say: Say):
        self._results, self._effort, self._say = results, effort, say
        self._scratch = tempfile.TemporaryDirectory(prefix="forzium-bench-", ignore_cleanup_errors=True)
        self._workers: dict[tuple[str, int], WorkerProcess] = {}

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers.values():
            worker.kill()
        self._scratch.cleanup()

    def start(self, libraries: Collection[str]) -> None:
        """Starts those of the libraries that a case may need, at 1 thread and at all."""
        needed = {key for case in self._results.cases.values() for key in case.only or LIBRARIES}
        wanted = [LIBRARIES[key] for key in libraries if key in needed]
        for library in wanted:
            for threads in self._results.threads if library.threaded else (1,):
                self._launch(library, threads)
        for worker in list(self._workers.values()):
            self._greet(worker)

    def _launch(self, library: Library, threads: int) -> WorkerProcess:
        worker = WorkerProcess(library, threads, Path(self._scratch.name))
        self._workers[library.key, threads] = worker
        return worker

    def _greet(self, worker: WorkerProcess) -> None:
        key = worker.library.key
        try:
            hello = worker.receive(TIMEOUT)
        except WorkerCrashed as reason:
            hello = {"missing": f"cannot be loaded ({reason})"}
        if "version" in hello:
            self._results.versions[key] = hello["version"]
            return
        del self._workers[key, worker.threads]
        worker.kill()
        if key not in self._results.missing:
            self._results.missing[key] = hello["missing"]
            self._say(f"{worker.library.label}: {hello['missing']}, its rows are left empty")

    def measure(self, case: Case, advance: Advance) -> None:
        """All rounds of one case. Rows are in the results from the first round on."""
        racers = self._prepare(case)
        for number in range(self._effort.rounds):
            if number >= LEAST_ROUNDS and self._takes_long(racers):
                break
            # A different order each round: nobody always follows the same neighbour.
            turn = number % max(1, len(racers))
            for racer in racers[turn:] + racers[:turn]:
                if racer.row.status == "ok":
                    advance(
                        f"{case.title} · {racer.worker.library.label}, {count_threads(racer.worker.threads)}"
                    )
                    self._time(racer)
        for racer in racers:
            if racer.row.status == "ok":
                with self._crash_noted(racer):
                    racer.worker.ask("drop", TIMEOUT)

    def _prepare(self, case: Case) -> list[_Racer]:
        """Lets all make ready; those that failed have a row that says so."""
        takes_part = [
            worker for (key, _), worker in self._workers.items() if not case.only or key in case.only
        ]
        if case.callers:  # they bring threads of their own; the library has all of its
            takes_part = [worker for worker in takes_part if worker.threads == self._results.all_threads]
        racers = [_Racer(worker, Row(case.key, worker.library.key, worker.threads)) for worker in takes_part]
        # Only as many at once as there are CPUs: each holds its inputs and what is right until it is done.
        for first in range(0, len(racers), self._results.all_threads):
            self._prepare_together(racers[first : first + self._results.all_threads], case)
        for note in {racer.row.note for racer in racers if racer.row.status == "missing"}:
            self._say(f"{case.title}: {note}, its rows are left empty")
        self._results.rows += [racer.row for racer in racers if racer.row.status != "absent"]
        return [racer for racer in racers if racer.row.status == "ok"]

    def _prepare_together(self, racers: Sequence[_Racer], case: Case) -> None:
        for racer in racers:
            with self._crash_noted(racer):
                racer.worker.send("prepare", case=case.to_json())
        for racer in racers:
            if racer.row.status == "ok":
                with self._crash_noted(racer):
                    vars(racer.row).update(racer.worker.receive(TIMEOUT))

    def _takes_long(self, racers: Sequence[_Racer]) -> bool:
        """Whether one has used its time up. All stop with it: more rounds would find a lower minimum."""
        return any(racer.row.status == "ok" and racer.spent > self._effort.budget for racer in racers)

    def _time(self, racer: _Racer) -> None:
        begin = time.monotonic()
        with self._crash_noted(racer):
            answer = racer.worker.ask("time", TIMEOUT, seconds=self._effort.seconds)
            if "seconds" in answer:
                racer.row.rounds.append(answer["seconds"])
            else:
                vars(racer.row).update(answer)
        racer.spent += time.monotonic() - begin

    @contextmanager
    def _crash_noted(self, racer: _Racer) -> Iterator[None]:
        """Where a worker dies its row says so, and a new one takes its place for the next case."""
        try:
            yield
        except WorkerCrashed as reason:
            racer.row.status, racer.row.note = "crashed", str(reason)
            self._say(f"{racer.worker.library.label} crashed on {racer.row.case}: {reason}")
            racer.worker.kill()
            self._greet(self._launch(racer.worker.library, racer.worker.threads))


def count_threads(count: int) -> str:
    """So many threads, in words."""
    return "1 thread" if count == 1 else f"{count} threads"

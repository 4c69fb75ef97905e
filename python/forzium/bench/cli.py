"""The command line: ``python -m forzium bench``."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .cases import Case, Effort, Suite
from .libraries import LIBRARIES
from .machine import describe
from .results import Results, write_csv, write_json
from .suites import SUITES

if TYPE_CHECKING:
    from .console import Console

USAGE_ERROR = 2
INTERRUPTED = 130
SECONDS_BETWEEN_WRITES = 60.0

NEEDED = ("rich", "jinja2", "matplotlib", "numpy")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m forzium bench",
        description="Measures forzium beside the libraries that are installed, and writes JSON, CSV, charts "
        "and report.html. A figure is the minimum over rounds in which all libraries take turns.",
    )
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="SUITE",
        default=["guide"],
        help=f"what to measure: {', '.join(SUITES)} (default: guide)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and smaller cases, short rounds: a few minutes"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="only cases and probes whose key contains TEXT; may be given more than once",
    )
    parser.add_argument(
        "--libraries",
        nargs="+",
        choices=list(LIBRARIES),
        default=list(LIBRARIES),
        metavar="LIBRARY",
        help=f"only these, of: {', '.join(LIBRARIES)}",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds per case (default: as the suite says)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("metrics"),
        metavar="FOLDER",
        help="where the results go (default: metrics)",
    )
    parser.add_argument(
        "--list", action="store_true", help="print the keys of the cases and probes, and stop"
    )
    return parser


def _chosen_suites(names: Sequence[str]) -> list[Suite]:
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        raise SystemExit(_complain(f"no suite is called {unknown[0]!r}; there are: {', '.join(SUITES)}"))
    return [SUITES[name] for name in dict.fromkeys(names)]


def _complain(message: str) -> int:
    print(f"forzium bench: {message}", file=sys.stderr)
    return USAGE_ERROR


def _select(suites: Sequence[Suite], only: Sequence[str], quick: bool) -> tuple[dict[str, Case], list[str]]:
    """The cases and probes asked for; a case given as a share of a ceiling brings it along."""
    every = {case.key: case for suite in suites for case in suite.cases}

    def wanted(key: str) -> bool:
        return not only or any(text in key for text in only)

    keys = [key for key, case in every.items() if wanted(key) and (case.quick or not quick)]
    keys += [every[key].ceiling for key in keys if every[key].ceiling]
    probes = [name for suite in suites for name in suite.probes if wanted(name)]
    return {key: case for key, case in every.items() if key in keys}, list(dict.fromkeys(probes))


def _effort(suites: Sequence[Suite], quick: bool, rounds: int | None) -> Effort:
    """How long to measure: of several suites, as long as the briefest wants."""
    efforts = [suite.quick_effort if quick else suite.effort for suite in suites]
    least = min(efforts, key=lambda effort: effort.rounds * effort.seconds)
    return replace(least, rounds=rounds or least.rounds)


def _why_unwritable(folder: Path) -> str | None:
    """Makes the folder and tries to write there, before any measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"cannot write results to {folder}: {error.strerror}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 0, or 2 for bad arguments, or 130 after Ctrl-C or SIGTERM."""
    options = _parser().parse_args(arguments)
    suites = _chosen_suites(options.suites)
    cases, probes = _select(suites, options.only, options.quick)
    if options.list:
        print("\n".join([*cases, *probes]))
        return 0
    if not cases and not probes:
        return _complain(f"no case matches --only {' '.join(options.only)}; --list prints them")
    if options.rounds is not None and options.rounds < 1:
        return _complain(f"--rounds is {options.rounds}; it must be at least 1")
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return _complain(f"needs {', '.join(absent)}: pip install 'forzium[bench]'")
    problem = _why_unwritable(options.output)
    if problem:
        return _complain(problem)
    return _run(options, suites, cases, probes)


def _run(
    options: argparse.Namespace, suites: Sequence[Suite], cases: dict[str, Case], probes: list[str]
) -> int:
    import forzium

    from .console import Console

    machine = {**describe(), "simd": forzium.info()["simd"]}
    effort = _effort(suites, options.quick, options.rounds)
    results = Results(
        machine=machine,
        options={
            "quick": options.quick,
            "only": options.only,
            "rounds": effort.rounds,
            "seconds": effort.seconds,
        },
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        suites=[suite.name for suite in suites],
        cases=cases,
        threads=(1,) if machine["cpus"] == 1 else (1, machine["cpus"]),
    )
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service's end is no reason to lose the run
    try:
        _measure(console, results, effort, options, probes)
        _tell(results, console, options.output)
    except KeyboardInterrupt:
        console.say(f"Interrupted again: {options.output} holds what was finished.")
        return INTERRUPTED
    return 0 if results.complete else INTERRUPTED


def _measure(
    console: Console, results: Results, effort: Effort, options: argparse.Namespace, probes: list[str]
) -> None:
    """Fills the results, and writes them: now and then, for nobody can catch a kill, and whatever happens."""
    written = time.monotonic()

    def keep() -> None:
        nonlocal written
        if time.monotonic() - written >= SECONDS_BETWEEN_WRITES:
            write_json(results, options.output)
            written = time.monotonic()

    try:
        console.measure(results, effort, options.libraries, probes, keep)
        results.complete = True
    except KeyboardInterrupt:
        console.say("Interrupted: what was measured so far is kept.")
    finally:
        write_json(results, options.output)
        write_csv(results, options.output)


def _tell(results: Results, console: Console, folder: Path) -> None:
    """Charts, report and the closing tables."""
    from .charts import draw_all
    from .claims import tables
    from .report import write_report

    console.say("Drawing charts …")
    charts = draw_all(results, folder)
    write_report(results, charts, folder)
    console.tell(results, tables(results))
    console.say(f"Report: {folder / 'report.html'}")

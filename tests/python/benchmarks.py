"""What tests of the benchmark share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from forzium.bench.cases import Case
from forzium.bench.results import Results, Row
from forzium.bench.suites import SUITES

ROOT = Path(__file__).parents[2]


def environment(modules: Path | None = None) -> dict[str, str]:
    """The environment, in which the modules of a folder come before installed ones."""
    path = os.environ.get("PYTHONPATH")
    folders = [str(modules)] if modules else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders + ([path] if path else []))}


def run_module(*command: object, modules: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A module, and its arguments, run by this Python."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        env=environment(modules),
        capture_output=True,
        text=True,
        timeout=300,
    )


def case_of(key: str) -> Case:
    return next(case for suite in SUITES.values() for case in suite.cases if case.key == key)


def made_up_results(forzium_seconds: float) -> Results:
    case = Case("multiply.inplace.8", "multiply arrays", "8 doubles", "scale", {"shape": [8]}, 8)
    rows = [
        Row(case.key, library, threads, rounds=[seconds])
        for library, seconds in (("forzium", forzium_seconds), ("numpy", 3e-7))
        for threads in (1, 2)
    ]
    return Results({}, {}, "", ["guide"], {case.key: case}, (1, 2), rows=rows)

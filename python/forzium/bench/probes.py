"""What needs a fresh process: importing, memory, the GIL, copies. Processes take turns here too, and
the minimum of each figure is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from .worker_process import SLOWS_NUMPY_DOWN

Figures = dict[str, Any]
Advance = Callable[[str], None]

TIMEOUT = 300.0
"""Seconds after which a silent probe counts as failed."""

IMPORT_EFFECTS = """
import os, sys
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
def threads():
    return len(os.listdir("/proc/self/task"))
before = resident(), threads()
import {module}
after = resident(), threads()
import json
grown = dict(bytes=after[0] - before[0], threads=after[1] - before[1])
print(json.dumps({{**grown, "numpy": "numpy" in sys.modules}}))
"""

LISTS_WITHOUT_NUMPY = """
import sys, forzium_engine
right = forzium_engine.multiply([[1.0, 2.0], [3.0, 4.0]], 2.0) == [[2.0, 4.0], [6.0, 8.0]]
import json
print(json.dumps(dict(right=right, numpy="numpy" in sys.modules)))
"""


def _run(*command: object) -> Figures:
    """What a fresh interpreter prints; {"failed": why} if it did not work."""
    environment = {name: value for name, value in os.environ.items() if name not in SLOWS_NUMPY_DOWN}
    arguments = [sys.executable, *map(str, command)]
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, env=environment, timeout=TIMEOUT, check=False
        )
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]}
        figures: Figures = json.loads(done.stdout)
        return figures
    except subprocess.TimeoutExpired:
        return {"failed": f"no answer within {TIMEOUT:g} s"}
    except json.JSONDecodeError:
        return {"failed": "printed no figures"}


def _probe(*arguments: object) -> Figures:
    return _run("-m", "forzium.bench.probe", *arguments)


def _least(rounds: list[Figures]) -> Figures:
    """The minimum of each figure over the rounds."""
    failed = next((figures for figures in rounds if "failed" in figures), None)
    return failed or {name: min(figures[name] for figures in rounds) for name in rounds[0]}


POOL_WORKLOADS = (
    ("pool_expression", 100_000),
    ("pool_expression", 1_000_000),
    ("pool_expression", 4_000_000),
    ("pool_array", 100_000),
    ("pool_array", 1_000_000),
    ("pool_array", 4_000_000),
    ("list_product", 1_000),
)


def _measure_pool(quick: bool, advance: Advance) -> list[Figures]:
    found = []
    for workload, n in POOL_WORKLOADS:
        rounds: dict[str, list[Figures]] = {"fresh": [], "pool": []}
        for _ in range(1 if quick else 5):
            for mode, kept in rounds.items():
                advance(f"memory: {workload}, {n:,}, {mode}")
                kept.append(_probe(workload, mode, n, 0.1 if quick else 0.3))
        found += [
            {"workload": workload, "n": n, "mode": mode, **_least(kept)} for mode, kept in rounds.items()
        ]
    return found


def _wall(code: str) -> Figures:
    begin = time.perf_counter()
    found = _run("-c", f"{code}; print('{{}}')")
    return {**found, "seconds": time.perf_counter() - begin}


def _measure_import(quick: bool, advance: Advance) -> Figures:
    walls: dict[str, list[Figures]] = {"pass": [], "import forzium": [], "import numpy": []}
    for _ in range(8 if quick else 25):
        for code, kept in walls.items():
            advance(f"a fresh interpreter: {code}")
            kept.append(_wall(code))
    bare = _least(walls["pass"])
    found: Figures = {"bare_seconds": bare["seconds"], "lists": _run("-c", LISTS_WITHOUT_NUMPY)}
    for module in ("forzium", "numpy"):
        wall = _least(walls[f"import {module}"])
        effects = _least([_run("-c", IMPORT_EFFECTS.format(module=module)) for _ in range(3)])
        found[module] = {**bare, **wall, **effects, "seconds": wall["seconds"] - bare["seconds"]}
    return found


def _measure_gil(quick: bool, advance: Advance) -> Figures:
    found = {}
    for operation in ("matmul", "add", "conv2d", "max_pool2d", "sum"):
        advance(f"GIL: counting during {operation}")
        found[operation] = _probe("gil", operation, 0.1 if quick else 0.3)
    return found


def _measure_zero_copy(quick: bool, advance: Advance) -> Figures:
    advance("zero copy: memory touched by an in-place multiply")
    return _probe("zero_copy", 2000 if quick else 4000)


def _measure_expression(quick: bool, advance: Advance) -> Figures:
    advance("expression: first call and memory")
    return _least([_probe("expression", 4_000_000) for _ in range(1 if quick else 5)])


PROBES: dict[str, Callable[[bool, Advance], Any]] = {
    "import": _measure_import,
    "gil": _measure_gil,
    "expression": _measure_expression,
    "zero_copy": _measure_zero_copy,
    "pool": _measure_pool,
}

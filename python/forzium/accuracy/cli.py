"""The command line: ``python -m forzium accuracy``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import forzium

NEEDED = ("scipy", "mpmath")
USAGE_ERROR = 2
LOWEST_FIRST = (("sse2", "avx2", "avx512"), ("neon",), ("generic",))


def instruction_sets() -> list[str]:
    """Those of this build that this CPU has, lowest first."""
    highest = forzium.info()["simd_detected"]
    names: Sequence[str] = next(names for names in LOWEST_FIRST if highest in names)
    return list(names[: names.index(highest) + 1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and writes if asked to; 1 where an error is above 1 ULP, 2 for bad arguments."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return _complain(f"needs {', '.join(absent)}: pip install 'forzium[accuracy]'")
    from .oracle import ORACLES, long_double_is_wide

    present = [name for name in ORACLES if hasattr(forzium, name)]
    options = _parser(present).parse_args(arguments)
    unknown = sorted(set(options.functions) - set(present))
    if unknown:
        return _complain(f"--functions: {unknown[0]} is none of {', '.join(present)}")
    dtypes = ["float32", "float64"]
    if not long_double_is_wide():
        print("float64 is left out: this platform's long double is no wider.")
        dtypes.remove("float64")
    return _run(options, [(name, dtype) for name in options.functions or present for dtype in dtypes])


def _complain(message: str) -> int:
    print(f"forzium accuracy: {message}", file=sys.stderr)
    return USAGE_ERROR


def _parser(present: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m forzium accuracy",
        description="Finds the largest error of each function, in units in the last place, on every "
        "instruction set that this CPU has.",
    )
    parser.add_argument(
        "--functions",
        nargs="+",
        default=[],
        metavar="FUNCTION",
        help=f"only these (default: all): {', '.join(present)}",
    )
    parser.add_argument(
        "--float32-exhaustive",
        action="store_true",
        help="all 2**32 numbers of float32: minutes for each function",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the table as reStructuredText, function by function; the rows of others stay",
    )
    return parser


def _run(options: argparse.Namespace, work: Sequence[tuple[str, str]]) -> int:
    from .measure import Finding, join, measure
    from .table import COLUMNS, cells, write

    findings: list[Finding] = []
    form = "{:<12} {:<8} {:<16} {:>15} {:>20}  {}"
    print(form.format(*COLUMNS))
    simds, parts = instruction_sets(), os.cpu_count() or 1
    with ProcessPoolExecutor(parts) as pool:
        submitted = [
            [
                pool.submit(measure, *pair, simds, options.float32_exhaustive, part, parts)
                for part in range(parts)
            ]
            for pair in work
        ]
        for futures in submitted:
            found = join(future.result() for future in futures)
            findings += found
            for finding in found:
                print(form.format(*cells(finding)), flush=True)
            if options.write:
                write(options.write, found)
    return 0 if all(finding.ulp <= 1 for finding in findings) else 1

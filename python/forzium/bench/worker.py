"""One library in a process of its own: ``python -m forzium.bench.worker LIBRARY THREADS``.

Speaks JSON, one object a line: requests on standard input, replies on a copy of standard output.
Whatever the library itself prints goes to standard error. `forzium` is loaded by that command line too,
but it starts no thread and touches no library until it is called.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import threading
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TextIO

from .cases import Case
from .libraries import Adapter, Timed, TooSlow, load
from .placement import may_move, moved

Reply = dict[str, Any]

CALLS_PER_BURST = 8
"""Calls that each of many callers makes between two meetings, so that meeting costs little."""

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """On Linux: a stopped worker cannot notice that its parent is gone, so the kernel ends it."""
    if sys.platform == "linux":
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _claim_standard_output() -> TextIO:
    """The real standard output, for replies only; the descriptor itself now leads to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


class Callers:
    """Threads that make the same kind of call at once, each on arrays of its own."""

    def __init__(self, statements: list[Timed]):
        self._meeting = threading.Barrier(len(statements) + 1)
        for timed in statements:
            loop = timeit.Timer(timed.statement, globals=timed.names).inner  # type: ignore[attr-defined]
            threading.Thread(target=self._call, args=(loop,), daemon=True).start()

    def _call(self, loop: Callable[..., float]) -> None:
        try:
            while True:
                self._meeting.wait()
                loop(itertools.repeat(None, CALLS_PER_BURST), time.perf_counter)
                self._meeting.wait()
        except threading.BrokenBarrierError:
            return
        finally:
            self._meeting.abort()  # nobody waits for a caller that failed

    def burst(self) -> None:
        """Lets all go, and waits for all."""
        self._meeting.wait()
        self._meeting.wait()

    def end(self) -> None:
        """Lets the threads go home."""
        self._meeting.abort()


class Worker:
    """Prepares one case at a time and times it as often as asked."""

    def __init__(self, library: Adapter, threads: int):
        self._library = library
        self._threads = threads
        self._timer: timeit.Timer | None = None
        self._callers: Callers | None = None
        self._places: list[Timed] = []
        self._moves = False
        self._calls = 1
        self._repeats = 0

    def prepare(self, case: dict[str, Any]) -> Reply:
        """Makes the inputs, computes once, and compares with what is right."""
        self.drop()
        row = Case.from_json(case)
        build = self._library.OPERATIONS.get(row.operation)
        if build is None:
            return {"status": "absent"}
        try:
            checked = [self._check(row, build, seed) for seed in range(max(1, row.callers))]
        except NotImplementedError as reason:
            return {"status": "absent", "note": str(reason)}
        except TooSlow as reason:
            return {"status": "missing", "note": str(reason)}
        except ModuleNotFoundError as reason:
            return {"status": "missing", "note": f"needs {reason.name}, which is not installed"}
        statements = [timed for timed, _, _ in checked]
        error, tolerance = max(error for _, error, _ in checked), checked[0][2]
        reply = {"status": "ok", "statement": statements[0].statement, "error": min(error, 1e300)}
        if not error <= tolerance:
            note = f"wrong by {error:.3g} units of rounding, where {tolerance:g} are allowed"
            return {**reply, "status": "wrong", "note": note}
        self._set_timer(statements, row.callers)
        return reply

    def _check(self, case: Case, build: Callable[..., Timed], seed: int) -> tuple[Timed, float, float]:
        import numpy as np

        from .operations import OPERATIONS, error_of

        operation = OPERATIONS[case.operation]
        inputs = operation.inputs(case.params, np.random.default_rng(seed))
        self._moves = not case.callers and may_move(inputs)
        expected = operation.expected(case.params, **operation.thin(case.params, inputs))
        timed = build(case.params, **inputs)
        if timed.result is None:
            result = eval(timed.statement, timed.names)
        else:
            exec(timed.statement, timed.names)
            result = eval(timed.result, timed.names)
        result = operation.thin(case.params, {"result": result})["result"]
        return timed, error_of(case.params, expected, result), operation.tolerance(case.params)

    def _set_timer(self, statements: list[Timed], callers: int) -> None:
        if callers:
            self._callers = Callers(statements)
            self._timer = timeit.Timer("burst()", globals={"burst": self._callers.burst})
            self._calls = callers * CALLS_PER_BURST
        else:
            self._place(statements[0])
            self._calls = statements[0].calls
        self._repeats = 0

    def _place(self, timed: Timed) -> None:
        self._timer = timeit.Timer(timed.statement, globals=timed.names)
        self._places.append(timed)  # kept, or the next place would be the last but one

    def _move(self) -> None:
        last = self._places[-1]
        self._place(replace(last, names=moved(last.names)))

    def time(self, seconds: float) -> Reply:
        """Seconds per call over one round of about ``seconds``; the first round finds the repeats."""
        if self._repeats and self._moves:
            self._move()
        assert self._timer is not None
        if not self._repeats:
            self._repeats = self._find_repeats(self._timer, seconds)
        else:
            # Not counted: what was moved comes into the caches, and until a thread that slept is on a CPU
            # of its own, milliseconds may pass.
            self._timer.timeit(self._repeats if self._threads > 1 else 1)
        return {"seconds": self._timer.timeit(self._repeats) / (self._repeats * self._calls)}

    @staticmethod
    def _find_repeats(timer: timeit.Timer, seconds: float) -> int:
        repeats = 1
        while True:
            elapsed = timer.timeit(repeats)
            if elapsed > seconds / 4:
                return max(1, round(repeats * seconds / elapsed))
            repeats *= 4

    def drop(self) -> Reply:
        """Lets go of the case's arrays."""
        if self._callers is not None:
            self._callers.end()
        self._timer = self._callers = None
        self._places.clear()
        gc.collect()
        return {}


def serve(library: str, threads: int) -> None:
    """Answers requests until there are no more."""
    _die_with_parent()
    replies = _claim_standard_output()

    def reply(message: Reply) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        adapter = load(library)
        adapter.use_threads(threads)
        reply({"version": adapter.version()})
    except ModuleNotFoundError as error:
        reply({"missing": "not installed" if error.name else f"cannot be loaded ({error})"})
        return
    except Exception as error:
        reply({"missing": f"cannot be loaded ({type(error).__name__}: {error})"})
        return
    worker = Worker(adapter, threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"status": "error", "note": f"{type(error).__name__}: {error}"}
        reply(answer)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))

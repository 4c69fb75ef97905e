"""The parent's side of a worker: starting it, asking it, letting it rest, ending it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .libraries import Library, thread_environment

SLOWS_NUMPY_DOWN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Taken out of every worker's environment: with them OpenBLAS would not be at its best."""


class WorkerCrashed(Exception):
    """The worker's process ended, or gave no answer in time; says why."""


class WorkerProcess:
    """One library at one number of threads.

    Between requests the process is stopped, so that threads that spin while they wait take no time
    from the library whose turn it is.
    """

    def __init__(self, library: Library, threads: int, scratch: Path):
        self.library, self.threads = library, threads
        self._log = scratch / f"{library.key}-{threads}.log"
        environment = {name: value for name, value in os.environ.items() if name not in SLOWS_NUMPY_DOWN}
        environment |= thread_environment(threads)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "forzium.bench.worker", library.key, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is the parent's business
            )
        self._stopped = False

    def ask(self, do: str, timeout: float, **arguments: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer."""
        self.send(do, **arguments)
        return self.receive(timeout)

    def send(self, do: str, **arguments: Any) -> None:
        """Sends a request; `receive` has the answer."""
        self._wake()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerCrashed(self._last_words()) from None

    def receive(self, timeout: float) -> dict[str, Any]:
        """The answer to the last request; the first one, unasked, says what the library is."""
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + timeout
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.kill()
                raise WorkerCrashed(f"no answer within {timeout:g} s")
            piece = os.read(output.fileno(), 1 << 16)
            if not piece:
                raise WorkerCrashed(self._last_words())
            line += piece
        self._rest()
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _rest(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGSTOP)
        self._stopped = True

    def _wake(self) -> None:
        if self._stopped:
            self._process.send_signal(signal.SIGCONT)
            self._stopped = False

    def _last_words(self) -> str:
        code = self._process.wait()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        words = self._log.read_text(errors="replace").strip().splitlines()
        return f"{how}: {words[-1][:200]}" if words else how

    def kill(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

"""forzium at one instruction set, in a process of its own: the instruction set is chosen once, at import.

Numbers pass through memory that both processes map; lines on pipes say what to compute and that it is done.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from .inputs import CHUNK

PLACES = 3
"""Two operands and the result."""
PLACE = CHUNK * 8
"""Bytes of a chunk of the widest dtype."""


class Engine:
    """The parent's side. Use as a context manager."""

    def __init__(self, simd: str):
        self.simd = simd
        environment = {**os.environ, "FORZIUM_SIMD": simd, "FORZIUM_NUM_THREADS": "1"}
        with tempfile.TemporaryFile() as file:
            file.truncate(PLACES * PLACE)
            self._memory = mmap.mmap(file.fileno(), PLACES * PLACE)
            command = [sys.executable, "-m", "forzium.accuracy.engine", str(file.fileno())]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                pass_fds=[file.fileno()],
                text=True,
                bufsize=1,
            )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, name: str, operands: Sequence[Any]) -> None:
        """Begins to compute a function of at most ``CHUNK`` elements."""
        assert self._process.stdin is not None
        self._places = [_place(self._memory, i, x.dtype, len(x)) for i, x in enumerate(operands)]
        for place, x in zip(self._places, operands, strict=True):
            place[:] = x
        print(name, len(operands), operands[0].dtype, len(operands[0]), file=self._process.stdin)

    def result(self) -> Any:
        """What was started last; valid until the next start."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"the process that computes with {self.simd} has ended")
        return _place(self._memory, PLACES - 1, self._places[0].dtype, len(self._places[0]))


def _place(memory: mmap.mmap, index: int, dtype: Any, count: int) -> Any:
    return np.frombuffer(memory, dtype, count, index * PLACE)


def serve(descriptor: int) -> None:
    """The child's side: answers until there is no more to do."""
    import forzium

    memory = mmap.mmap(descriptor, PLACES * PLACE)
    for line in sys.stdin:
        name, operands, dtype, count = line.split()
        places = [_place(memory, i, dtype, int(count)) for i in (*range(int(operands)), PLACES - 1)]
        places[-1][:] = getattr(forzium, name)(*places[:-1])
        print("done", flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

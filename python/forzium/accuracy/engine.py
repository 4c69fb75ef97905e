"""forzium at one instruction set, in a process of its own: the instruction set is chosen once, at import."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any


class Engine:
    """The parent's side. Use as a context manager."""

    def __init__(self, simd: str):
        self.simd = simd
        environment = {**os.environ, "FORZIUM_SIMD": simd, "FORZIUM_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "forzium.accuracy.engine"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()

    def compute(self, name: str, operands: tuple[Any, ...]) -> Any:
        """A function of forzium."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((name, operands), self._process.stdin, protocol=5)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def serve() -> None:
    """The child's side: answers until there is no more to do."""
    import forzium

    while True:
        try:
            name, operands = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(getattr(forzium, name)(*operands), sys.stdout.buffer, protocol=5)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()

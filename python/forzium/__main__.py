"""``python -m forzium info`` tells of this build and machine; ``python -m forzium bench`` measures."""

from __future__ import annotations

import sys

USAGE = """usage: python -m forzium COMMAND

  info    version, instruction set, threads, caches and kernels
  bench   measure forzium beside other libraries (--help tells more)"""


def print_info() -> int:
    """Prints `forzium.info` and the caches, a line each."""
    import forzium

    from .bench.machine import caches, cpu_model

    facts = {**forzium.info(), "cpu": cpu_model(), "caches": caches()}
    width = max(map(len, facts))
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        elif isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        print(f"{name:<{width}}  {value}")
    return 0


def main(arguments: list[str]) -> int:
    """Runs a command; 2 if there is no such command."""
    command = arguments[0] if arguments else "--help"
    if command == "info":
        return print_info()
    if command == "bench":
        from .bench.cli import main as bench

        return bench(arguments[1:])
    print(USAGE, file=sys.stdout if command in ("-h", "--help") else sys.stderr)
    return 0 if arguments and command in ("-h", "--help") else 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

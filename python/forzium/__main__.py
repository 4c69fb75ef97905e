"""``python -m forzium info`` tells of this build and machine; ``bench`` measures its speed,
``accuracy`` its errors."""

from __future__ import annotations

import sys

USAGE = """usage: python -m forzium COMMAND

  info       version, instruction set, threads, caches and kernels
  bench      measure forzium beside other libraries (--help tells more)
  accuracy   measure the errors of its functions (--help tells more)"""


def print_info() -> int:
    """Prints `forzium.info`, a line for each fact."""
    import forzium

    facts = forzium.info()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {_in_words(value)}")
    return 0


def _in_words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(item)}" for name, item in value.items())
    if isinstance(value, tuple):
        return "×".join(map(str, value))
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return str(value)


def main(arguments: list[str]) -> int:
    """Runs a command; 2 if there is no such command."""
    command = arguments[0] if arguments else "--help"
    if command == "info":
        return print_info()
    if command == "bench":
        from .bench.cli import main as bench

        return bench(arguments[1:])
    if command == "accuracy":
        from .accuracy.cli import main as accuracy

        return accuracy(arguments[1:])
    print(USAGE, file=sys.stdout if command in ("-h", "--help") else sys.stderr)
    return 0 if arguments and command in ("-h", "--help") else 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

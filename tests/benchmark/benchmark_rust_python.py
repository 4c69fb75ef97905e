"""The guide's command for measuring: ``python -m tests.benchmark.benchmark_rust_python``.

The same as ``python -m forzium bench``, which has the code.
"""

from forzium.bench.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

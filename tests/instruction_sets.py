"""Print of this build's instruction sets the highest that this CPU has, or those below it, lowest first."""

import sys

import forzium

LOWEST_FIRST = {"x86": ["sse2", "avx2", "avx512"], "arm": ["neon"], "other": ["generic"]}


def lower(highest: str) -> list[str]:
    for names in LOWEST_FIRST.values():
        if highest in names:
            return names[: names.index(highest)]
    raise SystemExit(f"unknown instruction set {highest}")


if __name__ == "__main__":
    highest = forzium.detect_simd_support()
    print(*([highest] if sys.argv[1:] == ["highest"] else lower(highest)))

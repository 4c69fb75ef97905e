"""Print the instruction sets of this build that this CPU has, lowest first."""

import forzium

LOWEST_FIRST = {"x86": ["sse2", "avx2", "avx512"], "arm": ["neon"], "other": ["generic"]}


def available() -> list[str]:
    highest = forzium.detect_simd_support()
    for names in LOWEST_FIRST.values():
        if highest in names:
            return names[: names.index(highest) + 1]
    raise SystemExit(f"unknown instruction set {highest}")


if __name__ == "__main__":
    print(*available())

"""Print the instruction sets that this build and this CPU have below the highest, lowest first."""

import forzium

LOWEST_FIRST = {"x86": ["sse2", "avx2", "avx512"], "arm": ["neon"], "other": ["generic"]}


def lower() -> list[str]:
    highest = forzium.detect_simd_support()
    for names in LOWEST_FIRST.values():
        if highest in names:
            return names[: names.index(highest)]
    raise SystemExit(f"unknown instruction set {highest}")


if __name__ == "__main__":
    print(*lower())

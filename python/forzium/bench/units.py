"""Numbers as people read them."""

from __future__ import annotations


def format_seconds(seconds: float) -> str:
    """Three digits and a unit: 1.23 µs."""
    for factor, unit in ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms")):
        if seconds < 999.5 * factor:
            return f"{_three_digits(seconds / factor)} {unit}"
    return f"{_three_digits(seconds)} s"


def format_ratio(ratio: float) -> str:
    """Three digits and a sign: 1.23×."""
    return f"{_three_digits(ratio)}×"


def format_bytes(count: float) -> str:
    """Three digits and a unit: 1.23 MB."""
    for factor, unit in ((1e3, "bytes"), (1e6, "kB"), (1e9, "MB")):
        if abs(count) < factor:
            return f"{_three_digits(count / factor * 1e3)} {unit}"
    return f"{_three_digits(count / 1e9)} GB"


def format_percent(share: float) -> str:
    """A share as a percentage: 87 %."""
    return f"{share * 100:.0f} %"


def format_count(n: float) -> str:
    """A number of elements: 512, 1e6, 1.6e7."""
    if n < 10_000:
        return f"{n:g}"
    mantissa, exponent = f"{n:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _three_digits(value: float) -> str:
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"

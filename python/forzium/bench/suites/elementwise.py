"""The elementwise suite: every element-wise row of the table, reductions, row-wise work and expressions.

The rows are those that forzium has; what another library lacks it leaves out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

import forzium

from .. import functions
from ..cases import Case, Effort, Suite
from ..units import format_count
from . import rows

SIZES = {8: (2, 4), 1_000: (20, 50), 100_000: (200, 500), 1_000_000: (1000, 1000), 16_000_000: (4000, 4000)}
"""Numbers of elements, and the matrices that have as many."""

SHARED = ("add", "exp", "sum")
SHARED_SIZES = {10_000: (100, 100), 20_000: (100, 200), 50_000: (200, 250)}
"""More sizes for these few, of contiguous floats: there calls begin to be shared between threads."""

SMALLEST = 8
OTHER_SIZES = (1_000, 1_000_000)
QUICK_SIZES = (8, 100_000, 1_000_000)
BEYOND_CACHES = 1_000_000
LARGEST = 16_000_000
FLOATS = ("float32", "float64")

REPRESENTATIVES = (
    *("add", "divide", "maximum", "sqrt", "power", "exp", "log", "sin", "tanh", "erf", "sigmoid", "gelu"),
    *("less", "where"),
)
"""Measured at every size and in every layout; their families' other rows at two sizes, and the smallest if
an element has 64 bits."""

REDUCTIONS = ("sum", "mean", "max", "var", "argmax")
OTHER_REDUCTIONS = (
    *("min", "argmin", "prod", "std", "any", "all", "count_nonzero"),
    *("nansum", "nanmean", "nanmax", "nanmin", "nanprod", "nanstd", "nanvar"),
)
"""Measured over the last axis of float64 at two sizes, and some over others; the rest everywhere."""
OVER_OTHER_AXES = ("argmin", "prod", "std", "nansum")
AXES = {"last": 1, "first": 0, "all": None}
ALONG = {"cumsum": 1, "cumprod": 1, "dot": 2, "vecdot": 2, "norm": 1, "logsumexp": 1}
"""What works along the last axis, and how many operands it has; dot's are vectors."""
OTHER_ALONG = ("cumprod", "vecdot")
"""Measured at two sizes: they are siblings of others."""
ROWWISE = ("softmax", "log_softmax", "layer_norm", "rms_norm", "normalize")
CONVERSIONS = (("float64", "float32"), ("float32", "float64"))
EXPRESSIONS = {
    "rational": "2*a + 3*b - c/(1 + a*a)",
    "difference": "(a - b)**2",
    "distance": "sum((a - b)**2)",
    "larger": "where(a > b, a, b)",
    "polynomial": "((((0.25*a + 0.5)*a - 0.75)*a + 1.5)*a - 2)*a + 1",
    "wave": "exp(-a*a)*sin(b)",
    "whole": "(3*a + b) ^ (a >> 2)",
    "row": "(a - b)*c",
    "column": "(a - b)*c",
}
"""Those named as a layout have b and c broadcast."""

_STREAM_REPEATS = {1_000_000: 50, 16_000_000: 4}


def width(dtype: str) -> int:
    """Bytes of an element."""
    return np.dtype(dtype).itemsize


def stream(arrays: int, n: int, dtype: str) -> str:
    """The key of the plain loop over as many arrays, where n elements do not fit the caches."""
    if n < BEYOND_CACHES or dtype == "float16":
        return ""
    dtype = dtype.replace("int", "float")  # memory does not tell them apart
    return f"machine.{ {1: 'sum', 2: 'copy'}.get(arrays, 'add') }.{dtype}.{format_count(n)}"


def count_operands(name: str) -> int:
    """How many operands forzium's operation takes if it is an element-wise one; else 0."""
    operation = getattr(forzium, name, None)
    if not isinstance(operation, type(forzium.add)):
        return 0
    if name == "clip":
        return 3  # its bounds have names
    parameters = inspect.signature(operation).parameters.values()
    names = [each.name for each in parameters if each.kind is inspect.Parameter.POSITIONAL_ONLY]
    return 0 if "dtype" in names else len(names)  # astype's is no operand


def operations() -> dict[str, int]:
    """forzium's element-wise operations whose results are known, and how many operands each has."""
    counted = {name: count_operands(name) for name in dir(forzium)}
    return {name: count for name, count in counted.items() if count and functions.exact(name)}


def _family(name: str) -> str:
    return next((family for family, names in functions.FAMILIES.items() if name in names), "others")


def _element(name: str, operands: int, n: int, dtype: str, layout: str) -> Case:
    broadcast = layout in ("row", "column")
    shape = SIZES[n] if broadcast else (n,)
    written = 1 if name in functions.FAMILIES["comparison"] else width(dtype)
    full = operands - broadcast
    read = full * width(dtype) - (width(dtype) - 1 if name == "where" else 0)  # its condition is bool
    traffic = (read + written) * n
    params = {
        **{"function": name, "operands": operands, "shape": list(shape), "dtype": dtype},
        "layout": layout,
    }
    size = format_count(n)
    how = {"contiguous": "", "strided": ", strided", "row": " with a row", "column": " with a column"}[layout]
    bound = name in functions.MEMORY_BOUND and layout != "strided"
    return Case(
        f"{name}.{dtype}.{layout}.{size}",
        _family(name),
        f"{name} of {size} {dtype}{how}",
        "elementwise",
        params,
        n,
        bytes=traffic,
        ceiling=stream(full + 1, n, dtype) if bound else "",
        quick=n in QUICK_SIZES and dtype == "float64" and name in REPRESENTATIVES and layout == "contiguous",
    )


def _sizes(name: str, dtype: str, layout: str) -> Iterable[int]:
    """In other layouts the largest arrays only where memory sets the pace: such rows take seconds."""
    if name not in REPRESENTATIVES:
        return (SMALLEST, *OTHER_SIZES) if width(dtype) == 8 else OTHER_SIZES
    if name in SHARED and layout == "contiguous" and dtype in FLOATS:
        return sorted(SIZES | SHARED_SIZES)
    every = layout == "contiguous" or name in functions.MEMORY_BOUND
    return [n for n in SIZES if every or n < LARGEST]


def _elements() -> Iterable[Case]:
    for name, operands in operations().items():
        chosen = name in REPRESENTATIVES
        layouts = ["contiguous", "strided"] if chosen else ["contiguous"]
        if chosen and operands > 1:
            layouts += ["row", "column"]
        narrow = ("float16",) if name == "add" else ()
        for dtype in ("int32", "int64") if name in functions.WHOLE else (*FLOATS, *narrow):
            for layout in layouts:
                for n in _sizes(name, dtype, layout) if layout == "contiguous" or dtype not in narrow else ():
                    yield _element(name, operands, n, dtype, layout)


def _reductions() -> Iterable[Case]:
    for name in filter(lambda name: hasattr(forzium, name), REDUCTIONS):
        for dtype in (*FLOATS, "int32") if name == "sum" else FLOATS:
            for where in AXES:
                shared = name in SHARED and where == "all" and dtype in FLOATS
                for n in sorted(SIZES | SHARED_SIZES) if shared else SIZES:
                    yield _reduction(name, n, dtype, where)
    for name in filter(lambda name: hasattr(forzium, name), OTHER_REDUCTIONS):
        for where in AXES if name in OVER_OTHER_AXES else ("last",):
            for n in OTHER_SIZES:
                yield _reduction(name, n, "float64", where)


def _reduction(name: str, n: int, dtype: str, where: str) -> Case:
    size = format_count(n)
    title = f"{name} of {size} {dtype}, {'all axes' if where == 'all' else f'{where} axis'}"
    shape = list((SIZES | SHARED_SIZES)[n])
    params = {"function": name, "axis": AXES[where], "shape": shape, "dtype": dtype}
    return Case(
        f"{name}.{dtype}.{where}.{size}",
        "reductions",
        title,
        "reduce",
        params,
        n,
        bytes=width(dtype) * n,
        ceiling=stream(1, n, dtype),
        quick=n in QUICK_SIZES and dtype == "float64" and name == "sum",
    )


def _along() -> Iterable[Case]:
    for name, operands in ALONG.items():
        for dtype in FLOATS:
            for n in OTHER_SIZES if name in OTHER_ALONG else SIZES:
                size, arrays = format_count(n), 2 if name.startswith("cum") else operands
                params = {"function": name, "operands": operands, "dtype": dtype}
                params["shape"] = [n] if name == "dot" else list(SIZES[n])
                where = "" if name == "dot" else ", last axis"
                key, title = f"{name}.{dtype}.{size}", f"{name} of {size} {dtype}{where}"
                row = Case(key, "along an axis", title, "along", params, n, bytes=arrays * width(dtype) * n)
                bound = name in ("dot", "vecdot", "norm")  # they only read, as a sum does
                yield replace(row, ceiling=stream(1, n, dtype) if bound else "")


def _conversions() -> Iterable[Case]:
    for dtype, to in CONVERSIONS:
        n = 1_000_000
        size, traffic = format_count(n), (width(dtype) + width(to)) * n
        key, title = f"astype.{dtype}.{to}.{size}", f"astype of {size} {dtype} to {to}"
        params = {"shape": [n], "dtype": dtype, "to": to}
        yield Case(key, "conversion", title, "astype", params, n, bytes=traffic, quick=False)


def _rowwise() -> Iterable[Case]:
    for name in filter(lambda name: hasattr(forzium, name), ROWWISE):
        for dtype in FLOATS:
            for shape in ((32, 100), (4096, 1024)):
                size = "×".join(map(str, shape))
                n, traffic = shape[0] * shape[1], 2 * width(dtype) * shape[0] * shape[1]
                params = {"function": name, "shape": list(shape), "dtype": dtype}
                key, title = f"{name}.{dtype}.{size.replace('×', 'x')}", f"{name} of {size} {dtype}"
                quick = dtype == "float32" and name in ("softmax", "layer_norm")
                yield Case(key, "row-wise", title, "rowwise", params, n, bytes=traffic, quick=quick)


def _expressions() -> Iterable[Case]:
    for name, expression in EXPRESSIONS.items() if hasattr(forzium, "evaluate") else ():
        names = sorted(set(re.findall(r"\b[abc]\b", expression)))
        is_broadcast = name in ("row", "column")
        arrays = (1 if is_broadcast else len(names)) + (not expression.startswith("sum("))
        how = f", b and c a {name}" if is_broadcast else ""
        for dtype in ("int32", "int64") if name == "whole" else FLOATS:
            for n in SIZES:
                size, traffic = format_count(n), arrays * width(dtype) * n
                shape = list(SIZES[n]) if is_broadcast else [n]
                params = {"expression": expression, "names": names, "shape": shape, "dtype": dtype}
                params["layout"] = name if is_broadcast else "contiguous"
                key, title = f"expression.{name}.{dtype}.{size}", f"{expression} of {size} {dtype}{how}"
                quick = n in QUICK_SIZES and dtype == "float64" and name not in ("row", "column")
                yield Case(key, "expressions", title, "expression", params, n, bytes=traffic, quick=quick)


_MACHINE = tuple(
    rows.quick_if(dtype == "float64", rows.stream(loop, n, repeats, dtype))
    for dtype in FLOATS
    for n, repeats in _STREAM_REPEATS.items()
    for loop in ("copy", "add", "sum")
)

SUITE = Suite(
    name="elementwise",
    title="Element-wise operations, reductions and expressions",
    cases=(
        *(*_MACHINE, *_elements(), *_conversions(), *_reductions()),
        *(*_along(), *_rowwise(), *_expressions()),
    ),
    effort=Effort(rounds=5, seconds=0.005, budget=0.2),
    probes=("expression",) if hasattr(forzium, "evaluate") else (),
    quick_effort=Effort(rounds=3, seconds=0.003, budget=0.1),
)

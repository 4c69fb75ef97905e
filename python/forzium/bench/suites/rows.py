"""Rows for suites' tables: one function for each kind of case, so that a table is a list of sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..cases import Case
from ..units import format_count

PLAIN = ("plain",)
CALLING = ("forzium", "numpy")
LISTS = ("forzium", "python", "numpy", "floor")
LARGE_LISTS = ("forzium", "numpy")


def quick_if(condition: bool, case: Case) -> Case:
    """The same row, measured by ``--quick`` only where the condition holds."""
    return replace(case, quick=condition)


_STREAMS = {"scale": ("x[i] *= f", 2), "copy": ("y[i] = x[i]", 2), "add": ("z[i] = x[i] + y[i]", 3)}
_STREAMS["sum"] = ("s += x[i]", 1)


def stream(name: str, n: int, repeats: int, dtype: str = "") -> Case:
    """The bandwidth of a plain loop over n doubles, or elements of a dtype, many times."""
    loop, arrays = _STREAMS[name]
    size, params = format_count(n), {"shape": [n], "repeats": repeats, "dtype": dtype or "float64"}
    key = ".".join(filter(None, ("machine", name, dtype, size)))
    title = f"Plain loop: {loop}, {size} {dtype or 'doubles'}"
    traffic = arrays * np.dtype(dtype or "float64").itemsize * n
    return Case(key, "machine", title, f"stream_{name}", params, n, bytes=traffic, only=PLAIN)


def fma(dtype: str) -> Case:
    """The rate of a loop of nothing but fused multiply-adds, as many as a product of n×n arrays has."""
    n = 1024
    title, flops = f"Plain loop of fused multiply-adds, {dtype}", 2 * n**3
    params = {"n": n, "flops": flops, "dtype": dtype}
    return Case(f"machine.fma.{dtype}", "machine", title, "fma", params, n, flops=flops, only=PLAIN)


def multiply_list(n: int) -> Case:
    """An n×n list times a factor."""
    title, params = f"Multiply a {n}×{n} list by a factor", {"shape": [n, n]}
    return Case(f"multiply.list.{n}", "multiply lists", title, "scale_list", params, n, only=LISTS)


def zero_copy_multiply(n: int) -> Case:
    """An n×n array times a factor, in place, by the guide's function."""
    title = f"zero_copy_multiply, {n}×{n} doubles in place"
    params = {"shape": [n, n], "function": "zero_copy_multiply"}
    return Case(f"multiply.array.{n}", "multiply arrays", title, "scale", params, n * n, bytes=16 * n * n)


def multiply_in_place(n: int, ceiling: str = "") -> Case:
    """n doubles times a factor, in place."""
    size = format_count(n)
    key, title = f"multiply.inplace.{size}", f"Multiply {size} doubles in place"
    return Case(key, "multiply arrays", title, "scale", {"shape": [n]}, n, bytes=16 * n, ceiling=ceiling)


def conv2d_list(n: int) -> Case:
    """A 3×3 convolution of an n×n list."""
    title, params = f"3×3 convolution of a {n}×{n} list", {"shape": [n, n]}
    return Case(f"conv2d.list.{n}", "convolution", title, "conv2d_list", params, n, flops=18 * (n - 2) ** 2)


def conv2d(n: int) -> Case:
    """A 3×3 convolution of n×n doubles."""
    key, title, params = f"conv2d.array.{n}", f"3×3 convolution of {n}×{n} doubles", {"shape": [n, n]}
    return Case(key, "convolution", title, "conv2d", params, n, flops=18 * (n - 2) ** 2, bytes=16 * n * n)


def conv2d_photograph(name: str, n: int) -> Case:
    """A 3×3 convolution of one of scikit-image's photographs, n×n, as doubles."""
    title, params = f"3×3 convolution of a photograph ({n}×{n} doubles)", {"photograph": name}
    flops = 18 * (n - 2) ** 2
    return Case("conv2d.photo", "convolution", title, "conv2d", params, n, flops=flops, bytes=16 * n * n)


def matmul_list(n: int) -> Case:
    """The product of two n×n lists; without pure Python where that would take minutes."""
    key, title, only = f"matmul.list.{n}", f"Product of two {n}×{n} lists", LISTS if n <= 100 else LARGE_LISTS
    return Case(key, "matmul lists", title, "matmul_list", {"n": n}, n, flops=2 * n**3, only=only)


def matmul(n: int, dtype: str) -> Case:
    """The product of two n×n arrays."""
    key, title = f"matmul.{dtype}.{n}", f"Product of two {n}×{n} arrays, {dtype}"
    params, ceiling = {"n": n, "dtype": dtype}, f"machine.fma.{dtype}"
    return Case(key, "matmul arrays", title, "matmul", params, n, flops=2 * n**3, ceiling=ceiling)


def elementwise(function: str, n: int, operands: int) -> Case:
    """A function of one or two arrays of n doubles."""
    size = format_count(n)
    params = {"shape": [n], "function": function, "operands": operands, "layout": "contiguous"}
    title, traffic = f"{function} of {size} doubles", 8 * (operands + 1) * n
    return Case(f"{function}.{size}", "element-wise", title, "elementwise", params, n, bytes=traffic)


def reduction(function: str, shape: tuple[int, ...], axis: int | None) -> Case:
    """A reduction over one axis or all."""
    n = shape[0] if len(shape) == 1 else shape[0] * shape[1]
    size = "×".join(map(format_count, shape))
    where = "all" if axis is None else f"axis {axis}"
    key = f"{function}.{size.replace('×', 'x')}.{where.replace(' ', '')}"
    params = {"shape": list(shape), "function": function, "axis": axis}
    return Case(key, "reductions", f"{function} of {size} doubles, {where}", "reduce", params, n, bytes=8 * n)


def max_pool2d(n: int, window: int) -> Case:
    """Max-pooling of n×n doubles."""
    title = f"{window}×{window} max-pooling of {n}×{n} doubles"
    params, group = {"shape": [n, n], "window": window}, "pooling and transpose"
    size = 8 * (n * n + (n // window) ** 2)
    return Case(f"max_pool2d.{n}", group, title, "max_pool2d", params, n, bytes=size)


def transpose(n: int) -> Case:
    """The transpose of n×n doubles, copied."""
    title, params = f"Transpose of {n}×{n} doubles", {"shape": [n, n]}
    return Case(f"transpose.{n}", "pooling and transpose", title, "transpose", params, n, bytes=16 * n * n)


def callers(count: int, name: str, case: Case) -> Case:
    """A case called by `count` Python threads at once, each on arrays of its own."""
    who = "1 thread" if count == 1 else f"{count} threads"
    title = f"{who} calling: {case.title[0].lower()}{case.title[1:]}"
    return replace(
        case,
        key=f"callers.{name}.{count}",
        group="many callers",
        title=title,
        size=count,
        callers=count,
        only=CALLING,
        ceiling="",
    )

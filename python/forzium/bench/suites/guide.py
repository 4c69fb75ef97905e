"""The guide suite: what the optimization guide promises, and what a user of arrays meets daily."""

from __future__ import annotations

from collections.abc import Iterator

from ..cases import Case, Suite
from ..units import format_count

LIST_LIBRARIES = ("forzium", "python", "numpy", "floor")
FAST_LIST_LIBRARIES = ("forzium", "numpy")


def _machine() -> Iterator[Case]:
    for n, repeats in ((10**6, 100), (16 * 10**6, 5)):
        params = {"shape": [n], "repeats": repeats}
        yield Case(
            f"machine.scale.{format_count(n)}",
            "machine",
            f"Plain loop: x[i] *= f, {format_count(n)} doubles",
            "stream_scale",
            params,
            n,
            bytes=16 * n,
            only=("plain",),
        )
        yield Case(
            f"machine.copy.{format_count(n)}",
            "machine",
            f"Plain loop: y[i] = x[i], {format_count(n)} doubles",
            "stream_copy",
            params,
            n,
            bytes=16 * n,
            only=("plain",),
        )
    flops = 2 * 512**3
    for dtype in ("float64", "float32"):
        yield Case(
            f"machine.fma.{dtype}",
            "machine",
            f"Plain loop of fused multiply-adds, {dtype}",
            "fma",
            {"flops": flops, "dtype": dtype},
            512,
            flops=flops,
            only=("plain",),
        )


def _multiply() -> Iterator[Case]:
    for n in (3, 100, 500, 1000):
        yield Case(
            f"multiply.list.{n}",
            "multiply lists",
            f"Multiply a {n}×{n} list by a factor",
            "scale_list",
            {"shape": [n, n]},
            n,
            only=LIST_LIBRARIES,
        )
    yield Case(
        "multiply.inplace.8",
        "multiply arrays",
        "Multiply 8 doubles in place",
        "scale",
        {"shape": [8]},
        8,
        bytes=16 * 8,
    )
    for n in (100, 500, 1000):
        yield Case(
            f"multiply.array.{n}",
            "multiply arrays",
            f"zero_copy_multiply, {n}×{n} doubles in place",
            "scale",
            {"shape": [n, n], "function": "zero_copy_multiply"},
            n * n,
            bytes=16 * n * n,
        )
    for n in (10**6, 16 * 10**6):
        yield Case(
            f"multiply.inplace.{format_count(n)}",
            "multiply arrays",
            f"Multiply {format_count(n)} doubles in place",
            "scale",
            {"shape": [n]},
            n,
            bytes=16 * n,
            ceiling=f"machine.scale.{format_count(n)}",
        )


def _convolution() -> Iterator[Case]:
    yield Case(
        "conv2d.list.50",
        "convolution",
        "3×3 convolution of a 50×50 list",
        "conv2d_list",
        {"shape": [50, 50]},
        50,
        flops=18 * 48**2,
        only=("forzium", "python"),
    )
    for n in (50, 100, 200, 1000):
        yield Case(
            f"conv2d.array.{n}",
            "convolution",
            f"3×3 convolution of {n}×{n} doubles",
            "conv2d",
            {"shape": [n, n]},
            n,
            flops=18 * (n - 2) ** 2,
            bytes=16 * n * n,
        )
    yield Case(
        "conv2d.photo",
        "convolution",
        "3×3 convolution of a photograph (512×512 doubles)",
        "conv2d",
        {"photograph": "camera"},
        512,
        flops=18 * 510**2,
        bytes=16 * 512**2,
    )


def _matmul() -> Iterator[Case]:
    for n in (3, 100, 500, 1000):
        yield Case(
            f"matmul.list.{n}",
            "matmul lists",
            f"Product of two {n}×{n} lists",
            "matmul_list",
            {"n": n},
            n,
            flops=2 * n**3,
            only=LIST_LIBRARIES[:3] if n <= 100 else FAST_LIST_LIBRARIES,
            quick=n <= 100,
        )
    for dtype in ("float64", "float32"):
        for n in (100, 256, 500, 512, 1000, 2000):
            yield Case(
                f"matmul.{dtype}.{n}",
                "matmul arrays",
                f"Product of two {n}×{n} arrays, {dtype}",
                "matmul",
                {"n": n, "dtype": dtype},
                n,
                flops=2 * n**3,
                ceiling=f"machine.fma.{dtype}",
                quick=n in (100, 256, 512),
            )


def _elementwise() -> Iterator[Case]:
    for n in (10**5, 10**6):
        for function, arity in (("add", 2), ("sqrt", 1), ("maximum", 2)):
            yield Case(
                f"{function}.{format_count(n)}",
                "element-wise",
                f"{function} of {format_count(n)} doubles",
                "unary" if arity == 1 else "binary",
                {"shape": [n], "function": function},
                n,
                bytes=8 * (arity + 1) * n,
                quick=n == 10**6,
            )


def _reductions() -> Iterator[Case]:
    for function in ("sum", "mean"):
        for axis in (None, 0, 1):
            where = "all" if axis is None else f"axis {axis}"
            yield Case(
                f"{function}.1000x1000.{where.replace(' ', '')}",
                "reductions",
                f"{function} of 1000×1000 doubles, {where}",
                "reduce",
                {"shape": [1000, 1000], "function": function, "axis": axis},
                10**6,
                bytes=8 * 10**6,
                quick=function == "sum",
            )
        yield Case(
            f"{function}.1e7",
            "reductions",
            f"{function} of 1e7 doubles",
            "reduce",
            {"shape": [10**7], "function": function, "axis": None},
            10**7,
            bytes=8 * 10**7,
            quick=False,
        )


def _images() -> Iterator[Case]:
    yield Case(
        "max_pool2d.1000",
        "pooling and transpose",
        "2×2 max-pooling of 1000×1000 doubles",
        "max_pool2d",
        {"shape": [1000, 1000], "window": 2},
        1000,
        bytes=10 * 10**6,
    )
    yield Case(
        "transpose.1000",
        "pooling and transpose",
        "Transpose of 1000×1000 doubles",
        "transpose",
        {"shape": [1000, 1000]},
        1000,
        bytes=16 * 10**6,
    )


def _callers() -> Iterator[Case]:
    for callers in (1, 2, 4, 16):
        quick = callers in (1, 4)
        who = "1 thread" if callers == 1 else f"{callers} threads"
        yield Case(
            f"callers.matmul.{callers}",
            "many callers",
            f"{who} calling matmul, 256×256",
            "matmul",
            {"n": 256, "dtype": "float64"},
            callers,
            flops=2 * 256**3,
            callers=callers,
            only=("forzium", "numpy"),
            quick=quick,
        )
        yield Case(
            f"callers.multiply.{callers}",
            "many callers",
            f"{who} calling multiply, 1e6 doubles",
            "scale",
            {"shape": [10**6]},
            callers,
            bytes=16 * 10**6,
            callers=callers,
            only=("forzium", "numpy"),
            quick=quick,
        )


SUITE = Suite(
    name="guide",
    title="The optimization guide, measured",
    cases=(
        *_machine(),
        *_multiply(),
        *_convolution(),
        *_matmul(),
        *_elementwise(),
        *_reductions(),
        *_images(),
        *_callers(),
    ),
    probes=("import", "gil", "zero_copy", "pool"),
)

"""The ceilings of this machine: plain streaming loops, and a loop of fused multiply-adds.

With numba installed the loops are compiled by it, and the multiply-adds by the LLVM it brings, on
vectors as wide as the CPU has. Without it NumPy stands in: ``multiply``, ``copyto`` and ``matmul``.
Each thread has a part of its own and goes over it many times, so that starting threads costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import CFUNCTYPE, c_double, c_float, c_int64
from typing import Any

import numpy as np

from . import Timed

try:
    import llvmlite
    import llvmlite.binding as llvm
    import numba
except ImportError:
    numba = None

_ACCUMULATORS = 12
"""Independent sums: enough to cover the latency of two FMA units, few enough for 16 registers."""

_threads = 1


def version() -> str:
    """What the loops were made with."""
    if numba is None:
        return f"NumPy {np.__version__} in its place (numba is not installed)"
    return f"numba {numba.__version__}, llvmlite {llvmlite.__version__}"


def use_threads(count: int) -> None:
    """How many threads share a loop."""
    global _threads
    _threads = count


def _in_threads(loop: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> Callable[[], list[Any]]:
    """Runs the loop on each tuple of arguments at once, a thread each; without threads if there is one."""
    if len(arguments) == 1:
        return lambda: [loop(*arguments[0])]
    pool = ThreadPoolExecutor(len(arguments))
    return lambda: list(pool.map(lambda each: loop(*each), arguments))


def _scale_loop(x: Any, factor: float, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            x[i] *= factor


def _copy_loop(x: Any, out: Any, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            out[i] = x[i]


def _numpy_scale(x: Any, factor: float, repeats: int) -> None:
    for _ in range(repeats):
        np.multiply(x, factor, out=x)


def _numpy_copy(x: Any, out: Any, repeats: int) -> None:
    for _ in range(repeats):
        np.copyto(out, x)


def _scale(params: Any, x: Any, factor: float) -> Timed:
    loop = _numpy_scale if numba is None else numba.njit(nogil=True)(_scale_loop)
    parts = [(part, factor, params["repeats"]) for part in np.array_split(x, _threads)]
    return Timed("scale()", {"scale": _in_threads(loop, parts), "x": x}, "x", calls=params["repeats"])


def _copy(params: Any, x: Any) -> Timed:
    loop = _numpy_copy if numba is None else numba.njit(nogil=True)(_copy_loop)
    out = np.empty_like(x)
    halves = zip(np.array_split(x, _threads), np.array_split(out, _threads), strict=True)
    parts = [(source, target, params["repeats"]) for source, target in halves]
    return Timed("copy()", {"copy": _in_threads(loop, parts), "out": out}, "out", calls=params["repeats"])


def _add_loop(x: Any, y: Any, out: Any, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(x.size):
            out[i] = x[i] + y[i]


def _sum_loop(x: Any, repeats: int) -> Any:
    total = x.dtype.type(0)  # in float64 floats would be converted, and take longer than reading does
    for _ in range(repeats):
        total = x.dtype.type(0)
        for i in range(x.size):
            total += x[i]
    return total


def _numpy_add(x: Any, y: Any, out: Any, repeats: int) -> None:
    for _ in range(repeats):
        np.add(x, y, out=out)


def _numpy_sum(x: Any, repeats: int) -> float:
    return [float(np.sum(x)) for _ in range(repeats)][-1]


def _add(params: Any, x: Any, y: Any) -> Timed:
    loop = _numpy_add if numba is None else numba.njit(nogil=True)(_add_loop)
    out, repeats = np.empty_like(x), params["repeats"]
    thirds = zip(*(np.array_split(array, _threads) for array in (x, y, out)), strict=True)
    run = _in_threads(loop, [(*third, repeats) for third in thirds])
    return Timed("add()", {"add": run, "out": out}, "out", calls=repeats)


def _sum(params: Any, x: Any) -> Timed:
    loop = _numpy_sum
    if numba is not None:
        loop = numba.njit(nogil=True, fastmath={"reassoc"})(_sum_loop)
    parts = [(part, params["repeats"]) for part in np.array_split(x, _threads)]
    names = {"read": _in_threads(loop, parts), "total": sum}
    return Timed("read()", names, "total(read())", calls=params["repeats"])


def _vector_bits() -> int:
    features = llvm.get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx2") else 128


def _fma_source(dtype: str, lanes: int) -> str:
    """LLVM assembly: each accumulator a becomes a * x + x, `count` times; returns their sum."""
    scalar = {"float64": "double", "float32": "float"}[dtype]
    vector, suffix = f"<{lanes} x {scalar}>", f"v{lanes}f{dtype[-2:]}"
    ones = f"<{', '.join([f'{scalar} 1.0'] * lanes)}>"
    numbers = range(_ACCUMULATORS)
    phis = "\n".join(f"%a{k} = phi {vector} [ {ones}, %entry ], [ %b{k}, %loop ]" for k in numbers)
    steps = "\n".join(
        f"%b{k} = call {vector} @llvm.fma.{suffix}({vector} %a{k}, {vector} %x, {vector} %x)" for k in numbers
    )
    sums = "\n".join(
        f"%s{k} = fadd {vector} {'zeroinitializer' if k == 0 else f'%s{k - 1}'}, %b{k}" for k in numbers
    )
    return f"""
declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})
define double @fma(i64 %count, {scalar} %factor) "min-legal-vector-width"="512" "prefer-vector-width"="512" {{
entry:
  %head = insertelement {vector} undef, {scalar} %factor, i32 0
  %x = shufflevector {vector} %head, {vector} undef, <{lanes} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  {phis}
  {steps}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  {sums}
  %first = extractelement {vector} %s{_ACCUMULATORS - 1}, i32 0
  %result = {"fpext float %first to double" if scalar == "float" else "fadd double %first, 0.0"}
  ret double %result
}}
"""


def _fma_loop(dtype: str, lanes: int) -> tuple[Callable[[int, float], float], Any]:
    """The compiled loop, and what must live as long as it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_fma_source(dtype, lanes)), target)
    engine.finalize_object()
    number = c_double if dtype == "float64" else c_float
    return CFUNCTYPE(c_double, c_int64, number)(engine.get_function_address("fma")), engine


def _fma(params: Any) -> Timed:
    if numba is None:
        n = params["n"]
        ones = np.full((n, n), 1 / n, params["dtype"])
        names = {"matmul": np.matmul, "a": ones, "b": ones * n, "out": np.empty_like(ones)}
        return Timed("matmul(a, b, out=out)", names, result="out[0, 0]")
    lanes = _vector_bits() // int(params["dtype"][-2:])
    loop, engine = _fma_loop(params["dtype"], lanes)
    count = params["flops"] // (2 * lanes * _ACCUMULATORS * _threads)
    run = _in_threads(loop, [(count, 0.5)] * _threads)
    # Every accumulator stays at its fixed point, 1 = 1 * 0.5 + 0.5.
    result = f"sum(fma()) / {_ACCUMULATORS * _threads}"
    return Timed("fma()", {"fma": run, "engine": engine}, result=result)


OPERATIONS = {
    "stream_scale": _scale,
    "stream_copy": _copy,
    "stream_add": _add,
    "stream_sum": _sum,
    "fma": _fma,
}

from collections.abc import Sequence
from typing import SupportsFloat, SupportsIndex, TypeAlias

from forzium import PoolAllocator as PoolAllocator
from forzium import detect_simd_support as detect_simd_support
from forzium import thread_pool_metrics as rayon_pool_metrics
from forzium._ffi.zero_copy import zero_copy_multiply as zero_copy_multiply

from . import numpy_ops as numpy_ops
from ._threads import run_in_compute_threadpool as run_in_compute_threadpool
from ._threads import run_in_io_threadpool as run_in_io_threadpool

_Number: TypeAlias = SupportsFloat | SupportsIndex
_Vector: TypeAlias = Sequence[_Number]
_Matrix: TypeAlias = Sequence[Sequence[_Number]]

def add(data: _Matrix, scalar: _Number) -> list[list[float]]: ...
def conv2d(m: _Matrix, k: _Matrix) -> list[list[float]]: ...
def elementwise_add(a: _Matrix, b: _Matrix) -> list[list[float]]: ...
def elementwise_mul(a: _Matrix, b: _Matrix) -> list[list[float]]: ...
def matmul(a: _Matrix, b: _Matrix) -> list[list[float]]: ...
def max_pool2d(m: _Matrix, size: SupportsIndex) -> list[list[float]]: ...
def multiply(data: _Matrix, factor: _Number) -> list[list[float]]: ...
def simd_elementwise_add(a: _Matrix, b: _Matrix) -> list[list[float]]: ...
def simd_matmul(a: _Matrix, b: _Matrix) -> list[list[float]]: ...
def transpose(m: _Matrix) -> list[list[float]]: ...
def normalize(v: _Vector) -> list[float]: ...
def reshape(v: _Vector, rows: SupportsIndex, cols: SupportsIndex) -> list[list[float]]: ...
def scale(v: _Vector, f: _Number) -> list[float]: ...
def sum_list(v: _Vector) -> float: ...
def noop() -> None: ...
def echo_u64(n: SupportsIndex) -> int: ...
def optimize_thread_pools() -> int: ...
def configure_rayon_thread_pool(thread_count: SupportsIndex) -> int: ...

__all__ = [
    "PoolAllocator",
    "add",
    "configure_rayon_thread_pool",
    "conv2d",
    "detect_simd_support",
    "echo_u64",
    "elementwise_add",
    "elementwise_mul",
    "matmul",
    "max_pool2d",
    "multiply",
    "noop",
    "normalize",
    "numpy_ops",
    "optimize_thread_pools",
    "rayon_pool_metrics",
    "reshape",
    "run_in_compute_threadpool",
    "run_in_io_threadpool",
    "scale",
    "simd_elementwise_add",
    "simd_matmul",
    "sum_list",
    "transpose",
    "zero_copy_multiply",
]

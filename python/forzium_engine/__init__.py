"""The guide's standard bindings: lists of numbers in, lists of floats out, computed by libforzium.

Nothing here needs NumPy, and nothing imports it but `numpy_ops`' functions when they meet an array.
"""

from forzium._core import PoolAllocator, detect_simd_support, engine, zero_copy
from forzium._core import thread_pool_metrics as rayon_pool_metrics

from . import numpy_ops
from ._threads import run_in_compute_threadpool, run_in_io_threadpool

add = engine.add
configure_rayon_thread_pool = engine.configure_rayon_thread_pool
conv2d = engine.conv2d
echo_u64 = engine.echo_u64
elementwise_add = engine.elementwise_add
elementwise_mul = engine.elementwise_mul
matmul = engine.matmul
max_pool2d = engine.max_pool2d
multiply = engine.multiply
noop = engine.noop
normalize = engine.normalize
optimize_thread_pools = engine.optimize_thread_pools
reshape = engine.reshape
scale = engine.scale
simd_elementwise_add = engine.simd_elementwise_add
simd_matmul = engine.simd_matmul
sum_list = engine.sum_list
transpose = engine.transpose
zero_copy_multiply = zero_copy.zero_copy_multiply
del engine, zero_copy

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

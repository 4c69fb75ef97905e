"""Operations on arrays' own memory: in place, into a pool's block, or into one new array."""

from forzium._core import PoolAllocator, zero_copy

convolve2d = zero_copy.convolve2d
elementwise_operation = zero_copy.elementwise_operation
get_operations_count = zero_copy.get_operations_count
matrix_multiply_inplace = zero_copy.matrix_multiply_inplace
zero_copy_multiply = zero_copy.zero_copy_multiply
del zero_copy

__all__ = [
    "PoolAllocator",
    "convolve2d",
    "elementwise_operation",
    "get_operations_count",
    "matrix_multiply_inplace",
    "zero_copy_multiply",
]

"""Operations on arrays' own memory, under the earlier engine's names for `forzium._ffi.zero_copy`."""

from forzium._ffi.zero_copy import convolve2d as zero_copy_conv2d
from forzium._ffi.zero_copy import elementwise_operation as zero_copy_elementwise_op
from forzium._ffi.zero_copy import get_operations_count as get_zero_copy_ops_count
from forzium._ffi.zero_copy import zero_copy_multiply

__all__ = ["get_zero_copy_ops_count", "zero_copy_conv2d", "zero_copy_elementwise_op", "zero_copy_multiply"]

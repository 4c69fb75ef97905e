from collections.abc import Sequence
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forzium import PoolAllocator as PoolAllocator

_Number: TypeAlias = SupportsFloat | SupportsIndex
_Floating: TypeAlias = np.float64 | np.float32
_Array = TypeVar("_Array", bound=NDArray[_Floating])
_Operation: TypeAlias = Literal[
    "add", "subtract", "sub", "multiply", "mul", "divide", "div", "maximum", "minimum"
]

def matrix_multiply_inplace(matrix: _Array, factor: _Number) -> _Array: ...
@overload
def zero_copy_multiply(data: _Array, factor: _Number, pool: None = None) -> _Array: ...
@overload
def zero_copy_multiply(
    data: Sequence[Sequence[_Number]] | NDArray[_Floating], factor: _Number, pool: PoolAllocator
) -> memoryview: ...
def convolve2d(array: ArrayLike, kernel: ArrayLike) -> NDArray[Any]: ...
def elementwise_operation(a: ArrayLike, b: ArrayLike, op: _Operation) -> NDArray[Any]: ...
def get_operations_count() -> int: ...

__all__ = [
    "PoolAllocator",
    "convolve2d",
    "elementwise_operation",
    "get_operations_count",
    "matrix_multiply_inplace",
    "zero_copy_multiply",
]

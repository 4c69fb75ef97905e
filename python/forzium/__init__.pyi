from collections.abc import Callable, Mapping, Sequence
from typing import (
    Any,
    Final,
    Literal,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
    type_check_only,
)

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from typing_extensions import Self

__version__: Final[str]

@type_check_only
class _SupportsDLPack(Protocol):
    def __dlpack__(self) -> Any: ...

@type_check_only
class _SupportsArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

_Input: TypeAlias = ArrayLike | _SupportsDLPack | _SupportsArrayInterface
_Floating: TypeAlias = np.float32 | np.float64
_Scalar = TypeVar("_Scalar", np.float32, np.float64)
_Out = TypeVar("_Out", bound=NDArray[Any])
_AnyScalar = TypeVar("_AnyScalar", bound=np.generic)
_DType: TypeAlias = type[_Scalar] | np.dtype[_Scalar]
_Axis: TypeAlias = SupportsIndex | tuple[SupportsIndex, ...]
_Casting: TypeAlias = Literal["no", "equiv", "safe", "same_kind", "unsafe"]
_Simd: TypeAlias = Literal["sse2", "avx2", "avx512", "neon", "generic"]

# ---- operations -------------------------------------------------------------------------------------------

# An operation is an object that can be called. A call that these overloads cannot tell from its types alone
# (a 0-d array gives a scalar, a list of any depth an array) is Any.

@type_check_only
class _Operation:
    __name__: str
    __qualname__: str

@final
@type_check_only
class _Unary(_Operation):
    @overload
    def __call__(self, x: _Input, /, out: _Out, *, dtype: DTypeLike | None = None) -> _Out: ...
    @overload
    def __call__(
        self, x: NDArray[_Scalar], /, out: None = None, *, dtype: None = None
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(
        self, x: NDArray[Any], /, out: None = None, *, dtype: _DType[_Scalar]
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(self, x: _Input, /, out: None = None, *, dtype: DTypeLike | None = None) -> Any: ...

@final
@type_check_only
class _Binary(_Operation):
    @overload
    def __call__(self, x: _Input, y: _Input, /, out: _Out, *, dtype: DTypeLike | None = None) -> _Out: ...
    @overload
    def __call__(
        self, x: NDArray[_Scalar], y: NDArray[_Scalar] | float, /, out: None = None, *, dtype: None = None
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(
        self, x: float, y: NDArray[_Scalar], /, out: None = None, *, dtype: None = None
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(
        self, x: NDArray[Any], y: _Input, /, out: None = None, *, dtype: _DType[_Scalar]
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(
        self, x: _Input, y: _Input, /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> Any: ...

@final
@type_check_only
class _Test(_Operation):
    @overload
    def __call__(self, x: _Input, /, out: _Out, *, dtype: DTypeLike | None = None) -> _Out: ...
    @overload
    def __call__(
        self, x: NDArray[Any], /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> NDArray[np.bool_]: ...
    @overload
    def __call__(self, x: _Input, /, out: None = None, *, dtype: DTypeLike | None = None) -> Any: ...

@final
@type_check_only
class _Comparison(_Operation):
    @overload
    def __call__(self, x: _Input, y: _Input, /, out: _Out, *, dtype: DTypeLike | None = None) -> _Out: ...
    @overload
    def __call__(
        self, x: NDArray[Any], y: _Input, /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> NDArray[np.bool_]: ...
    @overload
    def __call__(
        self, x: _Input, y: _Input, /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> Any: ...

@final
@type_check_only
class _Ternary(_Operation):
    @overload
    def __call__(
        self, a: _Input, b: _Input, c: _Input, /, out: _Out, *, dtype: DTypeLike | None = None
    ) -> _Out: ...
    @overload
    def __call__(
        self, a: _Input, b: _Input, c: _Input, /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> Any: ...

@final
@type_check_only
class _WithAlpha(_Operation):
    @overload
    def __call__(
        self, x: _Input, /, alpha: _Input = 1.0, *, out: _Out, dtype: DTypeLike | None = None
    ) -> _Out: ...
    @overload
    def __call__(
        self, x: _Input, /, alpha: _Input = 1.0, out: None = None, *, dtype: DTypeLike | None = None
    ) -> Any: ...

@final
@type_check_only
class _Gelu(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        /,
        approximate: Literal["none", "tanh"] = "none",
        *,
        out: _Out,
        dtype: DTypeLike | None = None,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        /,
        approximate: Literal["none", "tanh"] = "none",
        out: None = None,
        *,
        dtype: DTypeLike | None = None,
    ) -> Any: ...

@final
@type_check_only
class _Select(_Operation):
    @overload
    def __call__(
        self, condition: _Input, x: _Input, y: _Input, /, out: _Out, *, dtype: DTypeLike | None = None
    ) -> _Out: ...
    @overload
    def __call__(
        self, condition: _Input, x: _Input, y: _Input, /, out: None = None, *, dtype: DTypeLike | None = None
    ) -> Any: ...

@final
@type_check_only
class _Clip(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        min: _Input | None = None,
        max: _Input | None = None,
        *,
        out: _Out,
        dtype: DTypeLike | None = None,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        min: _Input | None = None,
        max: _Input | None = None,
        out: None = None,
        *,
        dtype: DTypeLike | None = None,
    ) -> Any: ...

@final
@type_check_only
class _Total(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        *,
        out: _Out,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None,
        dtype: DTypeLike | None,
        out: _Out,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> Any: ...

@final
@type_check_only
class _Extreme(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        *,
        out: _Out,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None,
        out: _Out,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        out: None = None,
        keepdims: bool = False,
        initial: _Input | None = None,
        where: _Input = True,
    ) -> Any: ...

@final
@type_check_only
class _Average(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        *,
        out: _Out,
        keepdims: bool = False,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None,
        dtype: DTypeLike | None,
        out: _Out,
        keepdims: bool = False,
        *,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        out: None = None,
        keepdims: bool = False,
        *,
        where: _Input = True,
    ) -> Any: ...

@final
@type_check_only
class _Variance(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        *,
        out: _Out,
        ddof: float = 0,
        keepdims: bool = False,
        where: _Input = True,
        correction: float = 0,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None,
        dtype: DTypeLike | None,
        out: _Out,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        where: _Input = True,
        correction: float = 0,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        dtype: DTypeLike | None = None,
        out: None = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        where: _Input = True,
        correction: float = 0,
    ) -> Any: ...

@final
@type_check_only
class _Truth(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        *,
        out: _Out,
        keepdims: bool = False,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None,
        out: _Out,
        keepdims: bool = False,
        *,
        where: _Input = True,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        out: None = None,
        keepdims: bool = False,
        *,
        where: _Input = True,
    ) -> Any: ...

@final
@type_check_only
class _Count(_Operation):
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = None,
        keepdims: bool = False,
    ) -> Any: ...

@final
@type_check_only
class _Place(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: SupportsIndex | None = None,
        *,
        out: _Out,
        keepdims: bool = False,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: SupportsIndex | None,
        out: _Out,
        keepdims: bool = False,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: SupportsIndex | None = None,
        out: None = None,
        keepdims: bool = False,
    ) -> Any: ...

@final
class PackedMatrix:
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

@final
@type_check_only
class _Matmul(_Operation):
    @overload
    def __call__(self, a: _Input, b: _Input | PackedMatrix, out: _Out) -> _Out: ...
    @overload
    def __call__(self, a: _Input, b: _Input | PackedMatrix, out: None = None) -> Any: ...

_Activation: TypeAlias = Literal["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "softplus", "tanh"]

@final
@type_check_only
class _Linear(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        weight: _Input | PackedMatrix,
        bias: _Input | None = None,
        activation: _Activation | None = None,
        *,
        out: _Out,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        weight: _Input | PackedMatrix,
        bias: _Input | None,
        activation: _Activation | None,
        out: _Out,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        weight: _Input | PackedMatrix,
        bias: _Input | None = None,
        activation: _Activation | None = None,
        out: None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _Dot(_Operation):
    @overload
    def __call__(self, a: _Input, b: _Input, out: _Out) -> _Out: ...
    @overload
    def __call__(self, a: _Input, b: _Input, out: None = None) -> Any: ...

@final
@type_check_only
class _Vecdot(_Operation):
    def __call__(self, a: _Input, b: _Input, axis: SupportsIndex = -1) -> Any: ...

@final
@type_check_only
class _MapRows(_Operation):
    @overload
    def __call__(self, x: _Input, axis: _Axis | None = -1, *, out: _Out) -> _Out: ...
    @overload
    def __call__(self, x: _Input, axis: _Axis | None, out: _Out) -> _Out: ...
    @overload
    def __call__(self, x: _Input, axis: _Axis | None = -1, out: None = None) -> Any: ...

@final
@type_check_only
class _LayerNorm(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = -1,
        weight: _Input | None = None,
        bias: _Input | None = None,
        eps: float = 1e-5,
        *,
        out: _Out,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = -1,
        weight: _Input | None = None,
        bias: _Input | None = None,
        eps: float = 1e-5,
        out: None = None,
    ) -> Any: ...

@final
@type_check_only
class _RmsNorm(_Operation):
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = -1,
        weight: _Input | None = None,
        eps: float = 1e-6,
        *,
        out: _Out,
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: _Axis | None = -1,
        weight: _Input | None = None,
        eps: float = 1e-6,
        out: None = None,
    ) -> Any: ...

@final
@type_check_only
class _Norm(_Operation):
    def __call__(self, x: _Input, axis: _Axis | None = None, keepdims: bool = False) -> Any: ...

@final
@type_check_only
class _Scan(_Operation):
    @overload
    def __call__(
        self, x: _Input, axis: SupportsIndex | None = None, dtype: DTypeLike | None = None, *, out: _Out
    ) -> _Out: ...
    @overload
    def __call__(self, x: _Input, axis: SupportsIndex | None, dtype: DTypeLike | None, out: _Out) -> _Out: ...
    @overload
    def __call__(
        self,
        x: _Input,
        axis: SupportsIndex | None = None,
        dtype: DTypeLike | None = None,
        out: None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _Transpose(_Operation):
    @overload
    def __call__(self, x: _Input, axes: Sequence[SupportsIndex] | None = None, *, out: _Out) -> _Out: ...
    @overload
    def __call__(self, x: _Input, axes: Sequence[SupportsIndex] | None, out: _Out) -> _Out: ...
    @overload
    def __call__(
        self, x: NDArray[_Scalar], axes: Sequence[SupportsIndex] | None = None, out: None = None
    ) -> NDArray[_Scalar]: ...
    @overload
    def __call__(self, x: _Input, axes: Sequence[SupportsIndex] | None = None, out: None = None) -> Any: ...

_Pair: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
_Layout: TypeAlias = Literal["NCHW", "NHWC"]

@final
@type_check_only
class _Astype(_Operation):
    @overload
    def __call__(
        self, x: NDArray[Any], dtype: type[_AnyScalar] | np.dtype[_AnyScalar], /, *, copy: bool = True
    ) -> NDArray[_AnyScalar]: ...
    @overload
    def __call__(self, x: NDArray[Any], dtype: DTypeLike, /, *, copy: bool = True) -> NDArray[Any]: ...
    @overload
    def __call__(self, x: _Input, dtype: DTypeLike, /, *, copy: bool = True) -> Any: ...

@final
@type_check_only
class _Copyto(_Operation):
    def __call__(
        self, dst: NDArray[Any], src: _Input, casting: _Casting = "same_kind", where: _Input = True
    ) -> None: ...

@final
@type_check_only
class _Conv2d(_Operation):
    def __call__(
        self,
        x: _Input,
        weight: _Input,
        bias: _Input | None = None,
        *,
        stride: _Pair = 1,
        padding: _Pair | Sequence[_Pair] | Literal["same", "valid"] = 0,
        dilation: _Pair = 1,
        groups: SupportsIndex = 1,
        layout: _Layout = "NCHW",
        activation: str | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _Conv1d(_Operation):
    def __call__(
        self,
        x: _Input,
        weight: _Input,
        bias: _Input | None = None,
        *,
        stride: SupportsIndex = 1,
        padding: _Pair | Literal["same", "valid"] = 0,
        dilation: SupportsIndex = 1,
        groups: SupportsIndex = 1,
        activation: str | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _Convolve2d(_Operation):
    def __call__(
        self,
        in1: _Input,
        in2: _Input,
        mode: Literal["full", "same", "valid"] = "full",
        boundary: Literal["fill", "wrap", "symm"] = "fill",
        fillvalue: float = 0,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _MaxPool2d(_Operation):
    def __call__(
        self,
        x: _Input,
        window: _Pair,
        *,
        stride: _Pair | None = None,
        padding: _Pair = 0,
        dilation: _Pair = 1,
        ceil_mode: bool = False,
        layout: _Layout = "NCHW",
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _AvgPool2d(_Operation):
    def __call__(
        self,
        x: _Input,
        window: _Pair,
        *,
        stride: _Pair | None = None,
        padding: _Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        layout: _Layout = "NCHW",
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _GlobalPool2d(_Operation):
    def __call__(
        self, x: _Input, *, layout: _Layout = "NCHW", out: NDArray[Any] | None = None
    ) -> NDArray[Any]: ...

@final
@type_check_only
class _AdaptivePool2d(_Operation):
    def __call__(
        self, x: _Input, size: _Pair, *, layout: _Layout = "NCHW", out: NDArray[Any] | None = None
    ) -> NDArray[Any]: ...

add: Final[_Binary]
subtract: Final[_Binary]
multiply: Final[_Binary]
divide: Final[_Binary]
maximum: Final[_Binary]
copysign: Final[_Binary]
nextafter: Final[_Binary]
fmax: Final[_Binary]
fmin: Final[_Binary]
minimum: Final[_Binary]

negative: Final[_Unary]
absolute: Final[_Unary]
sqrt: Final[_Unary]
square: Final[_Unary]
positive: Final[_Unary]
reciprocal: Final[_Unary]
floor: Final[_Unary]
ceil: Final[_Unary]
trunc: Final[_Unary]
rint: Final[_Unary]
sign: Final[_Unary]
invert: Final[_Unary]

bitwise_and: Final[_Binary]
bitwise_or: Final[_Binary]
bitwise_xor: Final[_Binary]
left_shift: Final[_Binary]
right_shift: Final[_Binary]

equal: Final[_Comparison]
not_equal: Final[_Comparison]
less: Final[_Comparison]
less_equal: Final[_Comparison]
greater: Final[_Comparison]
greater_equal: Final[_Comparison]
logical_and: Final[_Comparison]
logical_or: Final[_Comparison]
logical_xor: Final[_Comparison]
logical_not: Final[_Test]
isnan: Final[_Test]
isinf: Final[_Test]
isfinite: Final[_Test]
signbit: Final[_Test]

where: Final[_Select]
fma: Final[_Ternary]
clip: Final[_Clip]
sin: Final[_Unary]
cos: Final[_Unary]
tan: Final[_Unary]
arcsin: Final[_Unary]
arccos: Final[_Unary]
arctan: Final[_Unary]
arctan2: Final[_Binary]
erf: Final[_Unary]
erfc: Final[_Unary]
gelu: Final[_Gelu]
cbrt: Final[_Unary]
floor_divide: Final[_Binary]
remainder: Final[_Binary]
fmod: Final[_Binary]
power: Final[_Binary]
hypot: Final[_Binary]
exp: Final[_Unary]
log: Final[_Unary]
tanh: Final[_Unary]
sigmoid: Final[_Unary]
expm1: Final[_Unary]
log1p: Final[_Unary]
exp2: Final[_Unary]
log2: Final[_Unary]
log10: Final[_Unary]
silu: Final[_Unary]
softplus: Final[_Unary]
gelu_tanh: Final[_Unary]
relu: Final[_Unary]
leaky_relu: Final[_WithAlpha]
elu: Final[_WithAlpha]
logaddexp: Final[_Binary]
sinh: Final[_Unary]
cosh: Final[_Unary]
arcsinh: Final[_Unary]
arccosh: Final[_Unary]
arctanh: Final[_Unary]

sum: Final[_Total]
mean: Final[_Average]
max: Final[_Extreme]
min: Final[_Extreme]
prod: Final[_Total]
var: Final[_Variance]
std: Final[_Variance]
argmax: Final[_Place]
argmin: Final[_Place]
any: Final[_Truth]
all: Final[_Truth]
count_nonzero: Final[_Count]
nansum: Final[_Total]
nanprod: Final[_Total]
nanmean: Final[_Average]
nanmax: Final[_Extreme]
nanmin: Final[_Extreme]
nanvar: Final[_Variance]
nanstd: Final[_Variance]

softmax: Final[_MapRows]
log_softmax: Final[_MapRows]
normalize: Final[_MapRows]
layer_norm: Final[_LayerNorm]
rms_norm: Final[_RmsNorm]
logsumexp: Final[_Norm]
norm: Final[_Norm]
cumsum: Final[_Scan]
cumprod: Final[_Scan]
vecdot: Final[_Vecdot]
dot: Final[_Dot]

matmul: Final[_Matmul]
linear: Final[_Linear]
transpose: Final[_Transpose]
astype: Final[_Astype]
copyto: Final[_Copyto]
conv2d: Final[_Conv2d]
conv1d: Final[_Conv1d]
convolve2d: Final[_Convolve2d]
correlate2d: Final[_Convolve2d]
max_pool2d: Final[_MaxPool2d]
avg_pool2d: Final[_AvgPool2d]
global_max_pool2d: Final[_GlobalPool2d]
global_avg_pool2d: Final[_GlobalPool2d]
adaptive_avg_pool2d: Final[_AdaptivePool2d]

def pack(b: _Input) -> PackedMatrix: ...

# ---- expressions ------------------------------------------------------------------------------------------

@final
class Expression:
    @property
    def text(self) -> str | None: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def __wrapped__(self) -> Callable[..., Any]: ...
    def __call__(self, *args: _Input, out: Any = None, **kwargs: _Input) -> Any: ...

def evaluate(
    ex: str | Expression,
    local_dict: Mapping[str, Any] | None = None,
    global_dict: Mapping[str, Any] | None = None,
    out: Any = None,
    order: Literal["K", "C"] | None = "K",
    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] | None = "same_kind",
    sanitize: Literal[True] | None = None,
    optimization: Literal["none", "moderate", "aggressive"] | None = "aggressive",
    truediv: Literal["auto", True] | None = "auto",
    disable_cache: bool = False,
) -> Any: ...
def expression(text: str, /) -> Expression: ...
def fuse(function: Callable[..., Any], /) -> Expression: ...

# ---- memory -----------------------------------------------------------------------------------------------

@type_check_only
class _PoolStats(TypedDict):
    capacity: int
    bytes_in_use: int
    bytes_peak: int
    bytes_reserved: int
    blocks_in_use: int
    alloc_count: int
    dealloc_count: int
    reuse_count: int

@final
class PoolBlock:
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...
    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

class PoolAllocator:
    def __init__(self, capacity: SupportsIndex) -> None: ...
    @property
    def capacity(self) -> int: ...
    def allocate(self, nbytes: SupportsIndex) -> PoolBlock: ...
    def deallocate(self, block: PoolBlock) -> None: ...
    @overload
    def empty(
        self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: None = None
    ) -> NDArray[np.float64]: ...
    @overload
    def empty(
        self,
        shape: SupportsIndex | Sequence[SupportsIndex],
        dtype: type[_AnyScalar] | np.dtype[_AnyScalar],
    ) -> NDArray[_AnyScalar]: ...
    @overload
    def empty(self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike) -> NDArray[Any]: ...
    def available(self) -> int: ...
    def get_stats(self) -> _PoolStats: ...
    def trim(self) -> int: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

# ---- threads and the machine ------------------------------------------------------------------------------

@type_check_only
class _ThreadMetrics(TypedDict):
    observed_threads: int
    max_active_threads: int
    mean_active_threads: float
    utilization_percent: float
    peak_saturation: float
    total_tasks_started: int
    total_tasks_completed: int
    mean_task_duration_us: float
    max_task_duration_us: float
    min_task_duration_us: float
    busy_time_seconds: float
    observation_seconds: float

@type_check_only
class _CacheBytes(TypedDict):
    l1: int
    l2: int
    l3: int

@type_check_only
class _Kernels(TypedDict):
    vector_bytes: int
    matmul_tile: dict[Literal["float32", "float64"], tuple[int, int]]
    matmul_block: dict[Literal["float32", "float64"], tuple[int, int]]
    matmul_narrow: list[Literal["int8", "uint8", "int16", "uint16", "bfloat16"]]

@type_check_only
class _Info(TypedDict):
    version: str
    simd: _Simd
    simd_detected: _Simd
    num_threads: int
    cache_bytes: _CacheBytes
    kernels: _Kernels

def info() -> _Info: ...
def detect_simd_support() -> _Simd: ...
def get_num_threads() -> int: ...
def set_num_threads(n: SupportsIndex) -> None: ...
def thread_pool_metrics(reset: bool = False) -> _ThreadMetrics: ...

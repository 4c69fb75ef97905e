# The extension module. Its operations and functions are typed where they are public: in forzium, in
# forzium_engine (here `engine`) and in forzium._ffi.zero_copy (here `zero_copy`).
from typing import Any

from forzium import PoolAllocator as PoolAllocator
from forzium import PoolBlock as PoolBlock

__version__: str
Operation: type[Any]
engine: Any
zero_copy: Any

def expression_operations() -> dict[str, tuple[int, int]]: ...
def expression_dtypes() -> dict[str, int]: ...
def expression_reductions() -> list[str]: ...
def __getattr__(name: str) -> Any: ...

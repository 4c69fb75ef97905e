"""Native array compute for Python programs that serve people.

Functions on NumPy arrays that copy nothing they need not copy, release the GIL while they compute, share one
pool of threads between all callers, and recycle their memory. Importing this package does not import NumPy.
"""

from forzium import _core
from forzium._core import PoolAllocator, __version__

# The operations and functions come from the extension's tables: a new row there is a new name here.
_names = [name for name, value in vars(_core).items() if getattr(value, "__module__", None) == "forzium"]
globals().update({name: getattr(_core, name) for name in _names})

__all__ = sorted({*_names, "PoolAllocator", "__version__"})  # noqa: PLE0605

"""Native array compute for Python programs that serve people.

Functions on NumPy arrays that copy nothing they need not copy, release the GIL while they compute, share one
pool of threads between all callers, and recycle their memory. Importing this package does not import NumPy.
"""

from forzium import _core

__version__ = _core.__version__

# What the extension's tables hold is public: a new row there is a new name here.
_public = {name: item for name, item in vars(_core).items() if getattr(item, "__module__", None) == "forzium"}
globals().update(_public)

__all__ = sorted([*_public, "__version__"])

"""A thread that rounds up, down or to zero."""

import contextlib
import ctypes
import ctypes.util
import platform
import sys

LIBM = ctypes.CDLL(ctypes.util.find_library("m")) if sys.platform.startswith("linux") else None
IS_X86 = platform.machine() in ("x86_64", "AMD64")
ARE_KNOWN = LIBM is not None and (IS_X86 or platform.machine() == "aarch64")
ROUNDINGS = (0x400, 0x800, 0xC00) if IS_X86 else (0x400000, 0x800000, 0xC00000)
"""What fesetround takes for them, where the numbers are known."""


@contextlib.contextmanager
def rounding(mode):
    """This thread's, until the end of the block."""
    LIBM.fesetround(mode)
    try:
        yield
    finally:
        LIBM.fesetround(0)

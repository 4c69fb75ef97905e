"""The libraries that are compared. Each has a module here, imported only in its own process.

Such a module has ``version()``, ``use_threads(count)`` and a table ``OPERATIONS``: for each operation
it knows, a function from the case's parameters and inputs to a `Timed` statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol


@dataclass(frozen=True)
class Library:
    """A library as the reader knows it; nothing of it is imported."""

    key: str
    label: str
    threaded: bool = True
    """False where every operation uses one thread whatever it is given."""
    peer: bool = True
    """False where it is no competitor: forzium itself, and the floors and ceilings."""


LIBRARIES: dict[str, Library] = {
    library.key: library
    for library in (
        Library("forzium", "forzium", peer=False),
        Library("plain", "plain loop", peer=False),
        Library("floor", "floor: making the Python floats", threaded=False, peer=False),
        Library("python", "pure Python", threaded=False),
        Library("numpy", "NumPy"),
        Library("scipy", "SciPy", threaded=False),
        Library("numexpr", "numexpr"),
        Library("numba", "numba"),
        Library("torch", "PyTorch"),
        Library("jax", "JAX"),
        Library("opencv", "OpenCV"),
    )
}


@dataclass(frozen=True)
class Timed:
    """A statement to time, the names it uses, and the expression that is its result.

    Without ``result`` the value of the statement itself is the result.
    """

    statement: str
    names: dict[str, Any] = field(repr=False)
    result: str | None = None
    calls: int = 1
    """How often the statement does the operation."""


class TooSlow(Exception):
    """In place of a `Timed`: the library could, but all would wait for it. Its row says so."""


def with_output(name: str, function: Callable[..., Any], operands: Mapping[str, Any], out: Any) -> Timed:
    """A call that gets its output."""
    statement = f"{name}({', '.join(operands)}, out=out)"
    return Timed(statement, {name: function, **operands, "out": out}, result="out")


def along(name: str, function: Callable[..., Any], operands: Mapping[str, Any], **options: Any) -> Timed:
    """A call on vectors, or along the last axis of one array; ``out`` among the options gets the result."""
    names = {name: function, **operands, **options}
    arguments = [*operands, *(f"{option}={option}" for option in options)]
    return Timed(f"{name}({', '.join(arguments)})", names, result="out" if "out" in options else None)


def empty_product(a: Any, b: Any) -> Any:
    """An array for the product of two matrices, or stacks of them."""
    import numpy as np

    return np.empty((*a.shape[:-1], b.shape[-1]), a.dtype)


class Adapter(Protocol):
    """What a module of this package offers."""

    OPERATIONS: Mapping[str, Callable[..., Timed]]

    def version(self) -> str:
        """The library's version."""

    def use_threads(self, count: int) -> None:
        """Limits the library to this many threads, beyond what the environment has done."""


def load(key: str) -> Adapter:
    """Imports the library; ImportError if it is not there."""
    adapter: Adapter = import_module(f".{key}", __name__)
    return adapter


def thread_environment(count: int) -> dict[str, str]:
    """The environment that limits every library here to ``count`` threads."""
    names = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "NUMEXPR_MAX", "NUMBA_NUM", "FORZIUM_NUM")
    variables = {f"{name}_THREADS": str(count) for name in names}
    if count == 1:
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return {**variables, "JAX_PLATFORMS": "cpu"}

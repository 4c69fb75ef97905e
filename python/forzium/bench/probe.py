"""One measurement in a process of its own: ``python -m forzium.bench.probe NAME ARGUMENT…``.

Prints its figures as JSON.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def _status(field: str) -> int:
    """A memory field of /proc/self/status, in bytes."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match.group(1)) * 1024 if match else 0


def _repeat(call: Callable[[], object], seconds: float) -> Figures:
    """Time and page faults of a call, settled; and by how much the first calls raised the process's peak."""
    import resource

    before = _status("VmHWM")
    for _ in range(3):
        call()
    figures: Figures = {"peak_bytes": _status("VmHWM") - before, "seconds": float("inf")}
    faults, calls, end = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, 0, time.perf_counter() + seconds
    while calls < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        figures["seconds"] = min(figures["seconds"], time.perf_counter() - begin)
        calls += 1
    figures["faults"] = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / calls
    return figures


def pool_expression(mode: str, n: str, seconds: str) -> Figures:
    """(a*2+b)*c-a/b in plain NumPy, with fresh memory or within a pool."""
    import numpy as np

    a, b, c = np.random.default_rng(0).uniform(0.5, 1.5, (3, int(n)))

    def expression() -> Any:
        return (a * 2 + b) * c - a / b

    if mode == "fresh":
        return _repeat(expression, float(seconds))
    import forzium

    with forzium.PoolAllocator(8 * 8 * int(n)):
        return _repeat(expression, float(seconds))


def pool_array(mode: str, n: str, seconds: str) -> Figures:
    """An array taken, written once, and given back."""
    import numpy as np

    shape = (int(n),)
    if mode == "fresh":
        return _repeat(lambda: np.empty(shape).fill(1.0), float(seconds))
    import forzium

    pool = forzium.PoolAllocator(2 * 8 * int(n))
    return _repeat(lambda: pool.empty(shape).fill(1.0), float(seconds))


def list_product(mode: str, n: str, seconds: str) -> Figures:
    """The product of an n×n list: as a new list, or in a pool block."""
    import forzium_engine

    import forzium

    side = int(n)
    data = [[float(i * side + j) for j in range(side)] for i in range(side)]
    if mode == "fresh":
        return _repeat(lambda: forzium_engine.multiply(data, 2.0), float(seconds))
    pool = forzium.PoolAllocator(2 * 8 * side * side)
    return _repeat(lambda: forzium_engine.zero_copy_multiply(data, 2.0, pool), float(seconds))


def gil(operation: str, seconds: str) -> Figures:
    """How fast another Python thread counts during an operation, relative to counting alone.

    The operation has one thread, so that on two CPUs the counter has one to itself.
    """
    import numpy as np

    import forzium

    forzium.set_num_threads(1)
    x = np.random.default_rng(0).uniform(0.5, 1.5, (3000, 3000))
    y, out = x.copy(), np.empty_like(x)
    call: Callable[[], object] = {
        "matmul": lambda: forzium.matmul(x[:1200, :1200], y[:1200, :1200], out=out[:1200, :1200]),
        "add": lambda: forzium.add(x, y, out=out),
        "conv2d": lambda: forzium.conv2d(x, np.ones((3, 3)), out=out[:2998, :2998]),
        "max_pool2d": lambda: forzium.max_pool2d(x, 2, out=out[:1500, :1500]),
        "sum": lambda: forzium.sum(x),
    }[operation]
    counted, going = [0], threading.Event()
    going.set()

    def count() -> None:
        while going.is_set():
            counted[0] += 1

    def rate(wait: Callable[[], object]) -> float:
        before, begin = counted[0], time.perf_counter()
        while time.perf_counter() < begin + float(seconds):
            wait()
        return (counted[0] - before) / (time.perf_counter() - begin)

    counter = threading.Thread(target=count)
    counter.start()
    pairs = [(rate(call), rate(lambda: time.sleep(float(seconds)))) for _ in range(3)]
    going.clear()
    counter.join()
    during, alone = (max(rates) for rates in zip(*pairs, strict=True))
    return {"share": during / alone}


def expression(n: str) -> Figures:
    """Times of the first expression, of one new to the process and of that again; memory beyond an output."""
    import numpy as np

    import forzium

    text, evaluate = "2*a + 3*b - c/(1 + a*a)", vars(forzium)["evaluate"]
    a, b, c = np.random.default_rng(0).uniform(0.5, 1.5, (3, int(n)))
    few = {"a": a[:8].copy(), "b": b[:8].copy(), "c": c[:8].copy()}
    forzium.add(few["a"], few["b"])  # what any first call of forzium costs is no expression's

    def timed(text: str) -> float:
        begin = time.perf_counter()
        evaluate(text, few)
        return time.perf_counter() - begin

    first, new, again = timed("a + b"), timed(text), timed(text)
    before = _status("VmHWM")
    result = evaluate(text, {"a": a, "b": b, "c": c})
    beyond = _status("VmHWM") - before - result.nbytes
    return {"first": first, "new": new, "again": again, "beyond_output": max(0, beyond)}


def zero_copy(n: str) -> Figures:
    """Whether multiplying an array in place copies it: the same object, and no memory of its size touched."""
    import forzium_engine
    import numpy as np

    array = np.ones((int(n), int(n)))
    forzium_engine.zero_copy_multiply(np.ones((8, 8)), 2.0)
    before = _status("VmHWM")
    result = forzium_engine.zero_copy_multiply(array, 2.0)
    touched = _status("VmHWM") - before
    same = result is array and bool((array == 2.0).all())
    return {"same": same, "bytes": array.nbytes, "peak_bytes": touched}


PROBES: dict[str, Callable[..., Figures]] = {
    probe.__name__: probe for probe in (pool_expression, pool_array, list_product, gil, expression, zero_copy)
}


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])))

"""The guide's claims, and the targets of this project on the guide suite."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..results import Results
from ..runner import count_threads
from ..units import format_bytes, format_percent, format_ratio, format_seconds
from .verdicts import Figure, Verdict, VerdictTable, probed, speeds, verdict, without_figure

BLAS_SIZES = (256, 512, 1000, 2000)


def tables(results: Results) -> list[VerdictTable]:
    """The guide's claims and this project's targets."""
    return [
        VerdictTable("The guide's claims, and what was reached here", tuple(_claims(results))),
        VerdictTable("The targets of this project, and what was reached here", tuple(_targets(results))),
    ]


# ---- the guide's claims --------------------------------------------------------------------------


def _claims(results: Results) -> Iterable[Verdict]:
    lists = {
        "multiply.list.3": "multiply 3×3",
        "multiply.list.100": "multiply 100×100",
        "multiply.list.500": "multiply 500×500",
        "multiply.list.1000": "multiply 1000×1000",
        "conv2d.list.50": "conv2d 50×50",
        "matmul.list.100": "matmul 100×100",
    }
    yield verdict(
        "Standard operations (lists in, lists out) against pure Python",
        "3–5× as fast",
        speeds(results, lists, 3.0, ("python",), (1,)),
    )
    yield verdict(
        "Parallelized operations (lists in, lists out) against pure Python, all threads",
        "10–30× as fast",
        speeds(results, lists, 10.0, ("python",), (results.all_threads,)),
    )
    yield verdict(
        "The same on arrays instead of lists against pure Python, all threads",
        "10–30× as fast",
        _arrays_to_lists(results),
    )
    yield verdict(
        "Zero-copy multiply against the standard (list) binding, time",
        "30–50 % less or better",
        _zero_copy_gain(results),
    )
    yield verdict(
        "Memory pool: the product of a list in a pool block instead of a list, peak memory",
        "50–80 % less or better",
        _pool_memory(results, ("list_product",)),
    )
    yield verdict(
        "Memory pool: NumPy's own work in pool blocks instead of fresh memory, peak memory",
        "50–80 % less or better",
        _pool_memory(results, ("pool_expression", "pool_array")),
    )
    yield verdict(
        "The GIL is released: another Python thread counts on during an operation",
        "at least half its speed alone",
        _gil(results),
    )
    yield verdict(
        "Zero copy: an array is multiplied in its own memory",
        "the same array, no copy touched",
        _zero_copy(results),
    )


def _arrays_to_lists(results: Results) -> Iterable[Figure]:
    """forzium on arrays against pure Python on lists of the same size."""
    pairs = {f"multiply {n}×{n}": (f"multiply.array.{n}", f"multiply.list.{n}") for n in (100, 500, 1000)}
    pairs["conv2d 50×50"] = ("conv2d.array.50", "conv2d.list.50")
    pairs["matmul 100×100"] = ("matmul.float64.100", "matmul.list.100")
    threads = results.all_threads
    for name, (array, nested) in pairs.items():
        ours, python = results.seconds(array, "forzium", threads), results.seconds(nested, "python", threads)
        if ours is None or python is None:
            yield without_figure(results, (array,), threads, name)
        else:
            yield Figure(f"{name}: {format_ratio(python / ours)}", python / ours >= 10)


def _zero_copy_gain(results: Results) -> Iterable[Figure]:
    for n in (100, 500, 1000):
        for threads in results.threads:
            where = f"{n}×{n} at {count_threads(threads)}"
            cases = (f"multiply.list.{n}", f"multiply.array.{n}")
            standard, direct = (results.seconds(case, "forzium", threads) for case in cases)
            if standard is None or direct is None:
                yield without_figure(results, cases, threads, where)
            else:
                yield Figure(f"{where}: {1 - direct / standard:.1%} less", direct <= 0.7 * standard)


POOL_NAMES = {
    "pool_expression": "(a*2+b)*c−a/b in NumPy",
    "pool_array": "an array taken, written and given back",
    "list_product": "list of lists times a factor",
}


def pool_work(workload: str, n: int) -> str:
    """A pool probe's work in words."""
    return (
        f"{POOL_NAMES[workload]}, {n}×{n}" if workload == "list_product" else f"{POOL_NAMES[workload]}, {n:,}"
    )


def _pool_memory(results: Results, workloads: Collection[str]) -> Iterable[Figure]:
    figures = {(row["workload"], row["n"], row["mode"]): row for row in probed(results, "pool") or []}
    for (workload, n, mode), fresh in figures.items():
        if mode != "fresh" or workload not in workloads:
            continue
        pooled, where = figures[workload, n, "pool"], pool_work(workload, n)
        if "failed" in fresh or "failed" in pooled or not fresh["peak_bytes"]:
            yield Figure(where, None)
            continue
        saved = 1 - pooled["peak_bytes"] / fresh["peak_bytes"]
        sizes = f"{format_bytes(pooled['peak_bytes'])} for {format_bytes(fresh['peak_bytes'])}"
        more_or_less = f"{saved:.0%} less" if saved >= 0 else f"{-saved:.0%} more"
        yield Figure(f"{where}: {sizes}, {more_or_less}", saved >= 0.5)
    if not figures:
        yield Figure("peak memory", None)


def _gil(results: Results) -> Iterable[Figure]:
    for operation in ("matmul", "add", "conv2d", "max_pool2d"):
        share = probed(results, "gil", operation, "share")
        text = operation if share is None else f"{operation}: {format_percent(share)}"
        yield Figure(text, None if share is None else share >= 0.5)


def _zero_copy(results: Results) -> Iterable[Figure]:
    found = probed(results, "zero_copy")
    if found is None:
        yield Figure("in-place multiply", None)
        return
    sizes = f"{format_bytes(found['peak_bytes'])} touched beside an array of {format_bytes(found['bytes'])}"
    yield Figure(sizes, found["same"] and found["peak_bytes"] < found["bytes"] / 20)


# ---- the targets ---------------------------------------------------------------------------------


def _targets(results: Results) -> Iterable[Verdict]:
    yield verdict("multiply(x, 2.0, out=x) on 8 doubles", "at most 1/3 of NumPy's time", _small_call(results))
    for size in ("1e6", "1.6e7"):
        yield verdict(
            f"In-place multiply of {size} doubles",
            "at least the best of NumPy, numexpr and PyTorch",
            speeds(results, {f"multiply.inplace.{size}": ""}, 1.0, ("numpy", "numexpr", "torch")),
        )
    for dtype in ("float64", "float32"):
        cases = {f"matmul.{dtype}.{n}": f"n={n}" for n in BLAS_SIZES}
        yield verdict(
            f"matmul, {dtype}", "at least 0.95 of NumPy's BLAS", speeds(results, cases, 0.95, ("numpy",))
        )
    for n, least in ((100, 1.7), (3, 3.0)):
        yield verdict(
            f"multiply of a {n}×{n} list",
            f"at least {least:g}× pure Python",
            _list_multiply(results, n, least),
        )
    yield verdict(
        "simd_matmul of 100×100 lists",
        "at least 50× pure Python",
        speeds(results, {"matmul.list.100": ""}, 50.0, ("python",)),
    )
    conv = {"conv2d.array.1000": ""}
    yield verdict(
        "conv2d 3×3 on 1000×1000 doubles",
        "at least 10× SciPy's convolve2d",
        speeds(results, conv, 10.0, ("scipy",)),
    )
    yield verdict(
        "conv2d 3×3 on 1000×1000 doubles",
        "at least OpenCV's filter2D",
        speeds(results, conv, 1.0, ("opencv",)),
    )
    yield verdict("import forzium", "under 5 ms, no NumPy, no thread, under 2 MB", _import(results))
    yield verdict("forzium_engine.multiply on lists", "in a process that never loads NumPy", _lists(results))


def _small_call(results: Results) -> Iterable[Figure]:
    for threads in results.threads:
        ours = results.seconds("multiply.inplace.8", "forzium", threads)
        numpy = results.seconds("multiply.inplace.8", "numpy", threads)
        where = count_threads(threads)
        if ours is None or numpy is None:
            yield without_figure(results, ("multiply.inplace.8",), threads, where)
        else:
            times = f"{format_seconds(ours)} of NumPy's {format_seconds(numpy)}"
            yield Figure(f"{where}: {times}, {ours / numpy:.2f}", ours <= numpy / 3)


def _list_multiply(results: Results, n: int, least: float) -> Iterable[Figure]:
    case = f"multiply.list.{n}"
    figures = speeds(results, {case: ""}, least, ("python",))
    floor, python = results.seconds(case, "floor", 1), results.seconds(case, "python", 1)
    if floor and python and figures[-1].good is not None:
        most = f"making the floats alone takes {format_seconds(floor)}: {format_ratio(python / floor)}"
        figures[-1] = Figure(f"{figures[-1].text} ({most})", figures[-1].good)
    return figures


def _import(results: Results) -> Iterable[Figure]:
    found = probed(results, "import", "forzium")
    if found is None:
        yield Figure("import", None)
        return
    yield Figure(format_seconds(max(0.0, found["seconds"])), found["seconds"] < 0.005)
    yield Figure("NumPy loaded" if found["numpy"] else "no NumPy", not found["numpy"])
    yield Figure(f"{found['threads']} threads added", found["threads"] == 0)
    yield Figure(format_bytes(found["bytes"]), found["bytes"] < 2e6)


def _lists(results: Results) -> Iterable[Figure]:
    found = probed(results, "import", "lists")
    if found is None:
        yield Figure("multiply on lists", None)
    else:
        text = "NumPy was loaded" if found["numpy"] else "NumPy was not loaded"
        yield Figure(text, found["right"] and not found["numpy"])

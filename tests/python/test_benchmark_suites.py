"""What the benchmark measures: its rows, their operands, and the libraries that take part."""

from __future__ import annotations

import inspect
import itertools
from pathlib import Path

import forzium
import numpy as np
import pytest
from benchmarks import case_of, run_module
from forzium.bench import functions
from forzium.bench.libraries import load
from forzium.bench.operations import OPERATIONS
from forzium.bench.placement import MOST_BYTES, may_move, moved
from forzium.bench.suites import SUITES, elementwise
from forzium.bench.worker import Worker


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_suites_are_consistent(suite: object) -> None:
    cases = {case.key: case for case in suite.cases}  # type: ignore[attr-defined]
    assert len(cases) == len(suite.cases)  # type: ignore[attr-defined]
    for case in cases.values():
        assert case.operation in OPERATIONS
        assert not case.ceiling or case.ceiling in cases


@pytest.mark.parametrize("layout", ["contiguous", "strided", "row", "column"])
@pytest.mark.parametrize("function", ["add", "less", "where"])
def test_operands_have_their_layout(function: str, layout: str) -> None:
    shape = [4, 6] if layout in ("row", "column") else [24]
    count = 3 if function == "where" else 2
    params = {"function": function, "operands": count, "shape": shape, "layout": layout, "dtype": "float32"}
    arrays = functions.operands(params, np.random.default_rng(0))
    last = arrays["xyz"[count - 1]]
    assert last.shape == {"row": (1, 6), "column": (4, 1)}.get(layout, tuple(shape))
    assert last.dtype == np.float32
    assert last.flags.c_contiguous is (layout != "strided")
    result, out = functions.expected(params, **arrays), functions.result_for(params, arrays)
    assert result.shape == out.shape == tuple(shape)
    assert (out.dtype == np.bool_) is (function == "less")


def test_moved_arrays_are_equal_elsewhere_and_lie_to_each_other_as_before() -> None:
    whole = np.arange(60.0).reshape(6, 10)
    names = {"f": len, "x": whole[::2, 1:], "y": whole[:, ::-1], "options": {"row": np.ones(3)[None]}, "n": 3}
    names["box"] = [whole]
    there = moved(names)
    assert there["f"] is len
    assert there["n"] == 3
    for before, after in ((names["x"], there["x"]), (names["y"], there["y"])):
        np.testing.assert_array_equal(after, before)
        assert after.strides == before.strides
        assert not np.may_share_memory(after, whole)
    assert there["options"]["row"].shape == (1, 3)
    assert not np.may_share_memory(there["options"]["row"], names["options"]["row"])
    assert not np.may_share_memory(there["box"][0], whole)
    there["x"][0, 0] = -1
    assert there["y"][0, -2] == -1


def test_moved_tensors_keep_their_strides() -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(24.0).reshape(4, 6)[1:, ::2]
    (there,) = moved({"x": x}).values()
    assert torch.equal(there, x)
    assert there.stride() == x.stride()
    assert there.data_ptr() != x.data_ptr()


def test_whether_arrays_move_depends_on_the_inputs_alone() -> None:
    half = np.empty(MOST_BYTES // 2, np.uint8)
    assert may_move({"x": half, "y": half, "factor": 2.0})
    assert not may_move({"x": half, "y": half, "z": half[:1]})


@pytest.mark.parametrize("callers", [0, 2])
def test_each_round_has_its_arrays_elsewhere_where_one_thread_calls(callers: int) -> None:
    (case,) = (case for case in elementwise.SUITE.cases if case.key == "add.float64.contiguous.1000")
    worker = Worker(load("forzium"), 1)
    assert worker.prepare({**case.to_json(), "callers": callers})["status"] == "ok"
    for _ in range(3):
        assert worker.time(1e-4)["seconds"] > 0
    places = [timed.names for timed in worker._places]
    assert len(places) == (0 if callers else 3)
    for before, after in itertools.pairwise(places):
        assert not np.may_share_memory(before["x"], after["x"])
        np.testing.assert_array_equal(after["out"], after["x"] + after["y"])
    worker.drop()
    assert not worker._places


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("where", "loop"), [("all", "loop"), ("last", "sum_rows")])
def test_numba_sums_floats_as_floats_and_without_threads_if_it_has_one(where, loop, threads) -> None:
    """In float64, or by threads of which there is one, its loops would be slower than its user's."""
    numba = pytest.importorskip("numba")
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("numba has one thread")
    adapter, before = load("numba"), numba.get_num_threads()
    adapter.use_threads(threads)
    worker = Worker(adapter, threads)
    assert worker.prepare(case_of(f"sum.float32.{where}.1000").to_json())["status"] == "ok"
    (timed,) = worker._places
    numba.set_num_threads(before)
    assert timed.names[loop].targetoptions["parallel"] is (threads > 1)
    (compiled,) = timed.names[loop].overloads.values()
    assert "float64" not in map(str, compiled.type_annotation.typemap.values())


@pytest.mark.parametrize(("n", "takes_part"), [(200, True), (1000, False)])
def test_pytorch_takes_part_in_large_windows_that_take_no_seconds(n: int, takes_part: bool) -> None:
    pytest.importorskip("torch")
    case = case_of(f"window.float32.{n}.101")
    reply = Worker(load("torch"), 1).prepare(case.to_json())
    assert reply["status"] == ("ok" if takes_part else "missing")
    assert takes_part or "PyTorch takes seconds to go over 33.1 GB of windows" in reply["note"]


def test_a_library_that_all_would_wait_for_is_named_in_the_report(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    chosen = ("--only", "product.float32.1000x1000x1000", "--libraries", "forzium", "opencv")
    done = run_module("forzium", "bench", "matmul", "--rounds", 1, *chosen, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "report.html").read_text()
    assert "beyond 512 a side it is left out" in report.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("faster", "most", "chosen"), [("direct", 1e9, "direct"), ("fft", 1e9, "fft"), ("direct", 1e3, "fft")]
)
def test_scipy_convolves_by_the_faster_of_its_ways(monkeypatch, faster, most, chosen) -> None:
    """But where the direct one takes seconds nobody waits for it."""
    pytest.importorskip("scipy")
    scipy = load("scipy")
    monkeypatch.setattr(scipy, "_MOST_DIRECT", most)
    monkeypatch.setattr(scipy.timeit, "repeat", lambda call, **how: [1.0 if f'"{faster}"' in call else 2.0])
    reply = Worker(scipy, 1).prepare(case_of("window.float32.200.7").to_json())
    assert reply["status"] == "ok"
    assert f'method="{chosen}"' in reply["statement"]


TAKE_PART = {
    "cumprod.float32.1000": ("numpy", "torch", "jax"),
    "vecdot.float32.1000": ("numpy", "torch", "jax"),
    "normalize.float32.32x100": ("torch", "jax"),
    "astype.float64.float32.1e6": ("numpy", "torch", "jax"),
    "astype.float32.float64.1e6": ("numpy", "torch"),
    "prod.float64.first.1000": ("numpy", "torch", "numexpr"),
    "std.float64.all.1000": ("numpy", "torch"),
    "argmin.float64.all.1000": ("numpy", "torch"),
    "linear.float32.64x1024x1024": ("numpy", "torch", "jax"),
    "product.float32.3x3x3": ("numpy", "scipy", "torch", "jax", "opencv"),
    "product.float64.256x256x256": ("numpy", "scipy", "torch", "opencv"),
    "conv1d.speech": ("torch", "jax"),
    "adaptive_pool.7": ("torch",),
    "layer.NHWC.0": ("torch", "jax"),
    "layer.NHWC.2": ("torch", "jax"),
    "window.float32.200.7": ("scipy", "torch", "opencv"),
}


@pytest.mark.parametrize("key", TAKE_PART)
def test_libraries_compute_what_is_right(key: str) -> None:
    """And forzium, into outputs that it was given."""
    case = case_of(key)
    for library in ("forzium", *TAKE_PART[key]):
        try:
            adapter = load(library)
        except ModuleNotFoundError:
            continue
        reply = Worker(adapter, 1).prepare(case.to_json())
        assert reply["status"] == "ok", (library, reply)


@pytest.mark.parametrize(
    "key",
    [
        *("softmax.float32.32x100", "log_softmax.float64.32x100", "pool.avg.1000x1000.2"),
        *("relu.float32.contiguous.1000", "isnan.float64.contiguous.1000"),
    ],
)
def test_pytorch_has_its_outputs_as_forzium_has(key: str) -> None:
    pytest.importorskip("torch")
    reply = Worker(load("torch"), 1).prepare(case_of(key).to_json())
    assert reply["status"] == "ok"
    assert reply["statement"].endswith("out=out)")


def test_the_ceiling_of_multiply_adds_is_credited_with_what_numpy_does_in_its_place(monkeypatch) -> None:
    plain = load("plain")
    monkeypatch.setattr(plain, "numba", None)
    case = case_of("machine.fma.float32")
    worker = Worker(plain, 1)
    assert worker.prepare(case.to_json())["status"] == "ok"
    (timed,) = worker._places
    (m, k), n = timed.names["a"].shape, timed.names["b"].shape[1]
    assert case.flops == 2 * m * k * n


def test_every_elementwise_row_is_measured() -> None:
    """A row that nobody but forzium knows how to compute would be left out without a word."""
    rows = {name for name in dir(forzium) if elementwise.count_operands(name)}
    assert rows == set(elementwise.operations())
    cases = [case for case in elementwise.SUITE.cases if case.operation == "elementwise"]
    assert (
        rows
        == {case.params["function"] for case in cases}
        == {case.params["function"] for case in cases if case.size == 8}
    )


@pytest.mark.parametrize("name", elementwise.OTHER_REDUCTIONS)
def test_reductions_have_to_read_all_of_their_operand(name: str) -> None:
    """What stops early, or has no NaN to leave out, would be measured on less than its work."""
    case = case_of(f"{name}.float64.last.1000")
    (x,) = OPERATIONS["reduce"].inputs(case.params, np.random.default_rng(0)).values()
    assert np.isnan(x).any() == name.startswith("nan")
    assert not (name == "any" and x.any())
    assert not (name == "all" and not x.all())
    for library in ("forzium", "numpy"):
        assert Worker(load(library), 1).prepare(case.to_json())["status"] == "ok"


@pytest.mark.parametrize("key", ["prod.float64.all.1e6", "nanprod.float64.last.1e6", "cumprod.float32.1e6"])
def test_products_stay_among_normal_numbers(key: str) -> None:
    """Arithmetic on others is slow, and a product of 0 is known before its last factor."""
    case = case_of(key)
    operation = OPERATIONS[case.operation]
    inputs = operation.inputs(case.params, np.random.default_rng(0))
    products = np.abs(operation.expected(case.params, **inputs))
    limits = np.finfo(case.params["dtype"])
    assert (products > limits.tiny).all()
    assert (products < limits.max).all()


def test_whatever_has_an_axis_is_measured() -> None:
    operations = {
        name: value for name, value in vars(forzium).items() if isinstance(value, type(forzium.sum))
    }
    axes = {
        name for name, operation in operations.items() if "axis" in inspect.signature(operation).parameters
    }
    assert {"nanvar", "cumprod", "vecdot", "normalize"} <= axes
    assert axes <= {case.params.get("function") for case in elementwise.SUITE.cases}


def test_known_functions_have_a_family_and_operands_in_their_domain() -> None:
    for names in functions.FAMILIES.values():
        for name in names:
            function = functions.exact(name)
            assert function is not None, name
            count = 3 if name in ("fma", "where", "clip") else getattr(function, "nin", 1)
            dtype = "int32" if name in functions.WHOLE else "float64"
            params = {
                **{"function": name, "operands": count, "shape": [64]},
                **{"layout": "contiguous", "dtype": dtype},
            }
            assert np.isfinite(
                functions.expected(params, **functions.operands(params, np.random.default_rng(0)))
            ).all()

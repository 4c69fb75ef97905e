"""The GIL is free while forzium computes; any number of callers and threads get the same bits; fork works."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forzium
import numpy as np
import pytest
from layouts import awkward_values
from oracle import numbers_of_threads

RANDOM = np.random.default_rng(0)
A, B = RANDOM.standard_normal((2, 700, 700))
IMAGE = RANDOM.standard_normal((1200, 1300))
WEIGHT = RANDOM.standard_normal((5, 5))
LONG_ROWS = RANDOM.standard_normal((3, 300_000))
LONG = awkward_values(1, 2_000_003, "float64")
LONG32 = LONG.astype(np.float32)

# every operation, each long enough to be split over threads
WORK = {
    "add": lambda: forzium.add(LONG, LONG[::-1]),
    "multiply": lambda: forzium.multiply(LONG32, 2.0),
    "sqrt": lambda: forzium.sqrt(LONG),
    "broadcast": lambda: forzium.maximum(IMAGE, IMAGE[0]),
    "sum": lambda: forzium.sum(IMAGE),
    "sum of rows": lambda: forzium.sum(IMAGE, axis=1),
    "sum of columns": lambda: forzium.sum(IMAGE, axis=0),
    "sum of float32": lambda: forzium.sum(IMAGE.astype(np.float32)),
    "mean": lambda: forzium.mean(IMAGE),
    "min": lambda: forzium.min(IMAGE, axis=0),
    "max": lambda: forzium.max(IMAGE),
    "matmul": lambda: forzium.matmul(A, B),
    "matmul of float32": lambda: forzium.matmul(A.astype(np.float32), B.T.astype(np.float32)),
    "matmul of long rows": lambda: forzium.matmul(LONG_ROWS, LONG_ROWS.T),
    "transpose": lambda: forzium.transpose(IMAGE),
    "conv2d": lambda: forzium.conv2d(IMAGE, WEIGHT),
    "max_pool2d": lambda: forzium.max_pool2d(IMAGE, 3, stride=2),
}


@pytest.fixture
def threads():
    """Sets the number of threads for one test."""
    return forzium.set_num_threads


def bits(result):
    return np.asarray(result).tobytes()


# ---- the GIL -----------------------------------------------------------------------------------


@pytest.fixture
def counting():
    """A counter that another thread advances, which gets the GIL only when this one lets go of it."""
    count, stop = [0], threading.Event()

    def advance():
        while not stop.is_set():
            count[0] += 1
            time.sleep(1e-5)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=advance)
    thread.start()
    sys.setswitchinterval(1e6)
    yield count
    sys.setswitchinterval(interval)
    stop.set()
    thread.join()


BIG = {
    "multiply": (lambda x, out: forzium.multiply(x, 2.0, out=out), (3000, 3000), (3000, 3000)),
    "sum": (lambda x, out: forzium.sum(x, axis=0, out=out), (3000, 3000), (3000,)),
    "matmul": (lambda x, out: forzium.matmul(x, x, out=out), (1000, 1000), (1000, 1000)),
    "transpose": (lambda x, out: forzium.transpose(x, out=out), (3000, 3000), (3000, 3000)),
    "conv2d": (lambda x, out: forzium.conv2d(x, WEIGHT, out=out), (3004, 3004), (3000, 3000)),
    "max_pool2d": (lambda x, out: forzium.max_pool2d(x, 4, stride=1, out=out), (3003, 3003), (3000, 3000)),
    # of nothing, so that what takes long is the copy to an out of another dtype
    "copy to out": (lambda x, out: forzium.sum(x, 0, np.float32, out), (0, 9_000_000), (9_000_000,)),
}


@pytest.mark.parametrize("name", BIG)
def test_another_thread_runs_meanwhile(counting, name):
    call, shape, out_shape = BIG[name]
    x, out = np.ones(shape), np.empty(out_shape)
    advanced = 0
    for _ in range(200):  # on a busy machine the other thread may sleep through a call
        before = counting[0]
        call(x, out)
        advanced += counting[0] - before
        if advanced >= 3:
            break
    assert advanced >= 3


FEW = np.arange(1.0, 9.0)
SQUARE = FEW.repeat(2).reshape(4, 4)
SMALL = {
    "an element-wise operation": lambda: forzium.add(FEW, FEW),
    "of a number": lambda: forzium.multiply(FEW, 2.0),
    "of other dtypes": lambda: forzium.add(FEW.astype(np.int16), FEW.astype(np.float32)),
    "a function": lambda: forzium.exp(FEW),
    "an expression": lambda: forzium.evaluate("a*b + exp(a)", {"a": FEW, "b": 3.0}),
    "a reduced expression": lambda: forzium.evaluate("sum(a*a)", {"a": FEW}),
    "a reduction": lambda: forzium.sum(FEW),
    "a reduction of rows": lambda: forzium.var(SQUARE, axis=1),
    "a scan": lambda: forzium.cumsum(FEW),
    "softmax": lambda: forzium.softmax(FEW),
    "matmul": lambda: forzium.matmul(SQUARE, SQUARE),
    "linear": lambda: forzium.linear(SQUARE, SQUARE, FEW[:4], "gelu"),
    "dot": lambda: forzium.dot(FEW, FEW),
    "transpose": lambda: forzium.transpose(SQUARE),
    "astype": lambda: forzium.astype(FEW, np.float32),
    "copyto": lambda: forzium.copyto(np.empty(8), FEW),
    "conv2d": lambda: forzium.conv2d(SQUARE, SQUARE[:2, :2]),
    "max_pool2d": lambda: forzium.max_pool2d(SQUARE, 2),
    "avg_pool2d": lambda: forzium.avg_pool2d(SQUARE, 2),
}


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL")
@pytest.mark.parametrize("name", SMALL)
def test_a_few_elements_keep_the_gil(counting, name):
    """Of ten thousand times that it were given up, the other thread would get it once."""
    call = SMALL[name]
    before = counting[0]
    for _ in range(10_000):
        call()
    assert counting[0] == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_few_elements_wake_nobody(run_python):
    """In an interpreter whose other threads are the pool's; nor is there a task for them."""
    run_python(
        """
        import os, time
        from pathlib import Path
        from test_threads import A, B, SMALL, forzium

        def naps():
            '''How often each thread but this one has gone to sleep.'''
            others = [task for task in Path("/proc/self/task").iterdir() if int(task.name) != os.getpid()]
            return {task.name: [line for line in (task / "status").read_text().splitlines()
                                if line.startswith("voluntary_ctxt_switches")] for task in others}

        forzium.matmul(A, B)
        for name, call in SMALL.items():
            asleep = None
            while asleep != (asleep := naps()):
                time.sleep(0.02)
            assert len(asleep) >= 3
            forzium.thread_pool_metrics(reset=True)
            for _ in range(100):
                call()
            time.sleep(0.02)  # whoever was woken goes to sleep again
            assert naps() == asleep, name
            assert forzium.thread_pool_metrics()["total_tasks_started"] == 0, name
        """,
        FORZIUM_NUM_THREADS="4",
        PYTHONPATH=str(Path(__file__).parent),
    )


# ---- the same bits -----------------------------------------------------------------------------


def test_any_number_of_threads_gives_the_same_bits(threads):
    results = {}
    for n in (1, 2, 3, 7):
        threads(n)
        assert forzium.get_num_threads() == n
        for name, work in WORK.items():
            assert results.setdefault(name, bits(work())) == bits(work()), f"{name} at {n} threads"


def test_sixteen_callers_at_once_get_the_bits_of_one(threads):
    threads(1)
    alone = {name: bits(work()) for name, work in WORK.items()}
    threads(4)
    together = threading.Barrier(16)

    def caller(first):
        together.wait()
        names = list(WORK)
        return {name: bits(WORK[name]()) for name in names[first:] + names[:first]}

    with ThreadPoolExecutor(16) as pool:
        for results in pool.map(caller, range(16)):
            assert results == alone


PLANES = RANDOM.standard_normal((2, 24, 61, 63))
LAYERS = {
    "conv2d of many channels": lambda x, w: forzium.conv2d(x, w(40, 24, 3, 3), w(40), padding=1),
    "conv2d of few channels": lambda x, w: forzium.conv2d(x[:, :3], w(8, 3, 5, 5), w(8)),
    "conv2d of many, strided": lambda x, w: forzium.conv2d(x, w(40, 24, 3, 3), stride=2, dilation=(1, 2)),
    "conv2d of single elements": lambda x, w: forzium.conv2d(x, w(40, 24, 1, 1), activation="gelu"),
    "conv2d of groups": lambda x, w: forzium.conv2d(x, w(16, 12, 3, 3), groups=2),
    "conv2d depthwise": lambda x, w: forzium.conv2d(x, w(24, 1, 3, 3), w(24), padding=1, groups=24),
    "conv2d depthwise, strided": lambda x, w: forzium.conv2d(x, w(24, 1, 5, 5), stride=2, groups=24),
    "conv2d of channels last": lambda x, w: forzium.conv2d(
        np.moveaxis(x, 1, 3).copy(), w(40, 24, 3, 3), layout="NHWC"
    ),
    "conv2d, a small window": lambda x, w: forzium.conv2d(x.reshape(366, 504), w(3, 4)),
    "conv2d, a separable window": lambda x, w: forzium.conv2d(x.reshape(366, 504), w(7, 1) * w(1, 9)),
    "conv2d by Fourier transforms": lambda x, w: forzium.conv2d(x.reshape(366, 504), w(41, 33)),
    "convolve2d": lambda x, w: forzium.convolve2d(x.reshape(366, 504), w(5, 6), "same", "symm"),
    "conv1d": lambda x, w: forzium.conv1d(x.reshape(2, 24, -1), w(40, 24, 5), w(40)),
    "avg_pool2d": lambda x, w: forzium.avg_pool2d(x, 3, stride=2, padding=1),
    "avg_pool2d of channels last": lambda x, w: forzium.avg_pool2d(
        np.moveaxis(x, 1, 3).copy(), 3, stride=1, layout="NHWC"
    ),
    "avg_pool2d of large windows": lambda x, w: forzium.avg_pool2d(x.reshape(366, 504), 50, stride=1),
    "max_pool2d": lambda x, w: forzium.max_pool2d(x, 3, stride=1),
    "global_avg_pool2d": lambda x, w: forzium.global_avg_pool2d(x.reshape(12, 4, 61, 63)),
    "adaptive_avg_pool2d": lambda x, w: forzium.adaptive_avg_pool2d(x.repeat(9, 0), (2, 3)),
    "linear": lambda x, w: forzium.linear(x.reshape(504, 366), w(301, 366), w(301), "gelu"),
    "linear of a packed weight": lambda x, w: forzium.linear(
        x.reshape(504, 366), forzium.pack(w(366, 301)), w(301)
    ),
    "matmul of a packed matrix": lambda x, w: forzium.matmul(x.reshape(36, -1), forzium.pack(w(5124, 70))),
    "matmul of a row and a packed matrix": lambda x, w: forzium.matmul(
        x[0, 0, 0], forzium.pack(w(63, 20_001))
    ),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_reals_have_the_same_bits_on_any_number_of_threads(name, dtype):
    x = PLANES.astype(dtype)

    def weight(*shape):
        return np.random.default_rng(7).standard_normal(shape).astype(dtype)

    assert len({bits(LAYERS[name](x, weight)) for _ in numbers_of_threads()}) == 1


def test_callers_into_parts_of_one_array():
    out = np.zeros((16, 100_000))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda i: forzium.add(LONG[i : i + 100_000], float(i), out=out[i]), range(16)))
    for i in range(16):
        np.testing.assert_array_equal(out[i], LONG[i : i + 100_000] + float(i))


def test_the_number_of_threads_changes_while_others_compute(threads):
    want = forzium.matmul(A, B)
    stop = threading.Event()
    wrong = []

    def compute():
        while not stop.is_set():
            if bits(forzium.matmul(A, B)) != bits(want):
                wrong.append(1)

    callers = [threading.Thread(target=compute) for _ in range(3)]
    for caller in callers:
        caller.start()
    for n in [1, 4, 2, 9, 1, 3] * 5:
        threads(n)
        assert bits(forzium.matmul(A, B)) == bits(want)
    stop.set()
    for caller in callers:
        caller.join()
    assert not wrong


def test_errors_belong_to_their_thread():
    """Each caller's message speaks of that caller's shapes."""

    def fail(n):
        for _ in range(200):
            with pytest.raises(ValueError, match=rf"\(2, {n}\)"):
                forzium.matmul(np.ones((2, n)), np.ones((n + 1, 2)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(10, 26)))


# ---- the number of threads and the metrics -----------------------------------------------------


@pytest.mark.parametrize(
    ("n", "kind"),
    [(0, ValueError), (-1, ValueError), (257, ValueError), (10**30, (ValueError, OverflowError)),
     (2.0, TypeError), ("2", TypeError), (None, TypeError), ([2], TypeError)],
    ids=repr,
)  # fmt: skip
def test_bad_numbers_of_threads(threads, n, kind):
    before = forzium.get_num_threads()
    with pytest.raises(kind, match="set_num_threads"):
        forzium.set_num_threads(n)
    assert forzium.get_num_threads() == before


def test_more_threads_than_processors(threads):
    threads(64)
    np.testing.assert_array_equal(forzium.add(LONG, 1.0), LONG + 1.0)
    threads(256)
    np.testing.assert_array_equal(forzium.add(LONG, 2.0), LONG + 2.0)
    assert forzium.get_num_threads() == 256


METRICS = {
    "observed_threads", "max_active_threads", "mean_active_threads", "utilization_percent", "peak_saturation",
    "total_tasks_started", "total_tasks_completed", "mean_task_duration_us", "max_task_duration_us",
    "min_task_duration_us", "busy_time_seconds", "observation_seconds",
}  # fmt: skip


def test_metrics(threads):
    threads(2)
    forzium.thread_pool_metrics(reset=True)
    for _ in range(20):
        forzium.matmul(A, B)
    metrics = forzium.thread_pool_metrics()
    assert set(metrics) >= METRICS
    assert all(metrics[key] >= 0 for key in METRICS)
    assert metrics["total_tasks_started"] == metrics["total_tasks_completed"] >= 20
    assert 1 <= metrics["max_active_threads"] <= 2
    assert 1 <= metrics["observed_threads"] <= 2
    assert (
        metrics["min_task_duration_us"] <= metrics["mean_task_duration_us"] <= metrics["max_task_duration_us"]
    )
    assert 0 < metrics["busy_time_seconds"] <= 2 * metrics["observation_seconds"] + 1e-3
    assert 0 <= metrics["utilization_percent"] <= 100
    assert metrics["mean_active_threads"] <= 2.01


def test_metrics_start_anew_after_reset(threads):
    threads(2)
    forzium.matmul(A, B)
    last = forzium.thread_pool_metrics(reset=True)
    assert last["total_tasks_completed"] > 0
    fresh = forzium.thread_pool_metrics(False)
    assert fresh["total_tasks_started"] == fresh["total_tasks_completed"] == 0
    assert fresh["busy_time_seconds"] == 0


def test_metrics_while_others_compute(threads):
    threads(3)
    stop = threading.Event()

    def compute():
        while not stop.is_set():
            forzium.matmul(A, B)

    callers = [threading.Thread(target=compute) for _ in range(3)]
    for caller in callers:
        caller.start()
    for step in range(200):
        metrics = forzium.thread_pool_metrics(reset=step % 50 == 49)
        assert set(metrics) >= METRICS
        assert metrics["total_tasks_completed"] <= metrics["total_tasks_started"]
        assert metrics["min_task_duration_us"] < 1e9
    stop.set()
    for caller in callers:
        caller.join()
    metrics = forzium.thread_pool_metrics()
    assert metrics["total_tasks_completed"] == metrics["total_tasks_started"]


def test_threads_are_started_by_the_first_long_call_only(run_python):
    run_python(
        """
        import os
        def threads():
            return len(os.listdir("/proc/self/task"))
        import numpy as np
        before = threads()
        import forzium
        assert forzium.get_num_threads() == 3
        forzium.info()
        forzium.add(np.ones(10), 1.0)
        assert threads() == before, "a short call started threads"
        forzium.matmul(np.ones((700, 700)), np.ones((700, 700)))
        assert before <= threads() <= before + 2, "the caller is one of the three"
        """,
        FORZIUM_NUM_THREADS="3",
    )


def test_callers_start_no_threads_of_their_own(run_python):
    """Sixteen at once share the pool, and are counted while they compute."""
    run_python(
        """
        import os, threading
        import numpy as np, forzium
        CALLERS, POOL = 16, 4
        a = np.ones((256, 256), np.float32)
        start, counts, wrong = threading.Barrier(CALLERS), [], []

        def multiply():
            start.wait()
            for _ in range(40):
                product = forzium.matmul(a, a)
                counts.append(len(os.listdir("/proc/self/task")))
                if not np.all(product == 256):
                    wrong.append(product)

        callers = [threading.Thread(target=multiply) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert not wrong and len(counts) == CALLERS * 40
        assert max(counts) > CALLERS, "they did not run at once"
        assert max(counts) <= CALLERS + 1 + POOL, max(counts)
        """,
        FORZIUM_NUM_THREADS="4",
        OPENBLAS_NUM_THREADS="1",  # NumPy's would be counted, too
    )


def test_fewer_threads_than_asked_for_will_do(run_python):
    """The system refuses new threads: the caller does the work."""
    process = run_python(
        """
        import os, resource, threading
        import numpy as np, forzium
        NOBODY = 65534
        a, out = np.ones((700, 700)), np.empty((700, 700))
        if os.getuid() == 0:  # whom the limit does not bind
            try:
                os.setuid(NOBODY)
            except OSError:
                print("root may not become another here")
                raise SystemExit
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            threading.Thread(target=int).start()
            print("RLIMIT_NPROC does not bind here")
            raise SystemExit
        except RuntimeError:
            pass
        before = os.listdir("/proc/self/task")
        for _ in range(3):
            forzium.matmul(a, a, out=out)
            assert np.all(out == 700)
        assert os.listdir("/proc/self/task") == before
        """,
        FORZIUM_NUM_THREADS="8",
    )
    if process.stdout:
        pytest.skip(process.stdout.strip())


def test_workers_have_room_where_stacks_are_small(run_python, under_sanitizer):
    """Threads get the program's limit of stacks by default; a caller may have asked for more."""
    if under_sanitizer:
        pytest.skip("a sanitizer's own frames do not fit such a stack")
    run_python(
        """
        import os, resource, sys
        code = '''if True:
            import threading
            import numpy as np
            import forzium

            def compute():
                x = np.ones((2000, 1000))
                for _ in range(5):
                    assert (forzium.sum(x, axis=0) == 2000).all()
                    assert (forzium.evaluate("sum(x * 2, axis=1)", {"x": x}) == 2000).all()
                    assert (forzium.var(x, axis=0) == 0).all()
                    assert (forzium.matmul(x[:4], x.T) == 1000).all()
                done.append(True)

            done = []
            threading.stack_size(16 << 20)
            caller = threading.Thread(target=compute)
            caller.start()
            caller.join()
            assert done
        '''
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (128 << 10, hard))
        os.execv(sys.executable, [sys.executable, "-c", code])
        """,
        FORZIUM_NUM_THREADS="4",
    )


@pytest.mark.parametrize("number", [0, -5, -1, 257, 2**31, 2**32 + 2, 2**40, -(2**40)])
def test_a_bad_number_of_threads_is_told(threads, number):
    before = forzium.get_num_threads()
    with pytest.raises(ValueError, match=rf"(?<![-\d]){number}(?!\d)") as caught:
        threads(number)
    assert "256" in str(caught.value)
    assert forzium.get_num_threads() == before


# ---- fork --------------------------------------------------------------------------------------

FORK = """
    import os, signal, sys, threading, warnings
    import numpy as np
    import forzium

    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork in a threaded process
    a = np.random.default_rng(0).standard_normal((400, 400))
    x = np.arange(5e5)
    want = forzium.matmul(a, a).tobytes(), forzium.add(x, 1.0).tobytes(), float(forzium.sum(x))
    stop = threading.Event()
    wrong = []

    def results():
        return forzium.matmul(a, a).tobytes(), forzium.add(x, 1.0).tobytes(), float(forzium.sum(x))

    def compute():
        while not stop.is_set():
            if results() != want:
                wrong.append(1)

    callers = [threading.Thread(target=compute) for _ in range(2)]
    for caller in callers:
        caller.start()
    for step in range(9):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            ok = results() == want and results() == want
            if step % 3 == 0:
                grandchild = os.fork()
                if grandchild == 0:
                    os._exit(0 if results() == want else 1)
                ok = ok and os.waitpid(grandchild, 0)[1] == 0 and results() == want
            os._exit(0 if ok else 1)
        status = os.waitpid(child, 0)[1]
        assert status == 0, f"child {step} ended with status {status}"
        assert results() == want
    stop.set()
    for caller in callers:
        caller.join()
    assert not wrong
    print("parent done")
"""


@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_fork_during_a_computation(run_python, under_sanitizer, threads):
    if under_sanitizer:
        pytest.skip("a sanitizer's allocator does not survive a fork while another thread allocates")
    assert run_python(FORK, FORZIUM_NUM_THREADS=threads).stdout.endswith("parent done\n")


def test_a_forked_child_that_ends_normally(run_python):
    """Interpreter shutdown in the child, with and without a call there."""
    process = run_python(
        """
        import os, sys, signal
        import numpy as np
        import forzium
        a = np.ones((600, 600))
        forzium.matmul(a, a)
        for compute in (False, True):
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                if compute:
                    assert np.all(forzium.matmul(a, a) == 600)
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
        print("parent done")
        """,
        FORZIUM_NUM_THREADS="4",
    )
    assert process.stdout == "parent done\n"


def test_multiprocessing_by_fork(run_python):
    run_python(
        """
        import multiprocessing, warnings
        import numpy as np
        import forzium
        warnings.simplefilter("ignore", DeprecationWarning)
        a = np.random.default_rng(0).standard_normal((500, 500))
        want = forzium.matmul(a, a).tobytes()

        def compute(step):
            return forzium.matmul(a, a).tobytes() == want and float(forzium.sum(np.ones(10**6))) == 10**6

        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert all(pool.map(compute, range(12)))
        assert compute(0)
        """,
        FORZIUM_NUM_THREADS="4",
    )


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_operations_travel_to_other_processes(run_python, tmp_path, method):
    script = tmp_path / "work.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "import numpy as np, forzium\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        assert pool.map(forzium.sum, [np.ones(10**6), np.ones(3)]) == [10**6, 3]\n"
    )
    run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")


def test_threads_may_run_where_the_program_may(run_python):
    """A worker that makes way for a caller on its CPU is not bound to another for that."""
    run_python(
        """
        import os, time
        import forzium, numpy as np
        if not hasattr(os, "sched_getaffinity"):
            raise SystemExit
        forzium.set_num_threads(4)
        x = np.ones(1_000_000)
        for _ in range(20):
            time.sleep(0.002)
            forzium.add(x, 1.0, out=x)
        time.sleep(0.1)
        threads = [int(name) for name in os.listdir("/proc/self/task")]
        assert len(threads) >= 4
        assert all(os.sched_getaffinity(thread) == os.sched_getaffinity(0) for thread in threads)
        """
    )


def test_a_thread_on_one_cpu_binds_no_other(run_python):
    """The first call may be its: the pool is as large as ever, and runs where the program may."""
    run_python(
        """
        import os, threading, time
        from concurrent.futures import ThreadPoolExecutor
        import forzium, forzium_engine, numpy as np
        if not hasattr(os, "sched_getaffinity"):
            raise SystemExit
        allowed = os.sched_getaffinity(0)

        def compute():
            os.sched_setaffinity(0, {min(allowed)})
            size = forzium.get_num_threads()
            forzium.set_num_threads(4)
            forzium.matmul(np.ones((700, 700)), np.ones((700, 700)))
            return threading.get_native_id(), size

        with ThreadPoolExecutor(1) as pool:
            bound, size = pool.submit(compute).result()
            others = {int(name) for name in os.listdir("/proc/self/task")} - {bound}
            assert len(others) >= 4
            while any(os.sched_getaffinity(thread) != allowed for thread in others):
                time.sleep(0.01)  # a new thread may not have run yet
        assert size == forzium_engine.optimize_thread_pools()
        """
    )

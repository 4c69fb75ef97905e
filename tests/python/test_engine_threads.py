"""forzium_engine's threads: the pool that computes, and the pools that run Python callables."""

import contextvars
import os
import threading

import forzium_engine as engine
import numpy as np
import pytest

METRICS = {
    "observed_threads",
    "max_active_threads",
    "mean_active_threads",
    "utilization_percent",
    "peak_saturation",
    "total_tasks_started",
    "total_tasks_completed",
    "mean_task_duration_us",
    "max_task_duration_us",
    "min_task_duration_us",
    "busy_time_seconds",
    "observation_seconds",
}


# ---- threads --------------------------------------------------------------------------------------------


def test_every_thread_gets_the_same_bits():
    m = np.random.default_rng(5).standard_normal((90, 90)).tolist()
    want, results = engine.simd_matmul(m, m), []
    threads = [threading.Thread(target=lambda: results.append(engine.simd_matmul(m, m))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16
    assert all(repr(result) == repr(want) for result in results)


def test_metrics_count_and_reset(run_python):
    run_python(f"""
        import forzium_engine as e
        e.configure_rayon_thread_pool(thread_count=2)
        assert e.rayon_pool_metrics()["total_tasks_started"] == 0
        m = [[1.0] * 300] * 300
        e.simd_matmul(m, m)
        metrics = e.rayon_pool_metrics(reset=True)
        assert set(metrics) >= {METRICS}
        assert metrics["total_tasks_completed"] == metrics["total_tasks_started"] > 0
        assert 1 <= metrics["max_active_threads"] <= metrics["observed_threads"] <= 2
        assert 0 < metrics["min_task_duration_us"] <= metrics["max_task_duration_us"]
        assert e.rayon_pool_metrics(reset=False)["total_tasks_started"] == 0
    """)


def test_pool_size_follows_the_cpus(run_python):
    run_python("""
        import os, forzium_engine as e, forzium
        assert e.configure_rayon_thread_pool(thread_count=3) == 3
        assert forzium.get_num_threads() == 3
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        assert e.optimize_thread_pools() == 1
        assert forzium.get_num_threads() == 1
    """)


RUNNERS = [engine.run_in_compute_threadpool, engine.run_in_io_threadpool]


@pytest.mark.parametrize("run", RUNNERS)
class TestThreadPools:
    def test_result_and_arguments(self, run):
        assert run(lambda: "done") == "done"
        assert run(int, "ff", base=16) == 255

    def test_exceptions_come_back(self, run):
        with pytest.raises(ZeroDivisionError):
            run(lambda: 1 / 0)

    def test_runs_on_another_thread(self, run):
        assert run(threading.get_ident) != threading.get_ident()

    def test_a_call_within_a_call(self, run):
        def nest(depth):
            return 0 if depth == 0 else 1 + run(nest, depth - 1)

        assert run(nest, 50) == 50

    def test_the_two_pools_call_each_other(self, run):
        def nest(depth):
            return 0 if depth == 0 else 1 + RUNNERS[depth % 2](nest, depth - 1)

        assert run(nest, 50) == 50

    def test_context_variables_are_the_callers(self, run):
        variable = contextvars.ContextVar("variable", default="unset")
        variable.set("set")
        assert run(variable.get) == "set"
        run(variable.set, "changed")
        assert variable.get() == "set"

    def test_many_callers_at_once(self, run):
        results = []
        callers = [threading.Thread(target=lambda i=i: results.append(run(pow, i, 2))) for i in range(32)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert sorted(results) == [i * i for i in range(32)]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_after_fork(self, run, run_python):
        run_python(f"""
            import os, forzium_engine as e
            assert e.{run.__name__}(pow, 2, 3) == 8
            child = os.fork()
            if child == 0:
                os._exit(0 if e.{run.__name__}(pow, 2, 4) == 16 else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert e.{run.__name__}(pow, 2, 5) == 32
        """)


def test_the_compute_pool_has_the_pools_size(run_python):
    run_python("""
        import threading, time, forzium_engine as e
        for size in (2, 1, 3):
            e.configure_rayon_thread_pool(thread_count=size)
            seen, lock, now, most = set(), threading.Lock(), 0, 0
            def work():
                global now, most
                with lock:
                    now += 1
                    most = max(most, now)
                time.sleep(0.01)
                with lock:
                    now -= 1
            callers = [threading.Thread(target=e.run_in_compute_threadpool, args=(work,)) for _ in range(8)]
            for caller in callers: caller.start()
            for caller in callers: caller.join()
            assert 1 <= most <= size
    """)

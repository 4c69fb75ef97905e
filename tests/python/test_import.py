"""import forzium costs next to nothing: no NumPy, no thread, little memory; and it can be done twice."""

import os
import sys

import pytest


def test_import_loads_no_numpy(run_python):
    run_python(
        """
        import sys
        import forzium
        assert "numpy" not in sys.modules
        forzium.info(), forzium.detect_simd_support()
        forzium.get_num_threads(), forzium.thread_pool_metrics()
        repr(forzium.add), forzium.add.__doc__, forzium.add.__name__
        assert "numpy" not in sys.modules
        """
    )


def test_list_bindings_never_load_numpy(run_python):
    run_python(
        """
        import sys
        import forzium_engine as engine
        assert engine.multiply([[1.0, 2.0], [3.0, 4.0]], 2.0) == [[2.0, 4.0], [6.0, 8.0]]
        assert engine.simd_matmul([[1.0, 2.0]], [[3.0], [4.0]]) == [[11.0]]
        assert engine.transpose([[1.0, 2.0]]) == [[1.0], [2.0]]
        big = [[float(i * j) for j in range(200)] for i in range(200)]
        assert engine.multiply(big, 0.5)[199][199] == 199 * 199 / 2
        try:
            engine.multiply([[1.0], []], 2.0)
        except ValueError:
            pass
        assert "numpy" not in sys.modules
        """
    )


@pytest.mark.parametrize(
    "call",
    ["forzium.add(np.ones(3), 1.0)", "forzium.sum(np.ones(3))", "forzium.matmul(np.eye(3), np.eye(3))"],
)
def test_numpy_imported_before_or_after(run_python, call):
    run_python(f"import numpy as np, forzium; {call}; {call}")
    run_python(f"import forzium, numpy as np; {call}; {call}")


def test_the_first_array_made_of_a_list_loads_numpy_itself(run_python):
    run_python(
        """
        import sys, forzium
        result = forzium.add([1, 2], [3, 4])
        assert type(result).__name__ == "ndarray"
        assert result.tolist() == [4.0, 6.0]
        assert "numpy" in sys.modules
        """
    )


def test_without_numpy_the_error_is_an_import_error(run_python):
    process = run_python(
        """
        import sys
        sys.modules["numpy"] = None  # what Python does for a package that is not there
        import forzium, forzium_engine
        for _ in range(3):
            try:
                forzium.add([1.0], 2.0)
            except ImportError:
                pass
            else:
                raise AssertionError("no ImportError")
        assert forzium_engine.multiply([[1.0]], 2.0) == [[2.0]]
        """
    )
    assert process.stderr == ""


def test_the_first_array_may_come_from_many_threads(run_python):
    run_python(
        """
        import concurrent.futures, threading
        import forzium
        barrier = threading.Barrier(8)
        def first(number):
            barrier.wait()
            return forzium.add([float(number)], 1.0).tolist()
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            assert list(threads.map(first, range(8))) == [[number + 1.0] for number in range(8)]
        """
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_import_adds_no_thread(run_python):
    run_python(
        """
        import os
        before = len(os.listdir("/proc/self/task"))
        import forzium, forzium_engine
        forzium.info()
        assert len(os.listdir("/proc/self/task")) == before
        """
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_import_adds_less_than_two_megabytes(run_python, under_sanitizer):
    if under_sanitizer:
        pytest.skip("shadow memory is not ours")
    run_python(
        """
        import resource
        def anonymous():  # pages of our own, not those of files shared with every other process
            fields = open("/proc/self/statm").read().split()
            return (int(fields[1]) - int(fields[2])) * resource.getpagesize()
        before = anonymous()
        import forzium
        assert anonymous() - before < 2 * 2**20, f"{anonymous() - before} bytes"
        """
    )


def test_no_import_time_side_effects(run_python):
    """Signal handlers, floating-point environment and warnings are as they were."""
    process = run_python(
        """
        import signal, sys
        handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGSEGV, signal.SIGTERM)}
        tiny = 5e-324
        import forzium
        assert {n: signal.getsignal(n) for n in handlers} == handlers
        assert tiny * 1.0 == 5e-324 and tiny / 2 == 0 and sys.float_info.min / 2 > 0
        """
    )
    assert process.stdout == ""
    assert process.stderr == ""


def test_calls_leave_the_floating_point_environment(run_python):
    run_python(
        """
        import sys, numpy as np, forzium
        a = np.full((600, 600), sys.float_info.min)
        forzium.matmul(a, a); forzium.multiply(a, 0.5); forzium.divide(a, 0.0); forzium.sum(a)
        assert np.all(forzium.multiply(a, 0.5) == sys.float_info.min / 2) and sys.float_info.min / 2 > 0
        with np.errstate(all="raise"):
            np.multiply(2.0, 3.0)
        """
    )


def test_reload(run_python):
    run_python(
        """
        import importlib, sys
        import numpy as np
        import forzium, forzium_engine
        first = forzium.add
        for _ in range(3):
            forzium = importlib.reload(forzium)
            forzium_engine = importlib.reload(forzium_engine)
            assert forzium.add(np.ones(3), 1.0).tolist() == [2.0] * 3
        for name in [name for name in sys.modules if name.split(".")[0].startswith("forzium")]:
            del sys.modules[name]
        import forzium
        assert forzium.add(np.ones(3), 1.0).tolist() == first(np.ones(3), 1.0).tolist() == [2.0] * 3
        """
    )


# Python 3.10-3.12 name the module _xxsubinterpreters, 3.13 _interpreters.
SUBINTERPRETERS = """
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    import forzium
    forzium.add([1.0], 2.0)  # NumPy's C API is there, but of use to this interpreter only

    code = '''if True:
        import sys
        import forzium, forzium_engine
        assert forzium_engine.multiply([[1.0, 2.0]], 2.0) == [[2.0, 4.0]]
        try:
            forzium_engine.multiply([[1.0], []], 2.0)
        except ValueError:
            pass
        else:
            raise AssertionError("no ValueError")
        assert forzium.get_num_threads() >= 1
        try:
            result = forzium.add([1.0], 2.0)
        except ImportError as error:  # as NumPy refuses it
            assert "forzium._core" not in str(error)
        else:
            assert isinstance(result, sys.modules["numpy"].ndarray)
            assert result.tolist() == [3.0]
    '''

    def run(interpreter):
        problem = interpreters.run_string(interpreter, code)
        assert problem is None, problem

    for _ in range(3):
        interpreter = interpreters.create()
        run(interpreter)
        run(interpreter)
        interpreters.destroy(interpreter)
    assert forzium.info()
    assert forzium.add([1.0], 2.0).tolist() == [3.0]
    import forzium_engine
    assert forzium_engine.multiply([[1.0]], 2.0) == [[2.0]]
"""


def test_subinterpreters(run_python):
    run_python(SUBINTERPRETERS)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="one GIL for all interpreters before 3.12")
def test_subinterpreters_with_one_gil(run_python):
    """Where an interpreter shares the main one's GIL and state checks are off."""
    create = (
        "interpreters.create('legacy')"
        if sys.version_info >= (3, 13)
        else "interpreters.create(isolated=False)"
    )
    run_python(SUBINTERPRETERS.replace("interpreters.create()", create))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="one GIL for all interpreters before 3.12")
def test_subinterpreters_at_once(run_python):
    """Each with a GIL of its own, sharing the pool of threads."""
    run_python(
        """
        import concurrent.futures
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        code = '''if True:
            import forzium_engine
            for size in (2, 30, 200):
                rows = [[float(i * j) for j in range(size)] for i in range(size)]
                for _ in range(5):
                    assert forzium_engine.multiply(rows, 2.0) == [[2 * x for x in row] for row in rows]
        '''
        def run(_):
            interpreter = interpreters.create()
            problem = interpreters.run_string(interpreter, code)
            interpreters.destroy(interpreter)
            return problem
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            assert list(threads.map(run, range(8))) == [None] * 8
        """
    )


def test_package_metadata(run_python):
    run_python(
        """
        import importlib.metadata, forzium
        assert forzium.__version__ == importlib.metadata.version("forzium")
        assert str(forzium.info()["version"]) == forzium.__version__
        """
    )


def test_info_from_the_command_line(run_python):
    run_python(
        """
        import subprocess, sys, forzium
        def run(word):
            return subprocess.run([sys.executable, "-m", "forzium", word], capture_output=True, text=True)
        said = run("info")
        assert said.returncode == 0
        assert forzium.__version__ in said.stdout
        assert forzium.detect_simd_support() in said.stdout
        assert said.stderr == ""
        wrong = run("nonsense")
        assert wrong.returncode == 2 and "usage" in wrong.stderr
        """
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_numbers_may_be_a_process_first_arguments(run_python):
    """Whatever is called first, before an array has been seen: results or exceptions, no fault."""
    run_python(
        """
        import os, sys
        import forzium
        for name in forzium.__all__:
            for numbers in ([3], [3, 4], [3.5, 0, 1], [3, None, 1.5]):
                if not callable(getattr(forzium, name)):
                    continue
                child = os.fork()
                if child == 0:
                    try:
                        getattr(forzium, name)(*numbers)
                    except Exception:
                        pass
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0, (name, numbers)
        """
    )

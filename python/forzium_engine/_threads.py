"""Python callables on threads of the standard library, whose executors are made at first use."""

import contextvars
import os
import threading

from forzium._core import get_num_threads

# Pools whose threads wait for the running call: such a pool may have no thread left to give.
_waiting = contextvars.ContextVar("_waiting", default=frozenset())
_executors = {}  # name: (size, executor)
_lock = threading.Lock()


def _forget_executors():
    """Let a forked child, which has none of the threads, make its own."""
    global _lock
    _lock = threading.Lock()
    _executors.clear()


os.register_at_fork(after_in_child=_forget_executors)


def _submit(pool, size, function, *args):
    from concurrent.futures import ThreadPoolExecutor

    with _lock:
        old_size, executor = _executors.get(pool, (0, None))
        if executor is None or old_size != size:
            if executor is not None:
                executor.shutdown(wait=False)
            executor = ThreadPoolExecutor(size, thread_name_prefix=f"forzium-{pool}")
            _executors[pool] = (size, executor)
        return executor.submit(function, *args)


def _run(pool, size, f, args, kwargs):
    if not callable(f):
        raise TypeError(f"run_in_{pool}_threadpool: f must be callable, not {type(f).__name__}")
    if pool in _waiting.get():
        return f(*args, **kwargs)

    def call():
        _waiting.set(_waiting.get() | {pool})
        return f(*args, **kwargs)

    future = _submit(pool, size, contextvars.copy_context().run, call)
    try:
        return future.result()
    finally:
        future.cancel()  # does nothing unless the waiting was interrupted before f began
        del future  # an exception, its traceback, this frame and the future would be a cycle


def run_in_compute_threadpool(f, /, *args, **kwargs):
    """Call f on a pool of as many threads as forzium computes with, and wait for it.

    However many threads of a program call this, no more calls run at once than `forzium.get_num_threads`
    says.

    Parameters
    ----------
    f : callable
        It sees the caller's context variables.
    *args, **kwargs
        Passed on to f.

    Returns
    -------
    object
        What f returns; what it raises is raised here.

    Notes
    -----
    A call from within f runs at once, on f's thread.

    Examples
    --------
    >>> import forzium_engine
    >>> forzium_engine.run_in_compute_threadpool(lambda: 6 * 7)
    42
    """
    return _run("compute", get_num_threads(), f, args, kwargs)


def run_in_io_threadpool(f, /, *args, **kwargs):
    """Call f on a pool of threads for work that mostly waits, and wait for it.

    Parameters
    ----------
    f : callable
        It sees the caller's context variables.
    *args, **kwargs
        Passed on to f.

    Returns
    -------
    object
        What f returns; what it raises is raised here.

    Notes
    -----
    The pool has four threads more than the machine has CPUs, whatever affinity and quota say, but at most 32.
    A call from within f runs at once, on f's thread.

    Examples
    --------
    >>> import forzium_engine
    >>> forzium_engine.run_in_io_threadpool(pow, 2, 10)
    1024
    """
    return _run("io", min(32, (os.cpu_count() or 1) + 4), f, args, kwargs)

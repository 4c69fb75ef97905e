"""Hypothesis profiles, the number of threads after a test, and the fresh interpreter that others run in."""

import os
import subprocess
import sys
import textwrap

import forzium
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("default", max_examples=50, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.load_profile(os.environ.get("FORZIUM_TEST_PROFILE", "default"))


def pytest_configure(config):
    """NaN, infinities and overflow are the point here; NumPy need not warn of them."""
    np.seterr(all="ignore")


@pytest.fixture(autouse=True)
def number_of_threads_is_as_it_was():
    """Whatever a test sets, and however it ends."""
    before = forzium.get_num_threads()
    yield
    forzium.set_num_threads(before)


@pytest.fixture(scope="session")
def run_python():
    """A function that runs code in a fresh interpreter and returns the finished process."""

    def run(code, *, check=True, timeout=120, **environment):
        process = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert process.returncode == 0, f"exit {process.returncode}\n{process.stdout}\n{process.stderr}"
        return process

    return run


@pytest.fixture(scope="session")
def under_sanitizer():
    """Whether memory figures are a sanitizer's, not ours."""
    return "asan" in os.environ.get("LD_PRELOAD", "") or "tsan" in os.environ.get("LD_PRELOAD", "")

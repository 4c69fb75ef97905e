"""The targets of this project on the conv suite."""

from __future__ import annotations

from ..results import Results
from .figures import every, shares
from .verdicts import VerdictTable, verdict

_WHAT = {
    "window": "One channel, beside OpenCV, SciPy and PyTorch",
    "gaussian": "Windows that are a column times a row, beside OpenCV, SciPy and PyTorch",
    "layer": "Layers of ResNet-50 and MobileNet, beside PyTorch and JAX",
    "conv1d": "Layers of one dimension, beside PyTorch and JAX",
    "pool": "Pooling, beside PyTorch and JAX",
    "adaptive_pool": "Adaptive pooling, beside PyTorch",
    "transpose": "Transposes, beside JAX, OpenCV and PyTorch",
    "permute": "Axes in another order, beside JAX and PyTorch",
}
_STREAMING = ("pool", "transpose", "permute")


def tables(results: Results) -> list[VerdictTable]:
    """This project's targets."""
    cases = {name: [case for case in results.cases.values() if case.operation == name] for name in _WHAT}
    verdicts = [
        verdict(what, "at least as fast as the best on every row", every(results, cases[name], 1.0))
        for name, what in _WHAT.items()
    ]
    for name in _STREAMING:
        what = _WHAT[name].split(",")[0]
        verdicts.append(
            verdict(
                f"{what}: bandwidth", "at least 90 % of a plain copy's", shares(results, cases[name], 0.9)
            )
        )
    return [
        VerdictTable("The targets on convolution and pooling, and what was reached here", tuple(verdicts))
    ]

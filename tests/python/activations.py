"""What activations are of whole numbers, from SciPy's functions in float64."""

import numpy as np
from scipy.special import erfc, expit

_FUNCTIONS = {
    "gelu": lambda x: x / 2 * erfc(-x / np.sqrt(2)),
    "gelu_tanh": lambda x: x * expit(np.sqrt(8 / np.pi) * (x + 0.044715 * x**3)),
    "silu": lambda x: x * expit(x),
    "sigmoid": expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": np.tanh,
}
ACTIVATIONS = [None, "relu", *_FUNCTIONS]


def assert_activated(got, sums, activation, dtype):
    """Of exact sums in int64: rounded once where the function only selects, else nearly."""
    assert got.dtype == dtype
    if activation in (None, "relu"):
        np.testing.assert_array_equal(got, (np.maximum(sums, 0) if activation else sums).astype(dtype))
        return
    want = _FUNCTIONS[activation](sums.astype(np.float64)).astype(dtype)
    eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}[
        want.dtype.name
    ]
    tolerance = eps if want.dtype.itemsize == 2 else 16 * eps
    np.testing.assert_allclose(got.astype(float), want.astype(float), rtol=tolerance, atol=tolerance)

"""linear with all of its options at once, of whole numbers, whose sums are exact in float32."""

import forzium
import numpy as np
import pytest
from activations import ACTIVATIONS, assert_activated
from hypothesis import given
from hypothesis import strategies as st
from layouts import integer_arrays, layouts

bfloat16 = pytest.importorskip("ml_dtypes").bfloat16

DTYPES = [
    ("float32", "float32", "float32"),
    ("float64", "float64", "float64"),
    ("float32", "float64", "float64"),
    ("float16", "float16", "float16"),
    (bfloat16, bfloat16, bfloat16),
    ("float16", bfloat16, "float32"),
    (bfloat16, "float32", "float32"),
    ("uint8", "float32", "float32"),
    ("float16", "int8", "float16"),
    ("int16", "float32", "float32"),
    ("float32", "int64", "float64"),
    ("bool", "float16", "float16"),
]
"""Of x, of weight, and of the result, as NumPy and ml_dtypes promote them."""
FLOAT32_SUMS = ("float16", "bfloat16", "float32")
ONLY_ITS_OWN = ("bfloat16", "int8", "uint8", "int16", "uint16")
"""What was packed from these is, by pack's documentation, for an x of that very dtype."""


def sums_in(dtype):
    return "float32" if dtype.name in FLOAT32_SUMS else dtype.name


def may_be_packed(x, weight, result):
    """Of a weight that is summed in what the result is."""
    x, weight, result = map(np.dtype, (x, weight, result))
    return sums_in(weight) == sums_in(result) and (weight == x or weight.name not in ONLY_ITS_OWN)


@pytest.mark.parametrize(("x_dtype", "weight_dtype", "dtype"), DTYPES)
@given(
    data=st.data(),
    stack=st.lists(st.integers(0, 3), max_size=2) | st.none(),
    sizes=st.tuples(*[st.integers(1, 9) | st.integers(10, 70)] * 3),
    bias_dtype=st.sampled_from([None, "float32", "float64", "float16", "int64"]),
    activation=st.sampled_from(ACTIVATIONS),
    is_packed=st.booleans(),
)
def test_options(x_dtype, weight_dtype, dtype, data, stack, sizes, bias_dtype, activation, is_packed):
    m, k, n = sizes
    x = data.draw(integer_arrays((k,) if stack is None else (*stack, m, k), x_dtype))
    weight = data.draw(integer_arrays((n, k), weight_dtype))
    bias = None if bias_dtype is None else data.draw(integer_arrays((n,), bias_dtype))
    sums = x.astype(np.int64) @ weight.astype(np.int64).T
    sums = sums if bias is None else sums + bias.astype(np.int64)
    given_weight = weight
    if is_packed and may_be_packed(x_dtype, weight_dtype, dtype):
        given_weight = forzium.pack(weight.T)
        weight[...] = 0
    assert_activated(forzium.linear(x, given_weight, bias, activation), sums, activation, dtype)
    layout = data.draw(layouts(sums.shape))
    (out, got_memory), (zeros, want_memory) = layout.allocate(dtype), layout.allocate(dtype)
    assert forzium.linear(x, given_weight, bias, activation, out=out) is out
    assert_activated(out, sums, activation, dtype)
    out[...] = zeros[...] = 0
    np.testing.assert_array_equal(got_memory, want_memory, "wrote beside out")


PACKED = [
    ("float32", "float64"),
    ("float16", "float64"),
    ("float32", "int64"),
    (bfloat16, "float32"),
    (bfloat16, "float16"),
    ("int8", "float32"),
    ("uint8", "float16"),
    ("int64", "float64"),
]
"""What was packed, and an x beside which it cannot be used as it is."""


@pytest.mark.parametrize(("packed", "x_dtype"), PACKED)
def test_a_weight_packed_from_another_dtype_is_refused_by_name(packed, x_dtype):
    weight, x = forzium.pack(np.ones((3, 4), packed)), np.ones((2, 3), x_dtype)
    out = np.full((2, 4), 7.0)
    names = np.dtype(x_dtype).name, np.dtype(packed).name
    with pytest.raises(TypeError, match="linear: x is {} and weight was packed from {};".format(*names)):
        forzium.linear(x, weight, np.ones(4), "relu", out=out)
    assert np.all(out == 7)

"""JAX on the CPU: compiled before it is timed, and waited for. It has no ``out``, but donated inputs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special

from . import Timed


def version() -> str:
    """JAX's version."""
    return str(jax.__version__)


def use_threads(count: int) -> None:
    """Its thread pool is as large as the process may use CPUs; no switch limits all of it."""
    jax.config.update("jax_enable_x64", True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _jitted(name: str, function: Callable[..., Any], *arguments: Any) -> Timed:
    call = f"{name}({', '.join('xyz'[: len(arguments)])}).block_until_ready()"
    names = {name: jax.jit(function), **dict(zip("xyz", map(jnp.asarray, arguments), strict=False))}
    return Timed(call, names)


def _scale(params: Any, x: Any, factor: float) -> Timed:
    scale = jax.jit(lambda x: x * factor, donate_argnums=0)
    statement = "box[0] = scale(box[0]); box[0].block_until_ready()"
    return Timed(statement, {"scale": scale, "box": [jnp.array(x)]}, result="box[0]")


def _matmul(params: Any, a: Any, b: Any) -> Timed:
    return _jitted("matmul", jnp.matmul, a, b)


def _linear(params: Any, x: Any, weight: Any, bias: Any) -> Timed:
    return _jitted("linear", lambda x, weight, bias: x @ weight.T + bias, x, weight, bias)


def _conv2d(params: Any, x: Any, weight: Any) -> Timed:
    def conv2d(x: Any, weight: Any) -> Any:
        return jax.lax.conv(x[None, None], weight[None, None], (1, 1), "VALID")[0, 0]

    return _jitted("conv2d", conv2d, x, weight)


def _layer(params: Any, x: Any, weight: Any) -> Timed:
    def conv2d(x: Any, weight: Any) -> Any:
        padding, stride = [(params["padding"],) * 2] * 2, (params["stride"],) * 2
        return jax.lax.conv_general_dilated(
            *(x, weight, stride, padding),
            dimension_numbers=(params["layout"], kernel, params["layout"]),
            feature_group_count=params["groups"],
        )

    kernel = "OIHW"
    if params["layout"] == "NHWC":  # as weights are kept beside such images
        kernel, weight = "HWIO", weight.transpose(2, 3, 1, 0)
    return _jitted("conv2d", conv2d, x, weight)


def _conv1d(params: Any, x: Any, weight: Any) -> Timed:
    def conv1d(x: Any, weight: Any) -> Any:
        return jax.lax.conv_general_dilated(x, weight, (params["stride"],), [(params["padding"],) * 2])

    return _jitted("conv1d", conv1d, x, weight)


def _pool(params: Any, x: Any) -> Timed:
    lead = (1,) * (x.ndim - 2)
    window, stride = (*lead, *(params["window"],) * 2), (*lead, *(params["stride"],) * 2)
    padding = [*[(0, 0)] * (x.ndim - 2), *[(params["padding"],) * 2] * 2]

    def pool(x: Any) -> Any:
        if params["kind"] == "max":
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, stride, padding)
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, stride, padding) / params["window"] ** 2

    return _jitted("pool", pool, x)


_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "fma": lambda x, y, z: x * y + z,
}


def _elementwise(params: Any, **operands: Any) -> Timed:
    name = params["function"]
    if params["layout"] == "strided":
        raise NotImplementedError("JAX has no strided arrays")
    function = _ACTIVATIONS.get(name) or getattr(jnp, name, None) or getattr(jax.nn, name, None)
    if function is None or name == "positive":  # that gives its operand, and copies nothing
        raise NotImplementedError(f"JAX has no {name}")
    return _jitted(name, function, *operands.values())


def _astype(params: Any, x: Any) -> Timed:
    return _jitted("astype", lambda x: x.astype(params["to"]), x)


def _reduce(params: Any, x: Any) -> Timed:
    function, axis = getattr(jnp, params["function"]), params["axis"]
    return _jitted(params["function"], lambda x: function(x, axis=axis), x)


_ALONG: dict[str, Callable[..., Any]] = {
    "cumsum": lambda x: jnp.cumsum(x, axis=-1),
    "cumprod": lambda x: jnp.cumprod(x, axis=-1),
    "dot": jnp.dot,
    "vecdot": jnp.vecdot,
    "norm": lambda x: jnp.linalg.norm(x, axis=-1),
    "logsumexp": lambda x: jax.scipy.special.logsumexp(x, axis=-1),
}


def _along(params: Any, **operands: Any) -> Timed:
    return _jitted(params["function"], _ALONG[params["function"]], *operands.values())


def _layer_norm(x: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


_ROWWISE: dict[str, Callable[..., Any]] = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "layer_norm": _layer_norm,
    "rms_norm": lambda x: x * jax.lax.rsqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6),
    "normalize": lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
}


def _rowwise(params: Any, x: Any) -> Timed:
    return _jitted(params["function"], _ROWWISE[params["function"]], x)


def _expression(params: Any, **arrays: Any) -> Timed:
    scope = {"sum": jnp.sum, "where": jnp.where, "exp": jnp.exp, "sin": jnp.sin}
    function = eval(f"lambda {', '.join(arrays)}: {params['expression']}", scope)
    return _jitted("expression", function, *arrays.values())


def _max_pool2d(params: Any, x: Any) -> Timed:
    window = (params["window"], params["window"])

    def max_pool2d(x: Any) -> Any:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    return _jitted("max_pool2d", max_pool2d, x)


def _transpose(params: Any, x: Any) -> Timed:
    return _jitted("transpose", jnp.transpose, x)


def _permute(params: Any, x: Any) -> Timed:
    return _jitted("permute", lambda x: jnp.transpose(x, params["axes"]), x)


OPERATIONS = {
    "scale": _scale,
    "matmul": _matmul,
    "product": _matmul,
    "linear": _linear,
    "conv2d": _conv2d,
    "layer": _layer,
    "conv1d": _conv1d,
    "pool": _pool,
    "elementwise": _elementwise,
    "astype": _astype,
    "reduce": _reduce,
    "along": _along,
    "rowwise": _rowwise,
    "expression": _expression,
    "max_pool2d": _max_pool2d,
    "transpose": _transpose,
    "permute": _permute,
}

"""Images and layers to convolve and to pool: their inputs, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Params = Mapping[str, Any]


def window_inputs(params: Params, random: np.random.Generator) -> dict[str, Any]:
    """An image of one channel and a square window of floats."""
    dtype, n, k = np.dtype(params["dtype"]), params["n"], params["window"]
    x = random.uniform(0, 255, (n, n)).astype(dtype)
    weight = random.standard_normal((k, k)).astype(dtype if dtype.kind == "f" else np.float32)
    return {"x": x, "weight": weight}


def window_expected(params: Params, x: Any, weight: Any) -> Any:
    """By one transform of the whole, in float64."""
    n, k = params["n"], params["window"]
    spectra = np.fft.rfft2(x.astype(np.float64)), np.fft.rfft2(weight.astype(np.float64), (n, n))
    return np.fft.irfft2(spectra[0] * np.conj(spectra[1]), (n, n))[: n - k + 1, : n - k + 1]


def gaussian_inputs(params: Params, random: np.random.Generator) -> dict[str, Any]:
    """An image of one channel, and the row whose outer product with itself is the window."""
    x = window_inputs(params, random)["x"]
    at = np.linspace(-3, 3, params["window"])
    row = np.exp(-(at**2) / 2)
    return {"x": x, "row": (row / row.sum()).astype(x.dtype)}


def gaussian_expected(params: Params, x: Any, row: Any) -> Any:
    """As of any window."""
    return window_expected(params, x, np.outer(row.astype(np.float64), row))


def layer_inputs(params: Params, random: np.random.Generator) -> dict[str, Any]:
    """Images of many channels, which come first or last, and the weights of a layer."""
    n, side = params["channels"], params["side"]
    shape = (side, side, n) if params["layout"] == "NHWC" else (n, side, side)
    x = random.standard_normal((params["batch"], *shape)).astype(np.float32)
    k = params["window"]
    weight = random.standard_normal((params["outputs"], n // params["groups"], k, k)).astype(np.float32)
    return {"x": x, "weight": weight}


def layer_expected(params: Params, x: Any, weight: Any) -> Any:
    """Image by image, group by group."""
    padding, stride, groups = params["padding"], params["stride"], params["groups"]
    if params["layout"] == "NHWC":
        x = x.transpose(0, 3, 1, 2)
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    pairs = [
        (part, of) for part, of in zip(np.split(windows, groups, 1), np.split(weight, groups), strict=True)
    ]
    results = [np.tensordot(of, part, ((1, 2, 3), (1, 4, 5))).swapaxes(0, 1) for part, of in pairs]
    result = np.concatenate(results, axis=1)
    return result.transpose(0, 2, 3, 1) if params["layout"] == "NHWC" else result


def conv1d_inputs(params: Params, random: np.random.Generator) -> dict[str, Any]:
    """A sound of many channels and the weights of a layer."""
    shapes = {"x": (1, params["channels"], params["length"])}
    shapes["weight"] = (params["outputs"], params["channels"], params["window"])
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def conv1d_expected(params: Params, x: Any, weight: Any) -> Any:
    """All windows at once."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (params["padding"],) * 2))
    windows = sliding_window_view(padded, params["window"], axis=2)[:, :, :: params["stride"]]
    return np.tensordot(windows, weight.astype(np.float64), ((1, 3), (1, 2))).swapaxes(1, 2)


def pool_expected(params: Params, x: Any) -> Any:
    """Over windows at steps, padded with what counts least."""
    k, stride, padding = params["window"], params["stride"], params["padding"]
    fill = -np.inf if params["kind"] == "max" else 0.0
    sides = [(0, 0)] * (x.ndim - 2) + [(padding, padding)] * 2
    padded = np.pad(x.astype(np.float64), sides, constant_values=fill)
    windows = sliding_window_view(padded, (k, k), axis=(-2, -1))[..., ::stride, ::stride, :, :]
    return windows.max((-2, -1)) if params["kind"] == "max" else windows.mean((-2, -1))


def adaptive_pool_expected(params: Params, x: Any) -> Any:
    """Means over parts that cover both axes, and overlap where these cannot be divided."""
    size, x = params["size"], x.astype(np.float64)
    rows, columns = (
        [slice(i * n // size, -(-(i + 1) * n // size)) for i in range(size)] for n in x.shape[-2:]
    )
    return np.stack(
        [np.stack([x[..., row, column].mean((-2, -1)) for column in columns], -1) for row in rows], -2
    )

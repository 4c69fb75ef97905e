"""The conv suite: convolution, pooling and transposition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..cases import Case, Effort, Suite
from . import rows

WINDOWS = (3, 5, 7, 15, 31, 41, 101)
SIDES = (200, 1000, 4000)
DTYPES = ("float32", "float64", "uint8")

GAUSSIANS = (5, 15, 31)

LAYERS = {
    "ResNet first 7×7": (3, 64, 7, 2, 3, 1, 224),
    "ResNet 3×3 at 56²": (64, 64, 3, 1, 1, 1, 56),
    "ResNet 3×3 at 28²": (128, 128, 3, 1, 1, 1, 28),
    "ResNet 3×3 at 14²": (256, 256, 3, 1, 1, 1, 14),
    "ResNet 3×3 at 7²": (512, 512, 3, 1, 1, 1, 7),
    "ResNet 1×1 64 to 256 at 56²": (64, 256, 1, 1, 0, 1, 56),
    "ResNet 1×1 256 to 64 at 56²": (256, 64, 1, 1, 0, 1, 56),
    "ResNet 1×1 512 to 128 at 28²": (512, 128, 1, 1, 0, 1, 28),
    "ResNet 1×1 1024 to 256 at 14²": (1024, 256, 1, 1, 0, 1, 14),
    "ResNet 1×1 512 to 2048 at 7²": (512, 2048, 1, 1, 0, 1, 7),
    "ResNet 1×1 by 2 at 56²": (256, 512, 1, 2, 0, 1, 56),
    "MobileNet first 3×3": (3, 32, 3, 2, 1, 1, 224),
    "MobileNet depthwise at 112²": (32, 32, 3, 1, 1, 32, 112),
    "MobileNet depthwise by 2 at 112²": (64, 64, 3, 2, 1, 64, 112),
    "MobileNet depthwise at 56²": (128, 128, 3, 1, 1, 128, 56),
    "MobileNet depthwise at 14²": (512, 512, 3, 1, 1, 512, 14),
    "MobileNet depthwise at 7²": (1024, 1024, 3, 1, 1, 1024, 7),
    "MobileNet pointwise at 112²": (32, 64, 1, 1, 0, 1, 112),
    "MobileNet pointwise at 14²": (512, 512, 1, 1, 0, 1, 14),
    "MobileNet pointwise at 7²": (1024, 1024, 1, 1, 0, 1, 7),
}
"""Channels, output channels, window, stride, padding, groups and the side of the images."""

OTHER_LAYERS = {
    "ResNet 1×1 64 to 64 at 56²": (64, 64, 1, 1, 0, 1, 56),
    "ResNet 1×1 256 to 128 at 56²": (256, 128, 1, 1, 0, 1, 56),
    "ResNet 3×3 by 2 at 56²": (128, 128, 3, 2, 1, 1, 56),
    "ResNet 1×1 128 to 512 at 28²": (128, 512, 1, 1, 0, 1, 28),
    "ResNet 1×1 by 2 at 28²": (512, 1024, 1, 2, 0, 1, 28),
    "ResNet 1×1 512 to 256 at 28²": (512, 256, 1, 1, 0, 1, 28),
    "ResNet 3×3 by 2 at 28²": (256, 256, 3, 2, 1, 1, 28),
    "ResNet 1×1 256 to 1024 at 14²": (256, 1024, 1, 1, 0, 1, 14),
    "ResNet 1×1 by 2 at 14²": (1024, 2048, 1, 2, 0, 1, 14),
    "ResNet 1×1 1024 to 512 at 14²": (1024, 512, 1, 1, 0, 1, 14),
    "ResNet 3×3 by 2 at 14²": (512, 512, 3, 2, 1, 1, 14),
    "ResNet 1×1 2048 to 512 at 7²": (2048, 512, 1, 1, 0, 1, 7),
    "MobileNet depthwise by 2 at 56²": (128, 128, 3, 2, 1, 128, 56),
    "MobileNet depthwise at 28²": (256, 256, 3, 1, 1, 256, 28),
    "MobileNet depthwise by 2 at 28²": (256, 256, 3, 2, 1, 256, 28),
    "MobileNet depthwise by 2 at 14²": (512, 512, 3, 2, 1, 512, 14),
    "MobileNet pointwise 64 to 128 at 56²": (64, 128, 1, 1, 0, 1, 56),
    "MobileNet pointwise 128 to 128 at 56²": (128, 128, 1, 1, 0, 1, 56),
    "MobileNet pointwise 128 to 256 at 28²": (128, 256, 1, 1, 0, 1, 28),
    "MobileNet pointwise 256 to 256 at 28²": (256, 256, 1, 1, 0, 1, 28),
    "MobileNet pointwise 256 to 512 at 14²": (256, 512, 1, 1, 0, 1, 14),
    "MobileNet pointwise 512 to 1024 at 7²": (512, 1024, 1, 1, 0, 1, 7),
}
"""The rest of ResNet-50, whose version 1.5 has its strides elsewhere, and of MobileNet: on one image."""

CHANNELS_LAST = ("ResNet 3×3 at 28²", "ResNet 1×1 256 to 64 at 56²", "MobileNet depthwise at 56²")
"""Layers that are measured as NHWC, too."""

BATCHES = (1, 8)

POOLS = (
    *((kind, [side, side], 2, 2, 0) for kind in ("max", "avg") for side in (1000, 4000)),
    *((kind, [batch, 64, 112, 112], 3, 2, 1) for kind in ("max", "avg") for batch in BATCHES),
    *((kind, [1000, 1000], 31, 1, 15) for kind in ("max", "avg")),
)
"""Kind, shape, window, stride and padding."""

PERMUTATIONS = {
    "NCHW to NHWC": ([8, 64, 112, 112], [0, 2, 3, 1]),
    "NHWC to NCHW": ([8, 112, 112, 64], [0, 3, 1, 2]),
    "NCHW to NHWC, an RGB image": ([1, 3, 1000, 1000], [0, 2, 3, 1]),
    "Last axis first": ([100, 200, 300], [2, 0, 1]),
}

_STREAMED = 50_000_000
"""Elements that a plain loop goes over, again and again where the array is shorter."""


def _copy(traffic: float) -> Case:
    """The plain loop that reads and writes as much."""
    n = int(traffic / 8)
    return rows.stream("copy", n, max(1, _STREAMED // n), "float32")


def _streaming(case: Case, traffic: float) -> Case:
    """A case that is bound by memory."""
    return replace(case, bytes=traffic, ceiling=_copy(traffic).key)


def _windows() -> Iterable[Case]:
    for dtype in DTYPES:
        for n in SIDES:
            for k in WINDOWS:
                outputs, quick = (n - k + 1) ** 2, n == 200 and dtype == "float32"
                params = {"n": n, "window": k, "dtype": dtype}
                title = f"{k}×{k} window on {n}×{n} {dtype}"
                key, flops = f"window.{dtype}.{n}.{k}", 2.0 * k * k * outputs
                yield Case(key, f"windows, {dtype}", title, "window", params, n, flops=flops, quick=quick)


def _gaussians() -> Iterable[Case]:
    for k in GAUSSIANS:
        params = {"n": 1000, "window": k, "dtype": "float32"}
        title, key = f"{k}×{k} Gaussian on 1000×1000 float32", f"gaussian.float32.1000.{k}"
        yield Case(key, "windows that are products", title, "gaussian", params, k, quick=k == 15)


def layers(batch: int) -> Mapping[str, tuple[int, ...]]:
    """The layers that are measured on so many images, by name; a case's key numbers them."""
    return LAYERS | OTHER_LAYERS if batch == 1 else LAYERS


def _layer(key: str, name: str, batch: int, layout: str = "NCHW") -> Case:
    names = ("channels", "outputs", "window", "stride", "padding", "groups", "side")
    numbers = layers(batch)[name]
    params = {**dict(zip(names, numbers, strict=True)), "batch": batch, "layout": layout, "dtype": "float32"}
    channels, outputs, k, stride, padding, groups, side = numbers
    pixels = batch * ((side + 2 * padding - k) // stride + 1) ** 2
    flops = 2.0 * pixels * outputs * k * k * channels / groups
    title = f"{name}, {'NHWC, ' if layout == 'NHWC' else ''}batch {batch}"
    ceiling = "machine.fma.float32" if groups == 1 else ""
    return Case(key, "layers", title, "layer", params, batch, flops=flops, ceiling=ceiling)


def _layers() -> Iterable[Case]:
    for batch in BATCHES:
        for number, name in enumerate(layers(batch)):
            case = _layer(f"layer.{batch}.{number}", name, batch)
            yield rows.quick_if(batch == 1 and name in LAYERS, case)
    for number, name in enumerate(CHANNELS_LAST):
        yield rows.quick_if(False, _layer(f"layer.NHWC.{number}", name, 1, "NHWC"))


def _conv1d() -> Case:
    """The first layer of a model of speech: 30 seconds as 3,000 spectra of 80 bands."""
    channels, outputs, k, length = 80, 384, 3, 3_000
    params = {"channels": channels, "outputs": outputs, "window": k, "length": length}
    options = {"stride": 1, "padding": 1, "dtype": "float32"}
    title = f"conv1d of {length} samples, {channels} to {outputs} channels, {k} taps, float32"
    flops, ceiling = 2.0 * length * outputs * k * channels, "machine.fma.float32"
    return Case(
        "conv1d.speech",
        "layers",
        title,
        "conv1d",
        {**params, **options},
        length,
        flops=flops,
        ceiling=ceiling,
        quick=False,
    )


def _adaptive_pool() -> Case:
    """The step between convolutions and classification, of images whose side 7 does not divide."""
    shape, size = [8, 512, 15, 15], 7
    title = f"adaptive_avg_pool2d to {size}×{size} of {'×'.join(map(str, shape))} float32"
    params = {"shape": shape, "size": size, "dtype": "float32"}
    traffic = 4.0 * math.prod(shape[:2]) * (math.prod(shape[2:]) + size**2)
    return Case(
        "adaptive_pool.7", "pooling", title, "adaptive_pool", params, shape[-1], bytes=traffic, quick=False
    )


def _pools() -> Iterable[Case]:
    for kind, shape, window, stride, padding in POOLS:
        size = "×".join(map(str, shape))
        params = {"kind": kind, "shape": shape, "window": window, "stride": stride, "padding": padding}
        title = f"{kind}_pool2d {window}×{window} by {stride} of {size} float32"
        key, params["dtype"] = f"pool.{kind}.{size.replace('×', 'x')}.{window}", "float32"
        outputs = [(side + 2 * padding - window) // stride + 1 for side in shape[-2:]]
        traffic = 4.0 * math.prod(shape[:-2]) * (math.prod(shape[-2:]) + math.prod(outputs))
        yield _streaming(Case(key, "pooling", title, "pool", params, shape[-1], quick=window == 2), traffic)


def _transposes() -> Iterable[Case]:
    for dtype in DTYPES:
        for n in (100, 1000, 4096):
            title, params = f"Transpose of {n}×{n} {dtype}", {"shape": [n, n], "dtype": dtype}
            case = Case(f"transpose.{dtype}.{n}", "transpose", title, "transpose", params, n, quick=n < 4096)
            yield _streaming(case, 2.0 * np.dtype(dtype).itemsize * n * n) if n >= 1000 else case


def _permutations() -> Iterable[Case]:
    for number, (name, (shape, axes)) in enumerate(PERMUTATIONS.items()):
        title = f"{name}, {'×'.join(map(str, shape))} float32"
        params = {"shape": shape, "axes": axes, "dtype": "float32"}
        case = Case(f"permute.{number}", "transpose", title, "permute", params, shape[-1], quick=number == 0)
        yield _streaming(case, 8.0 * math.prod(shape))


def _with_copies(cases: Iterable[Case]) -> tuple[Case, ...]:
    """The cases, after the plain loops that they are given as shares of."""
    cases = tuple(cases)
    copies = {case.ceiling: rows.quick_if(case.quick, _copy(case.bytes)) for case in cases if case.bytes}
    return (*copies.values(), *cases)


SUITE = Suite(
    name="conv",
    title="Convolution, pooling and transposition",
    cases=(
        *(rows.fma("float32"), *_windows(), *_gaussians(), *_layers(), _conv1d(), _adaptive_pool()),
        *_with_copies((*_pools(), *_transposes(), *_permutations())),
    ),
    effort=Effort(rounds=5, seconds=0.01, budget=0.6),
    quick_effort=Effort(rounds=3, seconds=0.003, budget=0.2),
)

"""Operations into an out of their result's dtype take at most 16 MB a thread, never a copy of an input."""

import pytest
from oracle import PEAK

THREADS, MOST_KB = 2, 16 << 10

# Inputs and out have 64 MB each, so that a copy of either would show.
PROGRAM = (
    PEAK
    + """
        import numpy as np, forzium
        forzium.set_num_threads(2)
        memory, target = np.ones(1 << 24, "f"), np.ones(1 << 24, "f")
        square, stack, bytes_ = memory.reshape(4096, 4096), memory.reshape(64, 512, 512), memory.view("B")
        planes = memory.reshape(1, 32, 512, 1024)
        random = np.random.default_rng(0).random((41, 41), "f")

        def window(*shape):
            return np.ones(shape, "f")

        def into(*shape):
            return target[: int(np.prod(shape))].reshape(shape)

        def conv(x, weight, shape, **options):
            forzium.conv2d(x, weight, **options, out=into(*shape))

        def pool(name, x, *arguments, shape, **options):
            getattr(forzium, name)(x, *arguments, **options, out=into(*shape))

        CALLS = {
            "matmul": lambda: forzium.matmul(square, square[:, :8], out=into(4096, 8)),
            "of a row": lambda: forzium.matmul(square[:1], square, out=into(1, 4096)),
            "of few rows": lambda: forzium.matmul(square[:8], square, out=into(8, 4096)),
            "transposed": lambda: forzium.matmul(square.T, square[:8].T, out=into(4096, 8)),
            "backwards": lambda: forzium.matmul(square[::-1, ::-1], square[:, :8], out=into(4096, 8)),
            "wide": lambda: forzium.matmul(square[:, :128], square[:128], out=into(4096, 4096)),
            "long": lambda: forzium.matmul(square[:128], square[:, :128], out=into(128, 128)),
            "of stacks": lambda: forzium.matmul(stack, stack[:, :, :8], out=into(64, 512, 8)),
            "linear": lambda: forzium.linear(square, square[:8], None, "relu", into(4096, 8)),
            "conv2d": lambda: conv(square, random[:3, :3], (4094, 4094)),
            "separable": lambda: conv(square, window(9, 9), (4088, 4088)),
            "Fourier": lambda: conv(square, random, (4056, 4056)),
            "channels": lambda: conv(planes, window(8, 32, 3, 3), (1, 8, 512, 1024), padding=1),
            "1x1": lambda: conv(planes, window(8, 32, 1, 1), (1, 8, 512, 1024)),
            "depthwise": lambda: conv(planes, window(32, 1, 3, 3), (1, 32, 510, 1022), groups=32),
            "channels last": lambda: conv(
                planes.reshape(1, 512, 1024, 32), window(8, 32, 3, 3), (1, 510, 1022, 8), layout="NHWC"
            ),
            "of bytes": lambda: conv(bytes_.reshape(8192, 8192), random[:3, :3], (4095, 4095), stride=2),
            "max_pool2d": lambda: pool("max_pool2d", square, 3, stride=1, shape=(4094, 4094)),
            "avg_pool2d": lambda: pool("avg_pool2d", square, 3, stride=1, shape=(4094, 4094)),
            "of columns": lambda: pool("max_pool2d", square.T, 2, shape=(2048, 2048)),
            "last": lambda: pool(
                "avg_pool2d", planes.reshape(1, 512, 1024, 32), 2, layout="NHWC", shape=(1, 256, 512, 32)
            ),
            "global": lambda: pool("global_avg_pool2d", planes, shape=(1, 32, 1, 1)),
            "adaptive": lambda: pool("adaptive_avg_pool2d", planes, (100, 77), shape=(1, 32, 100, 77)),
            "transpose": lambda: forzium.transpose(square, out=into(4096, 4096)),
            "backwards transpose": lambda: forzium.transpose(square[::-1], out=into(4096, 4096)),
            "of a stack": lambda: forzium.transpose(stack, (2, 0, 1), out=into(512, 64, 512)),
            "cumsum": lambda: forzium.cumsum(square, 0, out=into(4096, 4096)),
            "of columns in turn": lambda: forzium.cumsum(square.T, out=into(1 << 24)),
            "cumprod": lambda: forzium.cumprod(square.T, out=into(1 << 24)),
        }
        forzium.matmul(square[:300, :300], square[:300, :300])  # starts the threads
        before = peak()
        for name, call in CALLS.items():
            call()
            print(peak() - before, name)
"""
)


def test_no_copies_are_made(run_python, under_sanitizer):
    if under_sanitizer:
        pytest.skip("memory figures are the sanitizer's")
    taken = run_python(PROGRAM).stdout.splitlines()
    assert taken
    beyond = [line for line in taken if int(line.split()[0]) > THREADS * MOST_KB]
    assert not beyond, beyond[0]

"""Operations into an out of their result's dtype take at most 16 MB a thread, never a copy of an input."""

import pytest
from oracle import PEAK

MOST_KB = 16 << 10
MORE_KB = 4 << 10  # the library's own pages, and the rest of huge ones

# Inputs and out have 64 MB each, so that a copy of either would show. Where there is no out, a new array of
# that size is made of what a pool has in reserve.
PROGRAM = (
    PEAK
    + """
        import os
        import numpy as np, forzium
        from ml_dtypes import bfloat16
        memory, target = np.ones(1 << 24, "f"), np.ones(1 << 24, "f")
        square, stack, bytes_ = memory.reshape(4096, 4096), memory.reshape(64, 512, 512), memory.view("B")
        planes, cube = memory.reshape(1, 32, 512, 1024), memory.reshape(256, 256, 256)
        random = np.random.default_rng(0).random((101, 101), "f")
        doubles, halves = memory.view("d").reshape(2048, 4096), memory.view("e").reshape(4096, 8192)
        narrow, signed = memory.view(bfloat16).reshape(4096, 8192), memory.view("b").reshape(8192, 8192)
        inner = square[:4000, :4000]
        few, mask = bytes_[: 1 << 24], np.zeros(1 << 24, bool)
        mask[::3] = True
        pool_of_results = forzium.PoolAllocator(80 << 20)
        pool_of_results.empty(inner.shape, "f").fill(1)

        def window(*shape):
            return np.ones(shape, "f")

        def into(*shape, dtype="f"):
            return target.view(dtype)[: int(np.prod(shape))].reshape(shape)

        def anew(function, *arguments, **options):
            reused = pool_of_results.get_stats()["reuse_count"]
            with pool_of_results:
                function(*arguments, **options)
            assert pool_of_results.get_stats()["reuse_count"] > reused, "the result is not from the reserve"

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
            "packed": lambda: forzium.linear(square, packed, memory[:128], "gelu", into(4096, 128)),
            "of a stack packed": lambda: forzium.linear(stack, packed_for_stack, out=into(64, 512, 128)),
            "of float16 packed": lambda: forzium.linear(
                halves[:, :4096], packed, out=into(4096, 128)
            ),
            "a matrix by a vector": lambda: forzium.matmul(square, memory[:4096], out=into(4096)),
            "a vector by a matrix": lambda: forzium.matmul(memory[:4096], square, out=into(4096)),
            "transposed by a vector": lambda: forzium.matmul(square.T, memory[:4096], out=into(4096)),
            "in gaps by a vector": lambda: forzium.matmul(
                square[:, ::2], memory[:2048], out=into(4096)
            ),
            "of float16": lambda: forzium.matmul(halves, halves.T[:, :8], out=into(4096, 8, dtype="e")),
            "wide of float16": lambda: forzium.matmul(
                halves[:, :128], halves[:128], out=into(4096, 8192, dtype="e")
            ),
            "of bfloat16": lambda: forzium.matmul(
                narrow, narrow.T[:, :64], out=into(4096, 64, dtype=bfloat16)
            ),
            "wide of bfloat16": lambda: forzium.matmul(
                narrow[:, :128], narrow[:128], out=into(4096, 8192, dtype=bfloat16)
            ),
            "of a row of bfloat16": lambda: forzium.matmul(
                narrow[:1, :4096], narrow, out=into(1, 8192, dtype=bfloat16)
            ),
            "of int8": lambda: forzium.matmul(signed, signed[:, :64], out=into(8192, 64, dtype="b")),
            "wide of int8": lambda: forzium.matmul(
                signed[:, :128], signed[:128], out=into(8192, 8192, dtype="b")
            ),
            "of int8 by floats": lambda: forzium.matmul(
                signed[:4096, :4096], square[:, :8], out=into(4096, 8)
            ),
            "conv2d": lambda: conv(square, random[:3, :3], (4094, 4094)),
            "separable": lambda: conv(square, window(9, 9), (4088, 4088)),
            "Fourier": lambda: conv(square, random[:41, :41], (4056, 4056)),
            "Fourier in float64": lambda: forzium.conv2d(
                doubles, random[:41, :41].astype("d"), out=into(2008, 4056, dtype="d")
            ),
            "of 101 x 101": lambda: conv(square, random, (3996, 3996)),
            "of 101 x 101 in float64": lambda: forzium.conv2d(
                doubles, random.astype("d"), out=into(1948, 3996, dtype="d")
            ),
            "channels": lambda: conv(planes, window(8, 32, 3, 3), (1, 8, 512, 1024), padding=1),
            "1x1": lambda: conv(planes, window(8, 32, 1, 1), (1, 8, 512, 1024)),
            "depthwise": lambda: conv(planes, window(32, 1, 3, 3), (1, 32, 510, 1022), groups=32),
            "channels last": lambda: conv(
                planes.reshape(1, 512, 1024, 32), window(8, 32, 3, 3), (1, 510, 1022, 8), layout="NHWC"
            ),
            "of bytes": lambda: conv(bytes_.reshape(8192, 8192), random[:3, :3], (4095, 4095), stride=2),
            "of bytes by bytes": lambda: forzium.conv2d(
                signed[:, ::2], np.ones((3, 3), "b"), stride=(2, 1), out=into(4095, 4094, dtype="i4")
            ),
            "windows of float16": lambda: forzium.conv2d(
                halves, window(3, 3).astype("e"), out=into(4094, 8190, dtype="e")
            ),
            "windows of bfloat16": lambda: forzium.conv2d(
                narrow, window(9, 9).astype(bfloat16), out=into(4088, 8184, dtype=bfloat16)
            ),
            "dilated": lambda: conv(
                planes, window(8, 32, 3, 3), (1, 8, 512, 1024), padding=(12, 12), dilation=12
            ),
            "dilated in one plane": lambda: conv(square, random[:5, :5], (4064, 4064), dilation=8),
            "grouped": lambda: conv(planes, window(8, 8, 3, 3), (1, 8, 510, 1022), groups=4),
            "grouped last": lambda: conv(
                planes.reshape(1, 512, 1024, 32), window(16, 8, 3, 3), (1, 510, 1022, 16),
                layout="NHWC", groups=4,
            ),
            "conv1d": lambda: forzium.conv1d(
                memory.reshape(1, 16, 1 << 20), window(16, 16, 5), padding=2, out=into(1, 16, 1 << 20)
            ),
            "of a signal": lambda: forzium.conv1d(memory, window(9), padding="same", out=target),
            "convolve2d": lambda: anew(forzium.convolve2d, inner, random[:3, :3]),
            "same, symm": lambda: anew(forzium.convolve2d, inner, random[:5, :5], "same", "symm"),
            "same, wrap": lambda: anew(forzium.convolve2d, inner, random[:41, :41], "same", "wrap"),
            "full, wrap": lambda: anew(forzium.correlate2d, inner, random[:3, :3], "full", "wrap"),
            "full, symm": lambda: anew(forzium.correlate2d, inner, random[:9, :9], "full", "symm"),
            "full of bytes": lambda: anew(
                forzium.convolve2d, signed[:4000, :4000], np.ones((5, 5), "b"), "full", "symm"
            ),
            "max_pool2d": lambda: pool("max_pool2d", square, 3, stride=1, shape=(4094, 4094)),
            "avg_pool2d": lambda: pool("avg_pool2d", square, 3, stride=1, shape=(4094, 4094)),
            "deep": lambda: pool("max_pool2d", cube, 99, stride=1, shape=(158, 158, 256), layout="NHWC"),
            "of columns in pairs": lambda: pool("max_pool2d", square.T, 2, shape=(2048, 2048)),
            "last": lambda: pool(
                "avg_pool2d", planes.reshape(1, 512, 1024, 32), 2, layout="NHWC", shape=(1, 256, 512, 32)
            ),
            "largest of 31 x 31": lambda: pool("max_pool2d", square, 31, stride=1, shape=(4066, 4066)),
            "mean of 31 x 31": lambda: pool("avg_pool2d", square, 31, stride=1, shape=(4066, 4066)),
            "of 31 x 31 apart": lambda: pool("avg_pool2d", square, 31, padding=15, shape=(133, 133)),
            "of 31 x 31 last": lambda: pool(
                "max_pool2d", planes.reshape(1, 512, 1024, 32), 31, stride=2, layout="NHWC",
                shape=(1, 241, 497, 32),
            ),
            "global": lambda: pool("global_avg_pool2d", planes, shape=(1, 32, 1, 1)),
            "adaptive": lambda: pool("adaptive_avg_pool2d", planes, (100, 77), shape=(1, 32, 100, 77)),
            "transpose": lambda: forzium.transpose(square, out=into(4096, 4096)),
            "backwards transpose": lambda: forzium.transpose(square[::-1], out=into(4096, 4096)),
            "of a stack": lambda: forzium.transpose(stack, (2, 0, 1), out=into(512, 64, 512)),
            "softmax": lambda: forzium.softmax(square, out=into(4096, 4096)),
            "of columns": lambda: forzium.softmax(square, 0, out=into(4096, 4096)),
            "of all": lambda: forzium.softmax(square, None, out=into(4096, 4096)),
            "of float16 to float32": lambda: forzium.softmax(halves[:, ::2], out=into(4096, 4096)),
            "layer_norm": lambda: forzium.layer_norm(square, weight=memory[:4096], out=into(4096, 4096)),
            "dot": lambda: forzium.dot(memory, target),
            "of strides": lambda: forzium.dot(memory.view("d")[::2], doubles.reshape(-1)[1::2]),
            "of two dtypes": lambda: forzium.dot(memory, few),
            "of matrices": lambda: forzium.dot(square, square[:, :8], out=into(4096, 8)),
            "vecdot": lambda: forzium.vecdot(square, square.T, axis=0),
            "cumsum": lambda: forzium.cumsum(square, 0, out=into(4096, 4096)),
            "of columns in turn": lambda: forzium.cumsum(square.T, out=into(1 << 24)),
            "cumprod": lambda: forzium.cumprod(square.T, out=into(1 << 24)),
            "add of two dtypes": lambda: forzium.add(memory, few, out=target),
            "into wider floats": lambda: forzium.multiply(
                few[: 1 << 23], memory[: 1 << 23], out=target.view("d")
            ),
            "of rows and columns": lambda: forzium.subtract(
                square.T, few.reshape(4096, 4096), out=into(4096, 4096)
            ),
            "into narrow floats": lambda: forzium.add(halves, few[:8192], out=into(4096, 8192, dtype="e")),
            "in place, backwards": lambda: forzium.add(target[::-1], few, out=target[::-1]),
            "power of two dtypes": lambda: forzium.power(memory, few, out=target),
            "compared": lambda: forzium.less(memory, few, out=target.view("?")[: 1 << 24]),
            "where": lambda: forzium.where(mask, memory, few, out=target),
            "where of bytes": lambda: forzium.where(few, 1.0, memory, out=target),
            "clip": lambda: forzium.clip(memory, few, few[::-1], out=target),
            "clip of bytes": lambda: forzium.clip(few, memory[:1], memory, out=target),
            "astype": lambda: anew(forzium.astype, inner, "i4"),
            "astype of columns": lambda: anew(forzium.astype, inner.T, "u4"),
            "astype from bytes": lambda: anew(forzium.astype, signed[:4000, :4000], "f"),
            "copyto": lambda: forzium.copyto(target, few),
            "copyto narrower": lambda: forzium.copyto(target.view("e")[: 1 << 24], memory),
            "copyto where": lambda: forzium.copyto(target, memory, where=mask),
            "copyto where, of bytes": lambda: forzium.copyto(target[::-1], few, where=mask[::-1]),
            "copyto transposed": lambda: forzium.copyto(into(4096, 4096), square.T, where=mask[:4096]),
            "sum in float64": lambda: forzium.sum(square, dtype="d"),
            "sum of rows in float64": lambda: forzium.sum(square, 1, dtype="d"),
            "sum of columns in float64": lambda: forzium.sum(square, 0, dtype="d"),
            "sum of bytes": lambda: forzium.sum(signed, 0, dtype="f"),
            "sum of float16": lambda: forzium.sum(halves, 0, dtype="f"),
            "mean in integers": lambda: forzium.mean(square, dtype="i8"),
            "prod in float64": lambda: forzium.prod(square.T, 0, dtype="d"),
            "var in float64": lambda: forzium.var(square, 0, dtype="d"),
            "of those that count": lambda: forzium.sum(memory, dtype="d", where=mask),
        }
        packed = forzium.pack(square[:128].T)
        packed_for_stack = forzium.pack(square[:128, :512].T)
        for name, call in CALLS.items():
            child = os.fork()  # which has no scratch in reserve, and no peak behind it
            if child == 0:
                before = peak()
                call()
                print(peak() - before, name, flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0, name
"""
)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_copies_are_made(run_python, under_sanitizer, threads):
    if under_sanitizer:
        pytest.skip("memory figures are the sanitizer's")
    pytest.importorskip("ml_dtypes")
    taken = run_python(PROGRAM, FORZIUM_NUM_THREADS=str(threads)).stdout.splitlines()
    assert len(taken) > 90
    assert max(int(line.split()[0]) for line in taken) > 1 << 10, "what is taken is not seen"
    beyond = [line for line in taken if int(line.split()[0]) > threads * MOST_KB + MORE_KB]
    assert not beyond, beyond

"""A pipeline over video frames whose arrays all come from one pool: after the first frame, no fresh memory.

NumPy's expressions need temporaries. Inside ``with pool:`` they are taken from the pool and go back to it:
pages are touched for the first time once, and the arrays cannot take more than the capacity.

    python pool_pipeline.py
"""

import forzium
import numpy as np

FRAMES, HEIGHT, WIDTH = 40, 480, 640
EDGES = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)


def frames():
    """A bright spot that wanders over noise."""
    random = np.random.default_rng(0)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    for t in range(FRAMES):
        spot = np.exp(-((rows - 200 - t) ** 2 + (columns - 100 - 8 * t) ** 2) / 800)
        yield (spot + random.normal(0, 0.05, (HEIGHT, WIDTH))).astype(np.float32)


def features(frame):
    """Where the frame's contrast is highest, in cells of 16 pixels: NumPy and forzium side by side."""
    normal = (frame - forzium.mean(frame)) / (forzium.max(frame) - forzium.min(frame))
    edges = forzium.conv2d(normal, EDGES)
    energy = np.sqrt(edges * edges + 1e-6) * normal[1:-1, 1:-1]
    return np.unravel_index(forzium.max_pool2d(energy, 16).argmax(), (HEIGHT // 16, WIDTH // 16))


def main():
    video = list(frames())
    plain = [features(frame) for frame in video]

    pool = forzium.PoolAllocator(32 << 20)
    with pool:
        pooled = [features(frame) for frame in video]
    assert pooled == plain, "the pool changed a result"

    stats = pool.get_stats()
    fresh = stats["alloc_count"] - stats["reuse_count"]
    assert stats["bytes_in_use"] == 0, "a frame's memory did not come back"
    assert fresh < stats["alloc_count"] / 10, "memory was not reused"
    print(f"{FRAMES} frames, {stats['alloc_count']} allocations, {fresh} of fresh memory")
    print(f"at most {stats['bytes_peak'] / 2**20:.1f} MiB in use; {pool.trim() / 2**20:.1f} MiB given back")
    assert pool.available() == pool.capacity


if __name__ == "__main__":
    main()

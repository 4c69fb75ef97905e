"""An HTTP service that blurs photographs, and eight clients that ask it at once.

Each request is served by a thread of its own. While one computes it does not hold the GIL, so the others
read, write and compute too; all share one pool of worker threads.

    python blur_service.py          # needs scikit-image, for the photograph
"""

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import forzium
import numpy as np
from skimage import data

WINDOW = 9
CLIENTS, REQUESTS = 8, 24


def gaussian(side):
    """Weights of a bell, which sum to one."""
    bell = np.exp(-((np.arange(side) - side // 2) ** 2) / side)
    weights = np.outer(bell, bell)
    return (weights / weights.sum()).astype(np.float32)


class Blur(BaseHTTPRequestHandler):
    """POST /<height>/<width> with float32 pixels; the answer has the pixels that the window fits around."""

    weights = gaussian(WINDOW)

    def do_POST(self):
        try:
            height, width = map(int, self.path.strip("/").split("/"))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            photo = np.frombuffer(body, np.float32).reshape(height, width)
            status, answer = 200, forzium.conv2d(photo, self.weights).tobytes()
        except (TypeError, ValueError) as error:
            status, answer = 400, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing of each request."""


def ask(address, photo):
    """What a client does: sends pixels, gets pixels."""
    height, width = photo.shape
    url = f"http://{address[0]}:{address[1]}/{height}/{width}"
    with urllib.request.urlopen(url, photo.tobytes()) as answer:
        return np.frombuffer(answer.read(), np.float32).reshape(height - WINDOW + 1, width - WINDOW + 1)


def expected(photo):
    """The same blur by NumPy, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(photo.astype(np.float64), (WINDOW, WINDOW))
    return np.einsum("ijpq,pq->ij", windows, gaussian(WINDOW))


def main():
    camera = data.camera().astype(np.float32) / 255
    photos = [np.ascontiguousarray(camera[i:, i // 2 :]) for i in range(REQUESTS)]
    with ThreadingHTTPServer(("127.0.0.1", 0), Blur) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with ThreadPoolExecutor(CLIENTS) as clients:
            blurred = list(clients.map(lambda photo: ask(server.server_address, photo), photos))
        server.shutdown()
    for photo, got in zip(photos[:4], blurred, strict=False):
        np.testing.assert_allclose(got, expected(photo), atol=1e-6)
    metrics = forzium.thread_pool_metrics()
    print(f"{len(blurred)} photographs blurred for {CLIENTS} clients at once")
    print(f"at most {metrics['max_active_threads']} threads computed at one moment")


if __name__ == "__main__":
    main()

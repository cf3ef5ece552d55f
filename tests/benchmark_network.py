"""Compare our picture network with PyTorch's in time and in what it returns.

Runs both on the same pictures, one thread each, one picture at a time and turn by turn, so that
what else the machine does slows both. Prints the medians, the median ratio and the largest
difference. Not a test: run it alone, where torch and efficientnet_lite_pytorch are installed, with

    python tests/benchmark_network.py [pixels a side ...]
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from threadpoolctl import threadpool_limits

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def timed(network, photo):
    """Return what a network makes of a photo, and the seconds that it took."""
    start = time.perf_counter()
    vector = network(photo)
    return vector, time.perf_counter() - start


def main(sizes, repeats=60):
    """Time both and print what they find."""
    from course import pretrained

    torch.set_num_threads(1)
    path = pretrained.weights_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ours = pretrained.Network()

    def theirs(photo):
        x = torch.from_numpy((photo.transpose(2, 0, 1)[None].astype(np.float32) - 127) / 128)
        with torch.inference_mode():
            return model.extract_features(x).mean((2, 3)).numpy()[0]

    rng = np.random.default_rng(0)
    print("pixels   ours ms   torch ms   ratio   largest difference")
    for size in sizes:
        photos = rng.integers(0, 256, (repeats, size, size, 3), dtype=np.uint8)
        for photo in photos[:5]:  # warm up
            ours(photo), theirs(photo)
        found = [(timed(ours, photo), timed(theirs, photo)) for photo in photos]
        times = np.array([[a[1], b[1]] for a, b in found]) * 1000
        ratio = np.median(times[:, 0] / times[:, 1])
        gap = max(np.abs(a[0] - b[0]).max() for a, b in found)
        fast, slow = np.median(times, axis=0)
        print(f"{size:6d} {fast:9.1f} {slow:10.1f} {ratio:7.2f} {gap:20.1e}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(NOTEBOOKS))
    with threadpool_limits(1):
        main([int(size) for size in sys.argv[1:]] or [96, 128, 160, 224])

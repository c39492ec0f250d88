"""How much memory does training ResNet-50 take, against eager PyTorch?  Each in a process of its own, on the CPU.

python -m benchmarks.memory [--batch 8]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource

import numpy as np

from benchmarks import models, peers


def trained(which: str, batch: int) -> float:
    """The most memory, in MB, that the process held beyond what it began with while it made four steps."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, 224, 224)).astype(np.float32)
    labels = rng.integers(0, 1000, batch).astype(np.int32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if which == "caffe2":
        step = models.training(models.add_resnet50, images, labels, "cpu")
    else:
        step = models.peer_training(peers.resnet50(), images, labels, "cpu")
    for _ in range(4):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--batch", type=int, default=8)
    a = p.parse_args()
    context = multiprocessing.get_context("spawn")
    peaks = {}
    for which in ("caffe2", "torch"):
        with context.Pool(1) as pool:
            peaks[which] = pool.apply(trained, (which, a.batch))
    print(f"ResNet-50 training, batch {a.batch}, cpu")
    for which, peak in peaks.items():
        print(f"  {which:28} {peak:10.0f} MB   {peak / peaks['torch']:6.2f} x torch")


if __name__ == "__main__":
    main()

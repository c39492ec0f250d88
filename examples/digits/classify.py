"""Classifies the sample images and the test set with the translated LeNet.

python -m examples.digits.classify FOLDER        FOLDER holds init_net.pb and predict_net.pb
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from caffe2.python import workspace
from examples.digits.data import load, samples


def main(folder: Path) -> float:
    """Print a line for each sample, then accuracy and time over the test set; returns the accuracy."""
    init_net, predict_net = ((folder / name).read_bytes() for name in ("init_net.pb", "predict_net.pb"))
    predictor = workspace.Predictor(init_net, predict_net)
    print(f"{'image':10} {'label':>5} {'probability':>12}")
    for name, image in samples().items():
        (prob,) = predictor.run([image[None]])
        digit = int(prob[0].argmax())
        print(f"{name:10} {digit:5} {prob[0, digit]:12.4f}")
    test = load()[1]
    start = time.perf_counter()
    (prob,) = predictor.run([test.images])
    spent = time.perf_counter() - start
    accuracy = float(np.mean(prob.argmax(1) == test.labels))
    print(f"test set: {accuracy:.2%} of {len(test.labels)} right, {spent / len(test.labels) * 1e6:.0f} us an image")
    return accuracy


if __name__ == "__main__":
    main(Path(sys.argv[1]))

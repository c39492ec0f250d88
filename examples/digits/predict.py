"""Loads a net saved by train.py and writes what it predicts for the test set.

python -m examples.digits.predict MODEL OUT.npy
"""

from __future__ import annotations

import sys

import numpy as np

from caffe2.python import workspace
from caffe2.python.predictor import predictor_exporter
from examples.digits.data import load


def main(model: str, out: str) -> None:
    net = predictor_exporter.prepare_prediction_net(model, "minidb")
    workspace.FeedBlob("data", load()[1].images)
    workspace.RunNet(net)
    np.save(out, workspace.FetchBlob("softmax"))


if __name__ == "__main__":
    main(*sys.argv[1:])

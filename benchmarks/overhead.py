"""What does the runtime add to an operator?  100 tiny operators in a net, against the same torch calls by hand.

python -m benchmarks.overhead
"""

from __future__ import annotations

import numpy as np
import torch

import caffe2.ops  # noqa: F401
from benchmarks.timing import compare
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

COUNT = 100


def main() -> None:
    workspace = Workspace()
    workspace.feed("x", np.linspace(-1, 1, 16, dtype=np.float32))
    net = caffe2_pb2.NetDef(name="tiny")
    for k in range(COUNT):
        net.op.add(type="Relu", input=["x" if k == 0 else f"y{k - 1}"], output=[f"y{k}"])
    made = workspace.create_net(net)
    x = workspace.require("x").value

    def by_hand() -> None:
        y = x
        for _ in range(COUNT):
            y = torch.relu(y)

    def blobs_by_hand() -> None:
        blobs = {"x": x}
        blobs["y0"] = torch.relu(blobs["x"])
        for k in range(1, COUNT):
            blobs[names[k]] = torch.relu(blobs[names[k - 1]])

    names = [f"y{k}" for k in range(COUNT)]
    compare("100 tiny operators", {"net": made.run, "torch by hand": by_hand, "torch into a dict": blobs_by_hand})


if __name__ == "__main__":
    main()

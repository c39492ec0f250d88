"""Proof of what was written: the files are read back, computed in NumPy, and compared with the Caffe2 net."""

from __future__ import annotations

from caffe2.bridge.caffe.export.model import CaffeNet
from caffe2.bridge.caffe.export.write import PathLike
from caffe2.bridge.caffe.net import read_net
from caffe2.bridge.caffe.verify import Report, verify


def proof(net: CaffeNet, prototxt: PathLike, caffemodel: PathLike | None = None, seed: int = 0) -> Report:
    """Run the Caffe2 net, and the reference on the files, on one input, and compare every blob that both have."""
    read = read_net(prototxt, caffemodel)
    return verify(read, net.init, net.predict, net.inputs, seed, net.params)

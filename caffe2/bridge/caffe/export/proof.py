"""Proof of what was written: the files are read back, computed in NumPy, and compared with the Caffe2 net."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe import reference
from caffe2.bridge.caffe.export.model import CaffeNet
from caffe2.bridge.caffe.export.write import PathLike
from caffe2.bridge.caffe.net import read_net
from caffe2.bridge.caffe.verify import Report, compared
from caffe2.opdef import EnforceNotMet


def proof(net: CaffeNet, prototxt: PathLike, caffemodel: PathLike | None = None, seed: int = 0) -> Report:
    """Run the reference on the files, and compare every blob with what the Caffe2 net gave for the same input."""
    read = read_net(prototxt, caffemodel)
    expected = reference.run(read, net.inputs, seed=seed)
    last = {top: layer for layer in read.layers for top in layer.tops}
    report = Report()
    for name, want in expected.items():
        if name in net.blobs:
            report.rows.append(compared(name, last[name], np.asarray(want), net.workspace.fetch(net.blobs[name])))
    if not report.rows:
        raise EnforceNotMet("the net that was written and the Caffe2 net have no blob in common: nothing was compared")
    return report

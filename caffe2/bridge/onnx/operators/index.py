"""Gathering by indices."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exports


@exports("Gather", "BatchGather")
def _(c: Call) -> None:
    if c.args.match_outer:
        raise Unexportable("indices of each row apart (match_outer) are not written; gather by flat indices")
    axis = 1 if c.op.type == "BatchGather" else c.args.axis
    c.give("Gather", *c.inputs, axis=axis)


@exports("OneHot")
def _(c: Call) -> None:
    values = c.constant([0, 1], np.uint8)
    hot = c.add("OneHot", c.inputs[0], c.inputs[1], c.add("Cast", values, to=np.dtype(np.float32)), axis=-1)
    c.give("Cast", hot, to=c.result_type())

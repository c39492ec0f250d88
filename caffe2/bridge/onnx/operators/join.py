"""Concatenation and its inverse."""

from __future__ import annotations

import numpy as np
import torch

from caffe2.bridge.onnx.call import Call, exports


@exports("Concat", "DepthConcat")
def _(c: Call) -> None:
    """How long the parts are is told where it is asked for."""
    body = c.body()
    at = body.at(c.rank() + body.add_axis)
    sizes = [1 if body.add_axis else c.shape(k)[at] for k in range(len(c.inputs))]
    inputs = [c.add("Unsqueeze", x, c.ints(at)) for x in c.inputs] if body.add_axis else c.inputs
    c.give("Concat", *inputs, axis=at)
    if c.wants(1):
        c.graph.constants[c.outputs[1]] = np.asarray(sizes, np.int32)


@exports("Split", "DepthSplit")
def _(c: Call) -> None:
    """The sizes stand in the argument or the second input; else the parts are equal."""
    body = c.body()
    at = body.at(c.rank())
    body.outputs = len(c.outputs)
    given = torch.from_numpy(np.array(c.value(1))) if len(c.inputs) > 1 else None
    sizes = body.sizes(c.shape()[at], given)
    parts = [c.graph.fresh(o) for o in c.outputs] if body.add_axis else c.outputs
    if len(parts) == 1:
        c.add("Identity", c.inputs[0], outputs=parts)
    else:
        c.add("Split", c.inputs[0], c.ints(*sizes), outputs=parts, axis=at)
    if body.add_axis:
        for part, output in zip(parts, c.outputs):
            c.add("Squeeze", part, c.ints(at), outputs=[output])

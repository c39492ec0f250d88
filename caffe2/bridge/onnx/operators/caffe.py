"""Operators with an arithmetic of Caffe's own."""

from __future__ import annotations

from math import prod

import numpy as np

from caffe2.bridge.onnx.call import Call, exports


@exports("CaffeArgMax")
def _(c: Call) -> None:
    """Of equal numbers the last comes first: the row is looked through backwards."""
    a, shape = c.args, c.shape()
    alone = a.axis is None
    x, axis = (c.inputs[0], a.axis) if not alone else (c.reshape(c.inputs[0], (0, -1)), 1)
    count = prod(shape[1:]) if alone else shape[axis]
    least = np.iinfo(np.int64).min
    turned = c.add("Slice", x, c.ints(-1), c.ints(least), c.ints(axis), c.ints(-1))
    values, places = (c.graph.fresh(c.outputs[0]) for _ in range(2))
    c.add("TopK", turned, c.ints(a.top_k), outputs=[values, places], axis=axis)
    places = c.add("Cast", c.add("Sub", c.constant(count - 1, np.int64), places), to=c.dtype())
    if not alone:
        c.finish(values if a.out_max_val else places)
        return
    parts = [c.add("Unsqueeze", p, c.ints(1)) for p in ([places, values] if a.out_max_val else [places])]
    found = c.add("Concat", *parts, axis=1) if a.out_max_val else parts[0]
    c.reshape(found, (0, len(parts), a.top_k, *(1,) * (len(shape) - 3)), c.outputs[0])


@exports("CaffeFilter")
def _(c: Call) -> None:
    """Rows whose selector is not 0."""
    selector = c.reshape(c.inputs[0], (-1,))
    chosen = c.add("Cast", selector, to=np.dtype(bool))
    for item, output in zip(c.inputs[1:], c.outputs):
        c.add("Compress", item, chosen, outputs=[output], axis=0)

"""Recurrent layers of Caffe's: a Scan over the steps."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, exports
from caffe2.bridge.onnx.graph import Graph


@exports("CaffeLSTM", "CaffeRNN")
def _(c: Call) -> None:
    """The gates of all steps are one product; what follows of the state before is done step by step."""
    lstm = c.op.type == "CaffeLSTM"
    states, weights = (2, c.inputs[4:5]) if lstm else (1, c.inputs[4:7])
    more = c.inputs[4 + len(weights) :]
    fed = _fed(c, more[:2] if c.args.static else [])
    more = more[2:] if c.args.static else more
    batch, units = c.shape(0)[1], c.shape(4)[1]
    zeros = c.constant(np.zeros((batch, units)), c.dtype())
    first = [c.add("Squeeze", name, c.ints(0)) for name in more] or [zeros] * states
    cont = c.add("Unsqueeze", c.inputs[1], c.ints(2))
    weights = [_transposed(c, w) if k != 2 else w for k, w in enumerate(weights)]
    body = _lstm(c, weights) if lstm else _rnn(c, weights)
    ends = [c.graph.fresh(c.outputs[0]) for _ in range(states)]
    c.add("Scan", *first, fed, cont, outputs=[*ends, c.outputs[0]], body=body, num_scan_inputs=2)
    for end, output in zip(ends, c.outputs[1:]):
        c.add("Unsqueeze", end, c.ints(0), outputs=[output])


def _transposed(c: Call, w: str) -> str:
    return c.transpose(w, (1, 0))


def _fed(c: Call, static: list[str]) -> str:
    """What the input, and what is fed at every step, add to the gates: [T, N, G]."""
    x = c.reshape(c.inputs[0], (0, 0, -1)) if c.rank() != 3 else c.inputs[0]
    fed = c.add("Add", c.add("MatMul", x, _transposed(c, c.inputs[2])), c.inputs[3])
    if not static:
        return fed
    return c.add("Add", fed, c.add("MatMul", c.add("Flatten", static[0], axis=1), _transposed(c, static[1])))


def _step(c: Call, names: list[str]) -> tuple[Graph, list[str]]:
    """A graph of a step that is given the states, a row of the gates and where sequences go on."""
    body = c.graph.inner(c.graph.fresh("step"))
    made = [body.fresh(name) for name in names]
    batch, kind = c.shape(0)[1], c.dtype()
    units, gates = c.shape(4)[1], c.shape(3)[0]
    for name, width in zip(made, [*[units] * (len(names) - 2), gates, 1]):
        body.inputs[name] = (kind, (batch, width))
    return body, made


def _lstm(c: Call, weights: list[str]) -> Graph:
    g, (h, cell, fed, go) = _step(c, ["h", "c", "fed", "go"])
    gates = g.add("Add", [g.add("MatMul", [g.add("Mul", [h, go]), weights[0]]), fed])
    i, f, o, n = g.add_split(gates, 4)
    keep = g.add("Mul", [g.add("Sigmoid", [f]), go])
    new = g.add("Mul", [g.add("Sigmoid", [i]), g.add("Tanh", [n])])
    cell = g.add("Add", [g.add("Mul", [keep, cell]), new])
    h = g.add("Mul", [g.add("Sigmoid", [o]), g.add("Tanh", [cell])])
    return _ended(c, g, [h, cell], h)


def _rnn(c: Call, weights: list[str]) -> Graph:
    g, (h, fed, go) = _step(c, ["h", "fed", "go"])
    w_hidden, w_out, b_out = weights
    h = g.add("Tanh", [g.add("Add", [g.add("MatMul", [g.add("Mul", [h, go]), w_hidden]), fed])])
    y = g.add("Tanh", [g.add("Add", [g.add("MatMul", [h, w_out]), b_out])])
    return _ended(c, g, [h], y)


def _ended(c: Call, g: Graph, states: list[str], y: str) -> Graph:
    """Declare what a step gives: the states, and the output by a name of its own."""
    batch, kind = c.shape(0)[1], c.dtype()
    for name in states:
        g.outputs[name] = (kind, (batch, c.shape(4)[1]))
    g.outputs[g.add("Identity", [y])] = (kind, (batch, c.result().shape[-1]))
    return g


@exports("CaffeLSTMUnit")
def _(c: Call) -> None:
    """Gates i, f, o, g side by side; where a sequence begins the cell before counts for nothing."""
    cell, gates, cont = c.inputs
    g = c.graph
    i, f, o, n = g.add_split(gates, 4, axis=2)
    keep = c.add("Mul", c.add("Sigmoid", f), c.add("Unsqueeze", cont, c.ints(2)))
    new = c.add("Mul", c.add("Sigmoid", i), c.add("Tanh", n))
    c.give("Add", c.add("Mul", keep, cell), new)
    c.add("Mul", c.add("Sigmoid", o), c.add("Tanh", c.outputs[0]), outputs=c.outputs[1:])

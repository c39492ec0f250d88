"""Recurrent layers, unrolled over time: bottoms x [T, N, ...], cont [T, N] (0 where a sequence begins), maybe more."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Count, Reference, layer
from caffe2.bridge.caffe.reference.neuron import sigmoid

MOST_STEPS = 100_000


class Recurrent(Reference):
    """What RNN and LSTM share. A third bottom [N, ...] is fed at every step.

    With `expose_hidden`, the state at first is taken as bottoms and the one at last given as tops; else it begins as 0.
    """

    field = "recurrent_param"
    states = 1
    gates = 1

    def count_bottoms(self) -> Count:
        least = 2 + self.states * self.param.expose_hidden
        return least, least + 1

    def count_tops(self) -> Count:
        count = 1 + self.states * self.param.expose_hidden
        return count, count

    def shapes(self, x: Shape, cont: Shape, *others: Shape) -> list[Shape]:
        p, hidden = self.param, self.param.num_output
        self.expect(len(x) >= 2, f"takes a bottom [steps, streams, ...], not {shape_text(x)}")
        self.expect(cont == x[:2], f"bottom 1 must be [steps, streams] = {shape_text(x[:2])}, not {shape_text(cont)}")
        self.expect(hidden > 0, "must be positive", "num_output")
        self.expect(0 < x[0] <= MOST_STEPS, f"takes 1 to {MOST_STEPS} steps, not {x[0]}")
        self.static = len(others) > self.states * p.expose_hidden
        state = (1, x[1], hidden)
        if self.static:
            good = len(others[0]) >= 1 and others[0][0] == x[1]
            self.expect(good, f"bottom 2 must begin with the {x[1]} streams, not {shape_text(others[0])}")
        for shape in others[self.static :]:
            self.expect(shape == state, f"a hidden state has the shape {shape_text(state)}, not {shape_text(shape)}")
        self._declare(math.prod(x[2:]), math.prod(others[0][1:]) if self.static else 0)
        return [(x[0], x[1], hidden), *[state] * (self.states * p.expose_hidden)]

    def _declare(self, inputs: int, static: int) -> None:
        p, rows = self.param, self.gates * self.param.num_output
        self.weight((rows, inputs), p.weight_filler)
        self.weight((rows,), p.bias_filler)
        if self.static:
            self.weight((rows, static), p.weight_filler)
        self.weight((rows, p.num_output), p.weight_filler)
        self.more_weights()

    def more_weights(self) -> None:
        """Declares what a kind has beyond the transforms of input and state."""

    def work(self) -> int:
        steps, streams = self.layer.bottom_shapes[0][:2]
        return steps * streams * sum(math.prod(weight.shape) for weight in self.weights)

    def forward(self, x: np.ndarray, cont: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        inputs, bias, *rest = self.values
        fed = x.reshape(*x.shape[:2], -1) @ inputs.T + bias
        if self.static:
            fed = fed + others[0].reshape(len(others[0]), -1) @ rest.pop(0).T
        given = [state[0] for state in others[self.static :]]
        states = given or [np.zeros((x.shape[1], self.param.num_output), np.float32)] * self.states
        tops = []
        for step, go in zip(fed, cont, strict=True):
            top, states = self.step(step, go[:, None], states, rest)
            tops.append(top)
        # The LSTM's inner net makes its state tops in the order h, c.
        return [np.stack(tops), *([state[None] for state in states] if given else [])]

    def step(
        self, fed: np.ndarray, go: np.ndarray, states: list[np.ndarray], weights: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One step: its output and the states behind it."""
        raise NotImplementedError


@layer("RNN")
class RNN(Recurrent):
    """h_t = tanh(W_hh cont_t h_{t-1} + W_xh x_t + b_h), o_t = tanh(W_ho h_t + b_o)."""

    def more_weights(self) -> None:
        hidden = self.param.num_output
        self.weight((hidden, hidden), self.param.weight_filler)
        self.weight((hidden,), self.param.bias_filler)

    def step(
        self, fed: np.ndarray, go: np.ndarray, states: list[np.ndarray], weights: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        recur, out, bias = weights
        hidden = np.tanh((states[0] * go) @ recur.T + fed)
        return np.tanh(hidden @ out.T + bias), [hidden]


@layer("LSTM")
class LSTM(Recurrent):
    """The gates of W_hc cont_t h_{t-1} + W_xc x_t + b_c, put through an LSTMUnit."""

    states, gates = 2, 4

    def step(
        self, fed: np.ndarray, go: np.ndarray, states: list[np.ndarray], weights: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        hidden, cell = states
        cell, hidden = lstm_unit(cell, (hidden * go) @ weights[0].T + fed, go)
        return hidden, [hidden, cell]


@layer("Lstm", field="lstm_param", bottoms=(1, 1))
class Lstm(Reference):
    """The LSTM of forks for text, [T, N, ...] to [T, N, H]: its gates and weights are those of LSTM; it begins with 0.

    The blobs are W_xc, W_hc and b_c. `clipping_threshold` is for gradients, and `batch_size` is not minded.
    """

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        p = self.param
        self.expect(len(x) >= 2, f"takes a bottom [steps, streams, ...], not {shape_text(x)}")
        self.expect(p.num_output > 0, "must be positive", "num_output")
        self.expect(0 < x[0] <= MOST_STEPS, f"takes 1 to {MOST_STEPS} steps, not {x[0]}")
        self.weight((4 * p.num_output, math.prod(x[2:])), p.weight_filler)
        self.weight((4 * p.num_output, p.num_output), p.weight_filler)
        self.weight((4 * p.num_output,), p.bias_filler)
        return [(*x[:2], p.num_output)]

    def work(self) -> int:
        steps, streams = self.layer.bottom_shapes[0][:2]
        return steps * streams * sum(math.prod(weight.shape) for weight in self.weights)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        inputs, recur, bias = self.values
        hidden = cell = np.zeros((x.shape[1], self.param.num_output), np.float32)
        tops = []
        for fed in x.reshape(*x.shape[:2], -1) @ inputs.T + bias:
            cell, hidden = lstm_unit(cell, hidden @ recur.T + fed, np.ones((x.shape[1], 1), np.float32))
            tops.append(hidden)
        return [np.stack(tops)]


@layer("ContinuationIndicator", field="continuation_indicator_param", bottoms=(0, None))
class ContinuationIndicator(Reference):
    """Marks for LSTM that sequences begin at the first step and go on: [time_step, batch_size], 0 and then ones."""

    def shapes(self, *bottoms: Shape) -> list[Shape]:
        for name in ("time_step", "batch_size"):
            self.expect(getattr(self.param, name) > 0, "must be positive", name)
        return [(self.param.time_step, self.param.batch_size)]

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        marks = np.ones(self.layer.top_shapes[0], np.float32)
        marks[0] = 0
        return [marks]


def lstm_unit(cell: np.ndarray, gates: np.ndarray, go: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The next cell c' = go f c + i g and state o tanh c', for gates i, f, o, g side by side along the last axis."""
    i, f, o, g = np.split(gates, 4, axis=-1)
    cell = np.where(go == 0, 0, go * sigmoid(f)) * cell + sigmoid(i) * np.tanh(g)
    return cell, sigmoid(o) * np.tanh(cell)


@layer("LSTMUnit", bottoms=(3, 3), tops=(2, 2))
class LSTMUnit(Reference):
    """One step of an LSTM: bottoms c [1, N, D], gates [1, N, 4D], cont [1, N]; tops c and h."""

    def shapes(self, cell: Shape, gates: Shape, cont: Shape) -> list[Shape]:
        good = len(cell) == 3 and cell[0] == 1
        self.expect(good, f"bottom 0 must be [1, streams, size], not {shape_text(cell)}")
        wanted = (1, cell[1], 4 * cell[2])
        self.expect(gates == wanted, f"bottom 1 must be {shape_text(wanted)}, not {shape_text(gates)}")
        self.expect(cont == cell[:2], f"bottom 2 must be {shape_text(cell[:2])}, not {shape_text(cont)}")
        return [cell, cell]

    def forward(self, cell: np.ndarray, gates: np.ndarray, cont: np.ndarray) -> list[np.ndarray]:
        return list(lstm_unit(cell, gates, cont[..., None]))

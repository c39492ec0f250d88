"""Caffe's recurrent layers: samples for the laws, and sequences that begin anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.caffe.recurrent import lstm, rnn
from tests.sample import Sample, floats, samples

STATIC = {"gradient": "a static input is not trained"}
TOPS = {"gradient": "gradients come from Y alone, not from the last states"}


def weights(rng: np.random.Generator, rows: int, hidden: int = 3) -> list[np.ndarray]:
    return [floats(rng, rows, 4), floats(rng, rows), floats(rng, rows, hidden)]


@samples("CaffeLSTMUnit")
def _(rng):
    yield [floats(rng, 1, 2, 3), floats(rng, 1, 2, 12), np.array([[0, 1]], np.float32)], {}


@samples("CaffeLSTM", "CaffeLSTMGradient")
def _(rng):
    x, cont = floats(rng, 5, 2, 4), np.array([[0, 0], [1, 1], [1, 0], [1, 1], [0, 1]], np.float32)
    state = [floats(rng, 1, 2, 3), floats(rng, 1, 2, 3)]
    static = [floats(rng, 2, 6), floats(rng, 12, 6)]
    plain = [x, cont, *weights(rng, 12)]
    yield Sample("CaffeLSTM", tuple(plain), outputs=1)
    yield Sample("CaffeLSTMGradient", (*plain, floats(rng, 5, 2, 3)))
    yield Sample("CaffeLSTM", (x.reshape(5, 2, 2, 2), cont, *weights(rng, 12), *state), except_=TOPS)
    yield Sample("CaffeLSTM", (x, cont, *weights(rng, 12), *static, *state), {"static": 1}, outputs=1, except_=STATIC)


@samples("CaffeRNN", "CaffeRNNGradient")
def _(rng):
    x, cont = floats(rng, 3, 2, 4), np.array([[0, 0], [1, 1], [1, 0]], np.float32)
    out = [floats(rng, 3, 3), floats(rng, 3)]
    plain = [x, cont, *weights(rng, 3), *out]
    yield Sample("CaffeRNN", tuple(plain), outputs=1)
    yield Sample("CaffeRNNGradient", (*plain, floats(rng, 3, 2, 3)))
    static = [floats(rng, 2, 6), floats(rng, 3, 6), floats(rng, 1, 2, 3)]
    yield Sample("CaffeRNN", (*plain, *static), {"static": 1}, except_=STATIC)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_a_step_without_continuation_forgets_what_was_before():
    w, b, w_hidden = drawn(8, 4), drawn(8), drawn(8, 2)
    x = drawn(3, 1, 4)
    whole = lstm(x, torch.tensor([[0.0], [1.0], [0.0]]), w, b, w_hidden)[0]
    alone = lstm(x[2:], torch.zeros(1, 1), w, b, w_hidden)[0]
    assert torch.allclose(whole[2:], alone) and not torch.allclose(whole[1], alone[0])


def test_states_carried_over_continue_the_sequence():
    w, b, w_hidden = drawn(2, 4), drawn(2), drawn(2, 2)
    out = drawn(2, 2), drawn(2)
    x, ones = drawn(4, 1, 4), torch.ones(4, 1)
    whole, last = rnn(x, ones, w, b, w_hidden, *out)
    _, half = rnn(x[:2], ones[:2], w, b, w_hidden, *out)
    rest, end = rnn(x[2:], ones[2:], w, b, w_hidden, *out, half)
    assert torch.allclose(whole[2:], rest) and torch.allclose(last, end)


def test_a_wrong_number_of_states_is_refused():
    with pytest.raises(EnforceNotMet, match="states"):
        lstm(drawn(1, 1, 4), torch.ones(1, 1), drawn(8, 4), drawn(8), drawn(8, 2), drawn(1, 1, 2))

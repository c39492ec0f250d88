"""The loss of connectionist temporal classification."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, gradient_ops
from caffe2.ops.loss.temporal import CTC
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples

LAWLESS = {
    "gradient": "the gradient is an output, and that of a sum of the costs",
    "compile": "the sizes of what torch's kernel makes depend on the lengths",
}


def ctc(*given, is_test=False):
    return CTC(is_test=is_test)(*given)


def case(rng, steps=5, symbols=4):
    lengths, labels = np.array([2, 1, 0], np.int32), np.array([1, 2, 3], np.int32)
    return floats(rng, steps, 3, symbols), labels, lengths, np.array([steps, 3, 2], np.int32)


@samples("CTC")
def _(rng):
    yield Sample("CTC", case(rng), outputs=3, except_=LAWLESS)
    yield Sample("CTC", case(rng), {"is_test": 1}, outputs=2, except_=LAWLESS)


def summed(inputs, labels, frames):
    """-log of the sum over all alignments, spelled out."""
    p = np.exp(inputs[:frames]) / np.exp(inputs[:frames]).sum(-1, keepdims=True)
    chance = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=frames):
        if [s for s, _ in itertools.groupby(path) if s] == list(labels):
            chance += np.prod([p[t, s] for t, s in enumerate(path)])
    return -np.log(chance)


def test_costs_and_gradients():
    inputs, labels, lengths, frames = case(np.random.default_rng(3))
    gradients, costs, _ = ctc(*map(torch.from_numpy, (inputs, labels, lengths, frames)))
    ends = np.cumsum(lengths)

    def cost(values, n):
        return summed(values[:, n], labels[ends[n] - lengths[n] : ends[n]], frames[n])

    np.testing.assert_allclose(costs, [cost(inputs, n) for n in range(3)], rtol=1e-4)
    for t, n, d in ((0, 0, 1), (4, 0, 2), (2, 1, 0), (4, 1, 0), (0, 2, 3)):
        moved = inputs.astype(np.float64).copy()
        moved[t, n, d] += 1e-4
        slope = (cost(moved, n) - cost(inputs.astype(np.float64), n)) / 1e-4
        assert abs(float(gradients[t, n, d]) - slope) < 1e-3


def test_costs_alone_are_the_same():
    given = [*map(torch.from_numpy, case(np.random.default_rng(4)))]
    costs, workspace, _ = ctc(*given, is_test=True)
    assert torch.equal(costs, ctc(*given)[1]) and workspace.dtype == torch.uint8


def test_labels_that_do_not_fit_cost_nothing():
    labels = torch.tensor([1, 1, 1], dtype=torch.int32)
    one = torch.tensor([3], dtype=torch.int32)
    gradients, costs, _ = ctc(torch.rand(3, 1, 4), labels, one, one)
    assert costs.tolist() == [0.0] and not gradients.any()


def test_the_gradient_is_copied():
    made, of_inputs = gradient_ops(operator("CTC", "x l n t", "slope costs w"), [None, "costs_grad", None])
    assert [(o.type, list(o.input), list(o.output)) for o in made] == [("Copy", ["slope"], ["x_grad"])]
    assert of_inputs == ["x_grad", None, None, None]


@pytest.mark.parametrize(
    "change, message",
    [({1: [1, 2, 9]}, "labels holds 9"), ({2: [2, 2, 0]}, "add up to 4, not 3")]
    + [
        ({3: [6, 3, 2]}, "input_lengths holds 6"),
        ({3: [5]}, "one number for each of 3"),
        ({2: [4, -1, 0]}, "negative"),
    ],
)
def test_misuse(change, message):
    given = [torch.from_numpy(value) for value in case(np.random.default_rng(5))]
    for at, values in change.items():
        given[at] = torch.tensor(values, dtype=torch.int32)
    with pytest.raises(EnforceNotMet, match=message):
        ctc(*given)

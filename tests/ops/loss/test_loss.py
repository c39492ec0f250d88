"""Softmax and cross entropies: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


def probabilities(rng, *shape: int) -> np.ndarray:
    x = np.exp(rng.standard_normal(shape)).astype(np.float32)
    return x / x.sum(-1, keepdims=True)


def labels(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("Softmax")
def _(rng):
    yield [floats(rng, 3, 4)], {}
    yield [floats(rng, 2, 3, 4)], {"axis": 2}
    yield [floats(rng, 2, 3, 4)], {}
    yield [floats(rng, 0, 4)], {}


@samples("SoftmaxGradient")
def _(rng):
    yield [probabilities(rng, 3, 4), floats(rng, 3, 4)], {}


@samples("SoftmaxWithLoss")
def _(rng):
    yield Sample("SoftmaxWithLoss", (floats(rng, 3, 4), labels(0, 3, 1)), differentiate=(0,))
    weighted = (floats(rng, 2, 3, 4), labels(0, 3, 1, 1, 2, 0).reshape(2, 3), np.float32([[1, 2, 0], [1, 1, 3]]))
    yield Sample("SoftmaxWithLoss", weighted, {"axis": 2, "scale": 2.0}, differentiate=(0,))
    yield Sample("SoftmaxWithLoss", weighted, {"axis": 2, "average_by_batch_size": 1}, differentiate=(0,))
    soft = (floats(rng, 3, 4), probabilities(rng, 3, 4))
    yield Sample("SoftmaxWithLoss", soft, {"label_prob": 1}, differentiate=(0,))


@samples("SoftmaxWithLossGradient")
def _(rng):
    yield [floats(rng, 3, 4), labels(0, 3, 1), probabilities(rng, 3, 4), np.float32(1)], {}
    weights = np.float32([1, 2, 3])
    yield [floats(rng, 3, 4), labels(0, 3, 1), weights, probabilities(rng, 3, 4), np.float32(1)], {}


@samples("SpatialSoftmaxWithLoss")
def _(rng):
    where = labels(0, 2, 1, -1, 1, 0, 2, 2).reshape(2, 2, 2)
    yield Sample("SpatialSoftmaxWithLoss", (floats(rng, 2, 3, 2, 2), where), differentiate=(0,))
    weights = np.abs(floats(rng, 2, 2, 2))
    yield Sample("SpatialSoftmaxWithLoss", (floats(rng, 2, 3, 2, 2), where, weights), differentiate=(0,))


@samples("SpatialSoftmaxWithLossGradient")
def _(rng):
    where = labels(0, 2, 1, -1).reshape(1, 2, 2)
    x = floats(rng, 1, 3, 2, 2)
    yield [x, where, np.abs(x), np.float32(1)], {}


@samples("LabelCrossEntropy")
def _(rng):
    yield [probabilities(rng, 3, 4), labels(0, 3, 1)], {}
    yield [probabilities(rng, 3, 4), labels(0, 3, 1).reshape(3, 1)], {}


@samples("LabelCrossEntropyGradient")
def _(rng):
    yield [probabilities(rng, 3, 4), labels(0, 3, 1), floats(rng, 3)], {}


@samples("CrossEntropy")
def _(rng):
    yield Sample("CrossEntropy", (probabilities(rng, 3, 4), probabilities(rng, 3, 4)), differentiate=(0,))


@samples("CrossEntropyGradient")
def _(rng):
    yield [probabilities(rng, 3, 4), probabilities(rng, 3, 4), floats(rng, 3)], {}


@samples("MakeTwoClass")
def _(rng):
    yield [probabilities(rng, 3)], {}


@samples("MakeTwoClassGradient")
def _(rng):
    yield [floats(rng, 3, 2)], {}


@samples("SigmoidCrossEntropyWithLogits")
def _(rng):
    pair = (floats(rng, 3, 4), np.float32(rng.integers(0, 2, (3, 4))))
    for args in ({}, {"log_D_trick": 1}, {"unjoined_lr_loss": 1}):
        yield Sample("SigmoidCrossEntropyWithLogits", pair, args, differentiate=(0,))


@samples("SigmoidCrossEntropyWithLogitsGradient")
def _(rng):
    yield [floats(rng, 3), floats(rng, 3, 4), np.float32(rng.integers(0, 2, (3, 4)))], {}


@samples("WeightedSigmoidCrossEntropyWithLogits")
def _(rng):
    three = (floats(rng, 3, 4), np.float32(rng.integers(0, 2, (3, 4))), floats(rng, 3, 4))
    yield Sample("WeightedSigmoidCrossEntropyWithLogits", three, differentiate=(0,))


@samples("WeightedSigmoidCrossEntropyWithLogitsGradient")
def _(rng):
    yield [floats(rng, 3), floats(rng, 3, 4), np.float32(rng.integers(0, 2, (3, 4))), floats(rng, 3, 4)], {}


@samples("AveragedLoss")
def _(rng):
    yield [floats(rng, 3, 4)], {}
    yield Sample("AveragedLoss", (floats(rng, 0),))


@samples("AveragedLossGradient")
def _(rng):
    yield [floats(rng, 3, 4), np.float32(2)], {}


def test_a_label_that_is_no_class_is_refused(run):
    with pytest.raises(EnforceNotMet, match="4"):
        run("SoftmaxWithLoss", np.zeros((1, 4), np.float32), labels(4), outputs=2)


def test_where_no_place_counts_the_loss_is_zero(run):
    x = np.zeros((1, 2, 1, 1), np.float32)
    assert run("SpatialSoftmaxWithLoss", x, labels(-1).reshape(1, 1, 1))[1] == 0


def test_a_probability_of_zero_costs_no_infinity(run):
    assert np.isfinite(run("LabelCrossEntropy", np.float32([[0, 1]]), labels(0))).all()


@pytest.mark.parametrize(
    "name, shape", [("SoftmaxWithLossGradient", (1, 2)), ("SpatialSoftmaxWithLossGradient", (1, 2, 1, 1))]
)
def test_weights_that_add_up_to_nothing_positive_do_not_divide(run, name, shape):
    p = np.array([0.3, 0.7], np.float32).reshape(shape)
    label = np.zeros((1, *shape[2:]), np.int32)
    weight = np.full(label.shape, -2, np.float32)
    found = run(name, p, label, weight, p, np.array(1, np.float32))
    np.testing.assert_allclose(found.ravel(), [1.4, -1.4], rtol=1e-6)

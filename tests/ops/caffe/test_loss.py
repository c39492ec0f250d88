"""Caffe's losses: samples for the laws, and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples


def run(kind: str, *inputs: np.ndarray, **args) -> float:
    """The loss that an operator gives."""
    workspace = Workspace()
    names = [f"i{k}" for k in range(len(inputs))]
    for name, value in zip(names, inputs):
        workspace.feed(name, value)
    op = caffe2_pb2.OperatorDef(type=kind, input=names, output=["loss"])
    op.arg.extend(make_argument(k, v) for k, v in args.items())
    workspace.run_operator_once(op)
    return float(workspace.fetch("loss"))


def labels(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def scored(kind: str, inputs: tuple, args: dict | None = None, **more):
    """A sample of a loss, differentiated by its scores, and one of its gradient."""
    yield Sample(f"Caffe{kind}", inputs, args or {}, outputs=1, differentiate=(0,), **more)
    yield Sample(f"Caffe{kind}Gradient", (*inputs, np.array(1.5, np.float32)), args or {})


@samples("CaffeSoftmaxWithLoss", "CaffeSoftmaxWithLossGradient")
def _(rng):
    yield from scored("SoftmaxWithLoss", (floats(rng, 3, 4), labels(1, 0, 3)))
    x = floats(rng, 2, 3, 2)
    for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
        args = {"normalization": mode, "ignore_label": 2}
        yield from scored("SoftmaxWithLoss", (x, labels(1, 0, 2, 2).reshape(2, 2)), args)
    yield from scored("SoftmaxWithLoss", (x, labels(0, 1, 1, 0, 1, 0)), {"axis": -1})


@samples("CaffeInfogainLoss", "CaffeInfogainLossGradient")
def _(rng):
    matrix = floats(rng, 4, 4)
    yield from scored("InfogainLoss", (floats(rng, 3, 4), labels(1, 0, 3), matrix))
    args = {"normalization": "FULL", "ignore_label": 0, "axis": 2}
    yield from scored("InfogainLoss", (floats(rng, 2, 1, 4), labels(1, 0), matrix), args)


@samples("CaffeSigmoidCrossEntropyLoss", "CaffeSigmoidCrossEntropyLossGradient")
def _(rng):
    x, y = floats(rng, 3, 4), rng.integers(0, 2, (3, 4)).astype(np.float32)
    yield from scored("SigmoidCrossEntropyLoss", (x, y))
    yield from scored("SigmoidCrossEntropyLoss", (x, y), {"ignore_label": 1, "normalization": "VALID"})


@samples("CaffeEuclideanLoss", "CaffeEuclideanLossGradient")
def _(rng):
    yield from scored("EuclideanLoss", (floats(rng, 3, 4), floats(rng, 3, 4)))
    yield Sample("CaffeEuclideanLoss", (floats(rng, 3, 4), floats(rng, 3, 2, 2)), outputs=1)


@samples("CaffeHingeLoss", "CaffeHingeLossGradient")
def _(rng):
    yield from scored("HingeLoss", (floats(rng, 3, 4), labels(1, 0, 3)))
    yield from scored("HingeLoss", (floats(rng, 3, 4), labels(1, 0, 3)), {"norm": "L2"})


@samples("CaffeMultinomialLogisticLoss", "CaffeMultinomialLogisticLossGradient")
def _(rng):
    p = rng.uniform(0.2, 0.8, (3, 4)).astype(np.float32)
    yield from scored("MultinomialLogisticLoss", (p, labels(1, 0, 3)))


@samples("CaffeContrastiveLoss", "CaffeContrastiveLossGradient")
def _(rng):
    pairs = (floats(rng, 4, 3) * 0.2, floats(rng, 4, 3) * 0.2, labels(1, 0, 0, 1))
    yield from scored("ContrastiveLoss", pairs, {"margin": 2.0})
    yield from scored("ContrastiveLoss", pairs, {"margin": 4.0, "legacy_version": 1})


@samples("CaffeSmoothL1Loss", "CaffeSmoothL1LossGradient")
def _(rng):
    x, y = floats(rng, 3, 4), floats(rng, 3, 4)
    yield from scored("SmoothL1Loss", (x, y))
    yield Sample("CaffeSmoothL1Loss", (x, y, floats(rng, 3, 4), floats(rng, 3, 4)), {"sigma": 3.0}, outputs=1)


def test_softmax_loss_of_equal_scores_is_the_log_of_their_number():
    assert run("CaffeSoftmaxWithLoss", np.zeros((2, 5), np.float32), labels(3, 4)) == pytest.approx(np.log(5))


def test_a_batch_of_ignored_labels_costs_nothing():
    assert run("CaffeSoftmaxWithLoss", np.ones((2, 3), np.float32), labels(7, 7), ignore_label=7) == 0


def test_pairs_alike_cost_their_squared_distance():
    a = np.array([[3, 4]], np.float32)
    assert run("CaffeContrastiveLoss", a, np.zeros_like(a), labels(1)) == pytest.approx(12.5)


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "HingeLoss", "MultinomialLogisticLoss"])
def test_a_label_that_names_no_class_is_refused(kind):
    with pytest.raises(EnforceNotMet, match="label"):
        run(f"Caffe{kind}", np.ones((1, 3), np.float32), labels(3))

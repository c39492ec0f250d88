"""Losses of detectors and what they are trained on: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

ONE = np.ones((), np.float32) * np.float32(1.5)


def labels(rng, low, high, *shape):
    return rng.integers(low, high, shape).astype(np.int32)


def both(name, inputs, args, *, given=(), differentiate=(0,)):
    """Samples of a loss and of its gradient operator, which takes the same inputs, what the loss gave and dloss."""
    yield Sample(name, inputs, args, differentiate=differentiate)
    yield Sample(f"{name}Gradient", (*inputs, *given, ONE), args)


@samples("SmoothL1Loss", "SmoothL1LossGradient")
def _(rng):
    inputs = tuple(floats(rng, 3, 4) for _ in range(4))
    yield from both("SmoothL1Loss", inputs, {"beta": 0.5, "scale": 2.0})
    yield Sample("SmoothL1Loss", tuple(i[:0] for i in inputs), differentiate=(0,))


@samples("SelectSmoothL1Loss", "SelectSmoothL1LossGradient")
def _(rng):
    places = np.array([[0, 0, 1, 2], [1, 4, 0, 0]], np.float32)
    inputs = (floats(rng, 2, 8, 3, 3), floats(rng, 2, 4), places, np.full(1, 2, np.float32))
    yield from both("SelectSmoothL1Loss", inputs, {"beta": 0.7, "scale": 0.5})


@samples("SigmoidCrossEntropyLoss", "SigmoidCrossEntropyLossGradient")
def _(rng):
    for normalize in (0, 1):
        inputs = (floats(rng, 3, 4), labels(rng, -1, 2, 3, 4))
        yield from both("SigmoidCrossEntropyLoss", inputs, {"normalize": normalize, "scale": 2.0})


@samples("SigmoidFocalLoss", "SigmoidFocalLossGradient")
def _(rng):
    inputs = (floats(rng, 2, 6, 2, 2), labels(rng, -1, 4, 2, 2, 2, 2), np.full(1, 3, np.float32))
    yield from both("SigmoidFocalLoss", inputs, {"num_classes": 3, "gamma": 2.0, "alpha": 0.3})


@samples("SoftmaxFocalLoss", "SoftmaxFocalLossGradient")
def _(rng):
    x, t, w = floats(rng, 2, 6, 2, 2), labels(rng, -1, 3, 2, 2, 2, 2), np.full(1, 3, np.float32)
    e = np.exp(x.reshape(2, 2, 3, 2, 2))
    p = (e / e.sum(2, keepdims=True)).astype(np.float32).ravel()
    yield from both("SoftmaxFocalLoss", (x, t, w), {"num_classes": 3, "gamma": 2.0, "alpha": 0.3}, given=(p,))


@samples("GroupSpatialSoftmax", "GroupSpatialSoftmaxGradient")
def _(rng):
    yield Sample("GroupSpatialSoftmax", (floats(rng, 2, 6, 2, 2),), {"num_classes": 3})
    yield Sample("GroupSpatialSoftmaxGradient", (floats(rng, 2, 6, 2, 2), floats(rng, 2, 6, 2, 2)), {"num_classes": 3})


@samples("SampleAs", "SampleAsGradient")
def _(rng):
    chosen, traced = np.array([1, 0, -1, 7], np.int32), {"compile": "the count of rows is in the data of labels"}
    yield Sample("SampleAs", (floats(rng, 4, 2, 1), chosen))
    yield Sample("SampleAsGradient", (floats(rng, 4, 2), chosen, floats(rng, 2, 2)), except_=traced)


@samples("SpatialNarrowAs", "SpatialNarrowAsGradient")
def _(rng):
    a, b = floats(rng, 2, 3, 4, 5), floats(rng, 2, 1, 3, 2)
    yield Sample("SpatialNarrowAs", (a, b))
    yield Sample("SpatialNarrowAsGradient", (a, b, floats(rng, 2, 3, 3, 2)))


ROIS = np.array([[0, 0, 0, 3, 2], [1, 1, 1, 9, 9], [0, 4, 4, 4, 4], [1, 20, 20, 30, 30]], np.float32)


@samples("PSRoIPool", "PSRoIPoolGradient")
def _(rng):
    args = {"group_size": 2, "output_dim": 2, "spatial_scale": 0.5}
    yield Sample("PSRoIPool", (floats(rng, 2, 8, 5, 6), ROIS), args, differentiate=(0,))
    channel = np.zeros((4, 2, 2, 2), np.int32)
    yield Sample("PSRoIPoolGradient", (floats(rng, 2, 8, 5, 6), ROIS, channel, floats(rng, 4, 2, 2, 2)), args)


def test_smooth_l1_in_both_of_its_parts(run):
    y_hat, zero, one = np.array([[0.5, 3]], np.float32), np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)
    assert run("SmoothL1Loss", y_hat, zero, one, one).item() == pytest.approx(0.125 + 2.5)


def test_focal_loss_without_focus_is_cross_entropy(run):
    x = np.array([0.3, -1.2], np.float32).reshape(1, 2, 1, 1)
    loss = run(
        "SigmoidFocalLoss",
        x,
        np.full((1, 1, 1, 1), 2, np.int32),
        np.ones(1, np.float32),
        num_classes=2,
        gamma=0.0,
        alpha=0.5,
    )
    p = 1 / (1 + np.exp(-x.ravel()))
    assert loss.item() == pytest.approx(-0.5 * (np.log(1 - p[0]) + np.log(p[1])), rel=1e-5)


def test_each_cell_has_a_channel_of_its_own(run):
    x = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((1, 4, 6, 6), np.float32)
    y, channel = run("PSRoIPool", x, np.array([[0, 0, 0, 5, 5]], np.float32), group_size=2, output_dim=1)
    assert y[0, 0].tolist() == [[0, 1], [2, 3]] and channel[0, 0].tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "name, inputs, args",
    [
        ("SmoothL1Loss", [np.ones((2, 2), np.float32)] * 3 + [np.ones((2, 1), np.float32)], {}),
        ("SmoothL1Loss", [np.ones((2, 2), np.float32)] * 4, {"beta": 0.0}),
        ("GroupSpatialSoftmax", [np.ones((1, 5, 1, 1), np.float32)], {"num_classes": 2}),
        ("SampleAs", [np.ones((2, 2), np.float32), np.ones(3, np.int32)], {}),
        ("SpatialNarrowAs", [np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 3, 2), np.float32)], {}),
        ("SigmoidFocalLoss", [np.ones((1, 4, 1, 1), np.float32), np.ones(3, np.int32), ONE], {"num_classes": 2}),
    ],
)
def test_what_does_not_fit_is_refused(run, name, inputs, args):
    with pytest.raises(EnforceNotMet):
        run(name, *inputs, **args)

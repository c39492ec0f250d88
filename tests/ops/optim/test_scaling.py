"""Scaling of rates, gradients, weights and counters: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from tests.ops.optim.state import ROWS, TURNS
from tests.sample import Sample, floats, samples


def number(value: float) -> np.ndarray:
    return np.array([value], np.float32)


@samples("Lars")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), number(0.1), number(0.2), number(0.9)], {"lr_min": 0.01}
    yield [np.zeros(3, np.float32), floats(rng, 3), number(0.1), number(0.2), number(0.9)], {}


@samples("ClipTensorByScaling")
def _(rng):
    yield [floats(rng, 2, 3), number(2)], {"threshold": 0.5}
    yield [floats(rng, 2, 3), number(2), number(8)], {"threshold": 0.5}


@samples("WeightScale")
def _(rng):
    yield [floats(rng, 2, 3), np.array([3])], {"stepsize": 2, "scale": 0.5}
    yield [floats(rng, 2, 3), np.array([3])], {"stepsize": 2, "scale": 0.5, "upper_bound_iter": 4}


@samples("RowWiseCounter")
def _(rng):
    for rows in (ROWS, np.array([1, 1])):
        inputs = np.array([5, 9, 70]), np.array([1.5, 2, 3]), rows, np.array([60])
        yield Sample("RowWiseCounter", inputs, {"counter_halflife": 10}, except_=TURNS)


def test_the_rate_of_a_layer_is_bounded(run):
    one = number(1)
    assert run("Lars", one, one, number(0), number(1), number(0.5), offset=0.0) == 0.5
    assert run("Lars", one, 1000 * one, number(0), number(1), number(0.5), lr_min=0.02) == pytest.approx(0.02)
    assert run("Lars", 0 * one, one, number(0), number(1), number(5)) == 1


def test_clipping_again_clips_alike():
    sample = Sample("ClipTensorByScaling", (number(4), number(4), number(2)), {"threshold": 1.0})
    workspace = sample.workspace()
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[sample.definition()]))
    net.run()
    net.run()
    assert workspace.fetch("o0") == 2


def test_weights_scale_when_it_is_due(run):
    w = number(8)
    got = [float(run("WeightScale", w, np.array([t]), stepsize=3, scale=0.5, upper_bound_iter=6)[0]) for t in range(9)]
    assert got == [8, 8, 4, 8, 8, 8, 8, 8, 8]


@pytest.mark.parametrize(
    "name, args", [("ClipTensorByScaling", {}), ("WeightScale", {"stepsize": 0}), ("Lars", {"offset": -1.0})]
)
def test_arguments_stay_in_their_domain(run, name, args):
    inputs = {"ClipTensorByScaling": 2, "WeightScale": 2, "Lars": 5}[name]
    values = [number(1)] * inputs
    if name == "WeightScale":
        values[1] = np.array([1])
    with pytest.raises(EnforceNotMet, match=name):
        run(name, *values, **args)

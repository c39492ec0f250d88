"""Operators of any number of tensors: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("Sum", "Mean", "Max", "Min")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}
    yield [floats(rng, 4), floats(rng, 4), floats(rng, 4)], {}
    yield [floats(rng, 0, 4), floats(rng, 0, 4)], {}


@samples("SumInt")
def _(rng):
    yield [np.array([1, 2]), np.array([3, 4])], {}


@samples("SumRelu")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}


@samples("MeanGradient")
def _(rng):
    yield Sample("MeanGradient", (floats(rng, 2, 3),), outputs=3)


@samples("MaxGradient", "MinGradient")
def _(rng):
    m, x = floats(rng, 2, 3), floats(rng, 2, 3)
    for name in ("MaxGradient", "MinGradient"):
        yield Sample(name, (m, floats(rng, 2, 3), m, x), outputs=2)


@samples("WeightedSum")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 1)], {}
    yield [floats(rng, 2, 3), floats(rng, 1), floats(rng, 2, 3), floats(rng, 1)], {"grad_on_w": 1}


@samples("WeightedSumGradient")
def _(rng):
    inputs = (floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 1), floats(rng, 2, 3), floats(rng, 1))
    yield Sample("WeightedSumGradient", inputs, outputs=2)
    yield Sample("WeightedSumGradient", inputs, {"grad_on_w": 1}, outputs=4)


def test_shapes_must_agree(run):
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("Sum", np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("WeightedSum", *[np.ones(n, np.float32) for n in (3, 1, 2, 1)])


def test_weights_are_single_numbers(run):
    with pytest.raises(EnforceNotMet, match="one number"):
        run("WeightedSum", np.ones(2, np.float32), np.ones(2, np.float32))


def test_ties_share_no_gradient_but_get_it_whole(run):
    x = np.ones(2, np.float32)
    assert [g.tolist() for g in run("MaxGradient", x, x, x, x, outputs=2)] == [[1, 1], [1, 1]]

"""Activations: samples, and what is particular."""

from __future__ import annotations

import numpy as np

from tests.sample import floats, samples


@samples("Relu")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 4, 0)], {}


@samples("LeakyRelu")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 5)], {"alpha": 0.3}


@samples("ReluGradient", "LeakyReluGradient")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}


def test_relu_keeps_no_negative_zero_surprise(run):
    assert np.array_equal(run("Relu", np.array([-0.0, -1.0, 2.0], np.float32)), [0, 0, 2])

"""Elementwise quantized operators: samples, and comparison with real arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.quant.values import bytes_of, nearest, real
from tests.sample import floats, samples

OUT = {"Y_scale": 0.3, "Y_zero_point": 100}


@samples("Int8Add", "Int8AddRelu")
def _(rng):
    for shape in ((2, 3), (1, 2, 2, 3), (0, 2)):
        yield [bytes_of(rng, *shape), bytes_of(rng, *shape, scale=0.2, zero_point=7)], OUT


@samples("Int8Sum", "Int8SumRelu")
def _(rng):
    yield [bytes_of(rng, 2, 3), bytes_of(rng, 2, 3, scale=0.2), bytes_of(rng, 2, 3, zero_point=3)], OUT
    yield [bytes_of(rng, 2, 3)], OUT


@samples("Int8Mul")
def _(rng):
    yield [bytes_of(rng, 2, 3), bytes_of(rng, 2, 3)], OUT
    yield [bytes_of(rng, 2, 3, 4), bytes_of(rng, 3)], OUT | {"broadcast": 1, "axis": 1}


@samples("Int8ElementwiseLinear")
def _(rng):
    yield [bytes_of(rng, 2, 3), floats(rng, 3), floats(rng, 3)], OUT


@samples("Int8Relu")
def _(rng):
    yield [bytes_of(rng, 2, 3)], {"Y_scale": 0.1, "Y_zero_point": 120}


@samples("Int8LeakyRelu")
def _(rng):
    yield [bytes_of(rng, 2, 3)], OUT | {"alpha": 0.2}


@samples("Int8Sigmoid", "Int8Softmax")
def _(rng):
    yield [bytes_of(rng, 2, 3)], {"Y_scale": 1 / 256, "Y_zero_point": 0}
    yield [bytes_of(rng, 0, 3)], {"Y_scale": 1 / 256, "Y_zero_point": 0}


@samples("Int8Tanh")
def _(rng):
    yield [bytes_of(rng, 2, 3)], {"Y_scale": 1 / 128, "Y_zero_point": 128}


@samples("Int8LSTMUnit")
def _(rng):
    gates, lengths, step = bytes_of(rng, 1, 3, 8), np.array([2, 0, 1], np.int32), np.zeros(1, np.int32)
    for drop in (0, 1):
        states = bytes_of(rng, 1, 3, 2), bytes_of(rng, 1, 3, 2)
        yield [*states, gates, lengths, step], OUT | {"drop_states": drop}


REAL = {
    "Int8Add": lambda a, b: a + b,
    "Int8AddRelu": lambda a, b: np.maximum(a + b, 0),
    "Int8Sum": lambda a, b: a + b,
    "Int8Mul": lambda a, b: a * b,
}


@pytest.mark.parametrize("name", REAL)
def test_pairs_are_those_of_real_arithmetic(run, rng, name):
    a, b = bytes_of(rng, 4, 5), bytes_of(rng, 4, 5, scale=0.2, zero_point=90)
    y = run(name, a, b, **OUT)
    assert (y.scale, y.zero_point) == (0.3, 100) or np.isclose(y.scale, 0.3)
    difference = y.data.numpy().astype(int) - nearest(REAL[name](real(a), real(b)), 0.3, 100)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    "name, function, scale, zero",
    [
        ("Int8Sigmoid", lambda x: 1 / (1 + np.exp(-x)), 1 / 256, 0),
        ("Int8Tanh", np.tanh, 1 / 128, 128),
        ("Int8Softmax", lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True), 1 / 256, 0),
    ],
)
def test_activations_are_those_of_real_arithmetic(run, rng, name, function, scale, zero):
    x = bytes_of(rng, 4, 6, scale=0.03)
    y = run(name, x, Y_scale=scale, Y_zero_point=zero)
    assert np.abs(y.data.numpy().astype(int) - nearest(function(real(x)), scale, zero)).max() <= 1


def test_shapes_that_differ_are_refused(run, rng):
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("Int8Add", bytes_of(rng, 2, 3), bytes_of(rng, 3, 2), **OUT)
    with pytest.raises(EnforceNotMet, match="must be"):
        run("Int8Sigmoid", bytes_of(rng, 2), Y_scale=0.5, Y_zero_point=0)

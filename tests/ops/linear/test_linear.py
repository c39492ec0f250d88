"""Fully connected layers and matrix products: samples, and what is particular."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("FC")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 2, 4), floats(rng, 2)], {}
    yield [floats(rng, 3, 2, 2), floats(rng, 5, 2, 2), floats(rng, 5)], {}
    yield [floats(rng, 3, 2, 4), floats(rng, 2, 3, 4), floats(rng, 6)], {"axis": 2, "axis_w": 2}
    yield [floats(rng, 0, 4), floats(rng, 2, 4), floats(rng, 2)], {}


@samples("FCGradient")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 2, 4), floats(rng, 3, 2)], {}
    yield Sample("FCGradient", (floats(rng, 3, 2, 4), floats(rng, 2, 4), floats(rng, 3, 2, 2)), {"axis": 2}, outputs=2)


@samples("FCTransposed")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 4, 2), floats(rng, 2)], {}
    yield [floats(rng, 3, 2, 2), floats(rng, 4, 5), floats(rng, 5)], {}


@samples("FCTransposedGradient")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 4, 2), floats(rng, 3, 2)], {}


@samples("MatMul")
def _(rng):
    for a, b in itertools.product((0, 1), repeat=2):
        shapes = ((3, 4)[:: 1 - 2 * a], (4, 2)[:: 1 - 2 * b])
        yield [floats(rng, *shapes[0]), floats(rng, *shapes[1])], {"trans_a": a, "trans_b": b}
    yield [floats(rng, 3, 2, 2), floats(rng, 2, 2, 5)], {"axis_b": 2}


@samples("BatchMatMul")
def _(rng):
    for a, b in itertools.product((0, 1), repeat=2):
        shapes = ((3, 4)[:: 1 - 2 * a], (4, 2)[:: 1 - 2 * b])
        yield [floats(rng, 2, *shapes[0]), floats(rng, 2, *shapes[1])], {"trans_a": a, "trans_b": b}
    no_gradient = {"gradient": "there is none where it broadcasts"}
    yield Sample("BatchMatMul", (floats(rng, 2, 3, 4), floats(rng, 4, 5)), {"broadcast": 1}, except_=no_gradient)


def test_shapes_that_do_not_go_together_are_told(run):
    with pytest.raises(EnforceNotMet, match=r"\[3, 4\].*\[2, 5\]"):
        run("FC", np.zeros((3, 4), np.float32), np.zeros((2, 5), np.float32), np.zeros(2, np.float32))
    with pytest.raises(EnforceNotMet, match="does not go with"):
        run("MatMul", np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32))


def test_a_batch_of_nothing_gives_nothing(run):
    empty = np.zeros((0, 4), np.float32)
    assert run("FC", empty, np.zeros((2, 4), np.float32), np.zeros(2, np.float32)).shape == (0, 2)

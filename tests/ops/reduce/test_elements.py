"""Reductions of all elements, and maxima by row and column: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.reduce.test_axes import spaced
from tests.sample import floats, samples


@samples("SumElements", "SumSqrElements", "LpNorm")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 2, 3)], {"average": 1}


@samples("SumElementsGradient")
def _(rng):
    yield [floats(rng, 2, 3), np.float32(2.5)], {}
    yield [floats(rng, 2, 3), floats(rng, 1)], {"average": 1}


@samples("LpNormGradient")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 1)], {"p": 1}
    yield [floats(rng, 2, 3), floats(rng, 1)], {"average": 1}


@samples("SumElementsInt")
def _(rng):
    yield [np.arange(6, dtype=np.int32).reshape(2, 3)], {}


@samples("RowwiseMax", "ColwiseMax")
def _(rng):
    yield [spaced(rng, 2, 3, 4)], {}


@samples("RowwiseMaxGradient")
def _(rng):
    x = floats(rng, 2, 3, 4)
    yield [x, x.max(2), floats(rng, 2, 3)], {}


@samples("ColwiseMaxGradient")
def _(rng):
    x = floats(rng, 2, 3, 4)
    yield [x, x.max(1), floats(rng, 2, 4)], {}


def test_norms_take_no_root(run):
    x = np.array([3, -4], np.float32)
    assert run("LpNorm", x).tolist() == [25] and run("LpNorm", x, p=1, average=1).tolist() == [3.5]
    with pytest.raises(EnforceNotMet, match="p is 1 or 2"):
        run("LpNorm", x, p=3)


def test_totals_have_no_dimension(run):
    assert run("SumElements", np.zeros((0, 3), np.float32), average=1).shape == ()


def test_maxima_are_of_stacks_of_matrices(run):
    with pytest.raises(EnforceNotMet, match="three dimensions"):
        run("RowwiseMax", np.ones((2, 3), np.float32))


def test_maxima_of_nothing(run):
    assert run("ColwiseMax", np.zeros((0, 0, 3), np.float32)).shape == (0, 3)
    assert run("RowwiseMax", np.zeros((1, 1, 0), np.float32)).tolist() == [[np.finfo(np.float32).min]]

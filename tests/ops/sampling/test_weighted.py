"""Weighted sampling: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, samples


@samples("WeightedSample")
def _(rng):
    weights = rng.random((4, 3), dtype=np.float32)
    yield Sample("WeightedSample", (weights,), outputs=1)
    yield Sample("WeightedSample", (weights, weights + 5), outputs=2)
    yield Sample("WeightedSample", (np.zeros((0, 3), np.float32),), outputs=1)


@samples("WeightedMultiSampling")
def _(rng):
    cdf = np.cumsum(rng.random(5, dtype=np.float32)).astype(np.float32)
    yield [cdf], {"num_samples": 7}
    yield [cdf, np.zeros((2, 3), np.int32)], {}
    yield [cdf[:0]], {"num_samples": 7}


def test_weights_say_how_often(run):
    weights = np.tile(np.array([1, 0, 3], np.float32), (4000, 1))
    index, value = run("WeightedSample", weights, weights, outputs=2)
    assert set(np.unique(index)) == {0, 2} and abs((index == 2).mean() - 0.75) < 0.05
    assert np.array_equal(value, np.take_along_axis(weights, index.astype(int), 1))
    many = run("WeightedMultiSampling", np.array([1, 1, 4], np.float32), num_samples=4000)
    assert abs((many == 2).mean() - 0.75) < 0.05 and not (many == 1).any()


def test_impossible_weights_are_refused(run):
    with pytest.raises(EnforceNotMet, match="negative"):
        run("WeightedSample", np.array([[1, -1]], np.float32), outputs=1)
    with pytest.raises(EnforceNotMet, match="both"):
        run("WeightedMultiSampling", np.ones(2, np.float32), np.ones(2, np.float32), num_samples=1)

"""Losses of pairs: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples


def signs(rng, count):
    return np.where(rng.random(count) > 0.5, 1, -1).astype(np.int32)


def coins(rng, *shape):
    return rng.uniform(0.1, 0.9, shape).astype(np.float32)


@samples("CosineEmbeddingCriterion")
def _(rng):
    yield [floats(rng, 8), signs(rng, 8)], {}
    yield [floats(rng, 8), signs(rng, 8)], {"margin": 0.2}


@samples("CosineEmbeddingCriterionGradient")
def _(rng):
    yield [floats(rng, 8), signs(rng, 8), floats(rng, 8)], {"margin": 0.2}


@samples("MarginRankingCriterion")
def _(rng):
    yield [floats(rng, 8), floats(rng, 8), signs(rng, 8)], {}
    yield [floats(rng, 4, 2), floats(rng, 4, 2), signs(rng, 8)], {"margin": 0.2}


@samples("MarginRankingCriterionGradient")
def _(rng):
    yield [floats(rng, 8), floats(rng, 8), signs(rng, 8), floats(rng, 8)], {}


@samples("BernoulliJSD")
def _(rng):
    yield [coins(rng, 5), coins(rng, 5)], {}


@samples("BernoulliJSDGradient")
def _(rng):
    yield [floats(rng, 5), coins(rng, 5), coins(rng, 5)], {}


def test_certain_coins_have_finite_divergence(run):
    x, t = np.array([0, 1, 1], np.float32), np.array([1, 0, 1], np.float32)
    assert run("BernoulliJSD", x, t).tolist() == pytest.approx([np.log(2), np.log(2), 0])


def test_labels_must_be_as_many(run):
    with pytest.raises(EnforceNotMet, match="one label"):
        run("CosineEmbeddingCriterion", np.ones(3, np.float32), np.ones(2, np.int32))

"""Distances and metrics: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples


@samples("SquaredL2Distance", "L1Distance", "DotProduct", "CosineSimilarity")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3, 4)], {}
    yield [floats(rng, 3), floats(rng, 3)], {}
    yield [floats(rng, 2, 2, 2), floats(rng, 2, 2, 2)], {}


@samples("SquaredL2DistanceGradient", "L1DistanceGradient", "DotProductGradient", "CosineSimilarityGradient")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3, 4), floats(rng, 3)], {}


@samples("DotProductWithPadding")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3, 2)], {"pad_value": 0.5}
    yield [floats(rng, 3, 2), floats(rng, 3, 4)], {"replicate": 1}


@samples("DotProductWithPaddingGradient")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3, 2), floats(rng, 3)], {"pad_value": 0.5}
    yield [floats(rng, 3, 4), floats(rng, 3, 2), floats(rng, 3)], {"replicate": 1}


@samples("Accuracy", "MultiClassAccuracy")
def _(rng):
    yield [floats(rng, 4, 3), np.array([0, 2, 1, 2], np.int32)], {"top_k": 2}


def test_of_equal_predictions_the_lower_class_counts_first(run):
    even = np.ones((2, 3), np.float32)
    assert run("Accuracy", even, np.array([0, 2], np.int32)) == 0.5
    assert run("Accuracy", even, np.array([0, 2], np.int32), top_k=3) == 1


def test_a_class_without_rows_has_accuracy_zero(run):
    shares, amounts = run("MultiClassAccuracy", np.float32([[1, 0, 0]]), np.array([0], np.int32))
    assert shares.tolist() == [1, 0, 0] and amounts.tolist() == [1, 0, 0] and amounts.dtype == np.int32


def test_rows_of_other_shapes_are_refused(run):
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("DotProduct", np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32))


def test_a_zero_vector_is_similar_to_nothing(run):
    assert run("CosineSimilarity", np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)) == 0

"""Gradients of segment reductions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, lookup, registry
from tests.sample import Sample, floats, samples

LENGTHS = np.array([2, 0, 3], np.int32)
SORTED = np.array([0, 0, 1, 2, 2], np.int32)
HOME = "caffe2.ops.segment.gradient"
NAMES = sorted(n for n, d in registry.items() if d.body.__module__ == HOME)


def value(rng: np.random.Generator, name: str, blob: str) -> np.ndarray:
    """What the gradient operator `name` may be given for one of its blobs: five rows in three segments."""
    return {
        "SCALARS": floats(rng, 5),
        "dOUTPUT": floats(rng, 3, 2),
        "OUTPUT": np.ones((3, 2), np.float32),
        "LENGTHS": LENGTHS,
        "SEGMENT_IDS": SORTED,
        "DATA": np.ones((5, 2), np.float32),
        "INDICES": np.array([4, 0, 4, 1, 2]),
    }[blob]


@samples(*NAMES)
def _(rng):
    for name in NAMES:
        inputs = tuple(value(rng, name, blob) for blob in lookup(name).header.inputs.names)
        yield Sample(name, inputs, outputs=2 if "MainInputGradient" in name else 1)


def test_a_mean_flows_back_divided(run):
    dy = np.array([[6], [1], [9]], np.float32)
    assert run("LengthsMeanGradient", dy, LENGTHS).tolist() == [[3], [3], [3], [3], [3]]
    assert run("SortedSegmentMeanGradient", dy, SORTED).tolist() == [[3], [3], [1], [4.5], [4.5]]


def test_every_maximum_has_the_gradient(run):
    data = np.array([[1], [1], [3], [2], [3]], np.float32)
    y, dy = np.array([[1], [0], [3]], np.float32), np.array([[5], [6], [7]], np.float32)
    name = "LengthsMaxWithMainInputAndForwardOutputGradient"
    assert run(name, y, dy, LENGTHS, data, outputs=1).tolist() == [[5], [5], [7], [0], [7]]


def test_gradients_and_segments_must_fit(run):
    with pytest.raises(EnforceNotMet, match="one first dimension"):
        run("LengthsSumGradient", np.zeros((2, 1), np.float32), LENGTHS)
    with pytest.raises(EnforceNotMet, match="SEGMENT_IDS holds 2"):
        run("UnsortedSegmentSumGradient", np.zeros((2, 1), np.float32), SORTED)
    with pytest.raises(EnforceNotMet, match="SCALARS"):
        run("LengthsWeightedSumGradient", np.zeros(4, np.float32), np.zeros((3, 1), np.float32), LENGTHS)

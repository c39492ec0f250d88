"""Local response normalization: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

SETTINGS = (
    {"size": 3, "alpha": 0.5, "beta": 0.75, "bias": 2.0},
    {"size": 4, "alpha": 0.2, "beta": 0.5},
    {"size": 3, "alpha": 0.5, "beta": 0.75, "order": "NHWC"},
    {"size": 9, "alpha": 1.0, "beta": 1.0},
)


@samples("LRN")
def _(rng):
    for args in SETTINGS:
        yield Sample("LRN", (floats(rng, 2, 5, 2, 3),), args, 1)
        yield Sample("LRN", (floats(rng, 1, 3, 4),), args, 2)
    yield Sample("LRN", (floats(rng, 0, 3, 2, 2),), SETTINGS[0], 1)


@samples("LRNGradient")
def _(rng):
    for args in SETTINGS:
        yield [floats(rng, 2, 5, 2, 3), floats(rng, 2, 5, 2, 3), floats(rng, 2, 5, 2, 3)], args


def test_a_neighbourhood_of_nothing_is_refused(run):
    with pytest.raises(EnforceNotMet, match="size is 0"):
        run("LRN", np.zeros((1, 2, 2, 2), np.float32))

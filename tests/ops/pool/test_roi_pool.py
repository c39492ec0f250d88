"""Pooling of regions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

ROIS = np.array([[0, 0, 0, 3, 2], [1, 1, 1, 9, 9], [0, 4, 4, 4, 4], [1, 20, 20, 30, 30]], np.float32)


@samples("RoIPool")
def _(rng):
    x = floats(rng, 2, 3, 7, 6)
    yield [x, ROIS], {"pooled_h": 2, "pooled_w": 3}
    args = {"is_test": 1, "spatial_scale": 0.5, "pooled_h": 3, "pooled_w": 2}
    yield Sample("RoIPool", (x, ROIS), args, 1, except_={"gradient": "is_test keeps no argmaxes"})
    yield [x, ROIS[:0]], {"pooled_h": 2, "pooled_w": 3}
    whole = np.array([[0, 0, 0, 3, 3]], np.float32)
    yield [floats(rng, 1, 1, 4, 4), whole], {"pooled_h": 2, "pooled_w": 2}


@samples("RoIPoolF")
def _(rng):
    yield [floats(rng, 2, 3, 7, 6), ROIS], {"pooled_h": 2, "pooled_w": 3}


@samples("RoIPoolGradient", "RoIPoolFGradient")
def _(rng):
    at = np.array([0, 3, -1, 41, 5, 5, 0, 0], np.int32).reshape(2, 1, 2, 2)
    yield [floats(rng, 2, 1, 7, 6), ROIS[:2], at, floats(rng, 2, 1, 2, 2)], {"pooled_h": 2, "pooled_w": 2}


def test_the_first_of_equal_maxima_row_by_row_is_named(run):
    x = np.zeros((1, 1, 4, 4), np.float32)
    x[0, 0, [0, 2], [2, 0]] = 1
    y, at = run("RoIPool", x, np.array([[0, 0, 0, 3, 3]], np.float32))
    assert y.item() == 1 and at.item() == 2


def test_an_empty_cell_is_zero_and_nowhere(run):
    y, at = run("RoIPool", np.ones((1, 1, 4, 4), np.float32), np.array([[0, 8, 8, 9, 9]], np.float32))
    assert y.item() == 0 and at.item() == -1


def test_a_region_of_an_image_that_is_not_there_is_refused(run):
    with pytest.raises(EnforceNotMet, match="first column"):
        run("RoIPool", np.ones((1, 1, 4, 4), np.float32), np.array([[1, 0, 0, 1, 1]], np.float32))

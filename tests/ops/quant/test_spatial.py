"""Operators on quantized images: samples, and comparison with real arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.quant.values import bytes_of, nearest, real
from tests.sample import Sample, floats, samples

KEPT = {"Y_scale": 0.1, "Y_zero_point": 120, "order": "NHWC"}
WINDOWS = ({"kernel": 2, "stride": 2}, {"kernel": 3, "pad": 1}, {"global_pooling": 1})


@samples("Int8MaxPool", "Int8MaxPoolRelu", "Int8AveragePool", "Int8AveragePoolRelu")
def _(rng):
    for window in WINDOWS:
        yield [bytes_of(rng, 1, 4, 5, 3)], KEPT | window


@samples("Int8RoIAlign")
def _(rng):
    rois = np.array([[0, 0.5, 1, 3, 3.5], [0, 0, 0, 4, 4]], np.float32)
    args = {"Y_scale": 0.1, "Y_zero_point": 120, "pooled_h": 2, "pooled_w": 2, "sampling_ratio": 2}
    yield [bytes_of(rng, 1, 5, 5, 2), rois], args


@samples("Int8SpatialBN", "Int8SpatialBNRelu")
def _(rng):
    statistics = floats(rng, 3), floats(rng, 3), floats(rng, 3), np.abs(floats(rng, 3))
    for order, shape in (("NHWC", (2, 2, 2, 3)), ("NCHW", (2, 3, 2, 2))):
        yield [bytes_of(rng, *shape), *statistics], {"is_test": 1, "order": order, "Y_scale": 0.2, "Y_zero_point": 99}


@samples("Int8GroupNorm")
def _(rng):
    args = {"group": 2, "order": "NHWC", "Y_scale": 0.05, "Y_zero_point": 128}
    yield Sample("Int8GroupNorm", (bytes_of(rng, 2, 2, 2, 4), floats(rng, 4), floats(rng, 4)), args, outputs=1)


@samples("Int8Gather")
def _(rng):
    yield [bytes_of(rng, 4, 3), np.array([[0, 3], [1, 1]])], {}


def test_poolings_are_those_of_real_arithmetic(run, rng):
    x = bytes_of(rng, 1, 4, 4, 2)
    windows = real(x).reshape(1, 2, 2, 2, 2, 2)
    for name, want in (("Int8MaxPool", windows.max((2, 4))), ("Int8AveragePool", windows.mean((2, 4)))):
        y = run(name, x, kernel=2, stride=2, **KEPT)
        assert np.abs(y.data.numpy().astype(int) - nearest(want, 0.1, 120)).max() <= 1


def test_normalization_needs_statistics_and_indices_need_rows(run, rng):
    with pytest.raises(EnforceNotMet, match="is_test"):
        run("Int8SpatialBN", bytes_of(rng, 1, 2, 2, 2), *[floats(rng, 2)] * 4)
    with pytest.raises(EnforceNotMet, match="INDICES"):
        run("Int8Gather", bytes_of(rng, 4, 3), np.array([4]))

"""Normalizations of layers, groups, channels and vectors: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

ORDERS = (((2, 6, 3), "NCHW"), ((2, 3, 2, 6), "NHWC"), ((2, 6), "NCHW"))


def positive(rng, *shape):
    return np.abs(floats(rng, *shape)) + np.float32(0.3)


@samples("LayerNorm", "C10LayerNorm_DontUseThisOpYet")
def _(rng):
    for name in ("LayerNorm", "C10LayerNorm_DontUseThisOpYet"):
        for axis in (0, 1, -1):
            x = floats(rng, 2, 3, 4)
            yield Sample(name, (x,), {"axis": axis})
            more = (floats(rng, *x.shape[axis:]), floats(rng, *x.shape[axis:]))
            yield Sample(name, (x, *more), {"axis": axis, "elementwise_affine": 1, "epsilon": 0.01})
        yield Sample(name, (floats(rng, 0, 3),))
        yield Sample(name, (floats(rng, 3, 0),))


@samples("LayerNormGradient")
def _(rng):
    x, gamma = floats(rng, 2, 3, 4), floats(rng, 3, 4)
    inputs = (floats(rng, *x.shape), x, floats(rng, 2, 1), positive(rng, 2, 1), x)
    yield Sample("LayerNormGradient", inputs, {}, 1)
    yield Sample("LayerNormGradient", (*inputs, gamma), {"elementwise_affine": 1}, 3)


@samples("RMSNorm")
def _(rng):
    for axis, shape in ((1, (3, 4)), (-1, (4,))):
        inputs = (floats(rng, 2, 3, 4), floats(rng, *shape), floats(rng, *shape))
        yield Sample("RMSNorm", inputs, {"axis": axis, "eps": 0.1})
    yield Sample("RMSNorm", (floats(rng, 0, 3), floats(rng, 3), floats(rng, 3)), {"eps": 0.1})


@samples("RMSNormGradient")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 3), positive(rng, 2)], {}
    yield [floats(rng, 0, 3), floats(rng, 0, 3), floats(rng, 3), positive(rng, 0)], {}


@samples("GroupNorm")
def _(rng):
    lost = {"gradient": "it needs the statistics"}
    for shape, order in ORDERS:
        inputs = (floats(rng, *shape), floats(rng, 6), floats(rng, 6))
        yield Sample("GroupNorm", inputs, {"group": 2, "order": order}, 3)
        yield Sample("GroupNorm", inputs, {"group": 3, "order": order}, 1, except_=lost)
    yield Sample("GroupNorm", (floats(rng, 0, 2, 3), floats(rng, 2), floats(rng, 2)), {"group": 1}, 3)


@samples("InstanceNorm")
def _(rng):
    for shape, order in ORDERS[:2]:
        inputs = (floats(rng, *shape), floats(rng, 6), floats(rng, 6))
        for outputs in (1, 2, 3):
            yield Sample("InstanceNorm", inputs, {"order": order, "epsilon": 0.1}, outputs)


@samples("GroupNormGradient")
def _(rng):
    for shape, order in ORDERS:
        x, moments = floats(rng, *shape), (floats(rng, 2, 2), positive(rng, 2, 2))
        inputs = (floats(rng, *shape), x, floats(rng, 6), floats(rng, 6), *moments)
        yield inputs, {"group": 2, "order": order}


@samples("InstanceNormGradient")
def _(rng):
    for shape, order in ORDERS:
        inputs = (floats(rng, *shape), floats(rng, 6), floats(rng, 6), floats(rng, *shape))
        yield inputs, {"order": order}
        yield (*inputs, floats(rng, 2, 6), positive(rng, 2, 6)), {"order": order}


@samples("ChannelStats", "BatchMoments")
def _(rng):
    for shape, order in ORDERS:
        yield [floats(rng, *shape)], {"order": order}


@samples("BatchMomentsGradient")
def _(rng):
    for shape, order in ORDERS:
        yield [floats(rng, 6), floats(rng, 6), floats(rng, *shape)], {"order": order}


@samples("ChannelBackpropStats")
def _(rng):
    yield [floats(rng, 2, 3, 4), floats(rng, 3), floats(rng, 3), floats(rng, 2, 3, 4)], {}


@samples("AffineChannel")
def _(rng):
    for shape, order in ORDERS:
        yield [floats(rng, *shape), floats(rng, 6), floats(rng, 6)], {"order": order}
    free = {"inplace": "a learnable one needs X afterwards"}
    inputs = (floats(rng, 2, 3, 2), floats(rng, 3), floats(rng, 3))
    yield Sample("AffineChannel", inputs, {"is_learnable": 1}, except_=free)


@samples("AffineChannelGradient")
def _(rng):
    for shape, order in ORDERS:
        yield Sample("AffineChannelGradient", (floats(rng, *shape), floats(rng, 6)), {"order": order}, 1)
        inputs = (floats(rng, *shape), floats(rng, *shape), floats(rng, 6))
        yield Sample("AffineChannelGradient", inputs, {"order": order, "is_learnable": 1}, 3)


@samples("NormalizePlanarYUV")
def _(rng):
    yield [floats(rng, 2, 3, 2, 2), floats(rng, 2, 3), positive(rng, 1, 3)], {}


@samples("Normalize", "NormalizeL1")
def _(rng):
    for axis in (-1, 0, 1):
        yield [floats(rng, 2, 3, 4)], {"axis": axis}
    yield [floats(rng, 0, 3)], {}


@samples("NormalizeGradient")
def _(rng):
    for axis in (-1, 0):
        yield [floats(rng, 2, 3), floats(rng, 2, 3)], {"axis": axis}


def test_vectors_of_zeros_stay_zero(run):
    x = np.array([[0, 0, 0], [1, -2, 3]], np.float32)
    for name in ("Normalize", "NormalizeL1"):
        y = run(name, x)
        assert not y[0].any() and y[1].any()


def test_rows_beyond_the_first_of_planar_statistics_are_ignored(run):
    x, m = np.ones((1, 2, 1, 1), np.float32), np.array([[1, 0], [9, 9]], np.float32)
    assert run("NormalizePlanarYUV", x, m, np.ones((1, 2), np.float32)).ravel().tolist() == [0, 1]


@pytest.mark.parametrize(
    "name, shapes, args",
    [
        ("GroupNorm", ((2, 6, 2), (6,), (6,)), {"group": 4}),
        ("GroupNorm", ((2, 6, 2), (5,), (6,)), {"group": 2}),
        ("LayerNorm", ((4,),), {}),
        ("LayerNorm", ((4, 2),), {"axis": 2}),
        ("LayerNorm", ((4, 2),), {"elementwise_affine": 1}),
        ("RMSNorm", ((4, 2), (3,), (3,)), {}),
        ("InstanceNorm", ((2, 3, 2), (3,), (3,)), {"epsilon": -1.0}),
        ("AffineChannel", ((2, 3), (3,), (2,)), {}),
        ("Normalize", ((2, 3),), {"axis": 2}),
    ],
)
def test_what_does_not_fit_is_refused(run, name, shapes, args):
    with pytest.raises(EnforceNotMet):
        run(name, *[np.ones(s, np.float32) for s in shapes], **args)

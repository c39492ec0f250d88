"""Resizing: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

SCALES = ((2.0, 2.0), (1.5, 0.7), (0.5, 3.0))
GIVEN = {law: "the sizes are in the data of scales" for law in ("shape", "compile")}


def resized(name, x, args, *more):
    sample = Sample(name, (x, *more), args)
    workspace = sample.workspace()
    workspace.run_operator_once(sample.definition())
    return workspace.fetch("o0")


def settings(rng, *orders):
    for order in orders:
        for h, w in SCALES:
            yield floats(rng, 2, 3, 4, 5), {"height_scale": h, "width_scale": w, **({"order": order} if order else {})}


@samples("ResizeNearest")
def _(rng):
    for x, args in settings(rng, "NCHW", "NHWC"):
        yield [x], args
    yield Sample("ResizeNearest", (floats(rng, 1, 2, 3, 3), np.array([2, 1.5], np.float32)), except_=GIVEN)
    yield [floats(rng, 0, 2, 3, 3)], {"width_scale": 2.0}
    yield [floats(rng, 1, 1, 2, 2)], {"width_scale": 2.0, "height_scale": 2.0}


@samples("UpsampleBilinear")
def _(rng):
    for x, args in settings(rng, ""):
        yield [x], args
    yield Sample("UpsampleBilinear", (floats(rng, 1, 2, 3, 3), np.array([2, 1.5], np.float32)), except_=GIVEN)
    yield [floats(rng, 1, 1, 2, 2)], {"width_scale": 2.0, "height_scale": 2.0}


@samples("ResizeNearestGradient", "UpsampleBilinearGradient")
def _(rng):
    for name, orders in (("ResizeNearest", ("NCHW", "NHWC")), ("UpsampleBilinear", ("",))):
        for x, args in settings(rng, *orders):
            yield Sample(f"{name}Gradient", (floats(rng, *resized(name, x, args).shape), x), args)
        x, scales = floats(rng, 1, 2, 3, 3), np.array([2, 1.5], np.float32)
        dy = floats(rng, *resized(name, x, {}, scales).shape)
        yield Sample(f"{name}Gradient", (dy, x, scales), except_=GIVEN)


@samples("ResizeNearest3D", "ResizeNearest3DGradient")
def _(rng):
    args = {"height_scale": 2.0, "width_scale": 2.0}
    for scale in (1.0, 2.0, 1.5):
        x = floats(rng, 2, 2, 2, 3, 2)
        yield Sample("ResizeNearest3D", (x,), args | {"temporal_scale": scale})
        y = resized("ResizeNearest3D", x, args | {"temporal_scale": scale})
        yield Sample("ResizeNearest3DGradient", (floats(rng, *y.shape), x), args | {"temporal_scale": scale})


@samples("UpsampleNearest", "UpsampleNearestGradient")
def _(rng):
    yield Sample("UpsampleNearest", (floats(rng, 2, 1, 2, 3),), {"scale": 3})
    yield Sample("UpsampleNearestGradient", (floats(rng, 2, 1, 2, 3), floats(rng, 2, 1, 4, 6)))
    yield Sample("UpsampleNearest", (floats(rng, 1, 1, 2, 2),))
    yield Sample("UpsampleNearestGradient", (floats(rng, 1, 1, 2, 2), floats(rng, 1, 1, 4, 4)))


def test_sizes_are_scaled_in_single_precision(run):
    assert run("ResizeNearest", np.zeros((1, 1, 10, 10), np.float32), height_scale=0.7).shape == (1, 1, 7, 10)


def test_corners_of_a_bilinear_image_stay(run):
    x = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    y = run("UpsampleBilinear", x, height_scale=2.0, width_scale=2.0)[0, 0]
    assert np.array_equal(y[[0, 0, -1, -1], [0, -1, 0, -1]], [0, 3, 8, 11])


@pytest.mark.parametrize("name", ["ResizeNearest", "UpsampleBilinear"])
def test_what_is_no_scale_is_refused(run, name):
    x = np.zeros((1, 1, 2, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="positive"):
        run(name, x, width_scale=0.0)
    with pytest.raises(EnforceNotMet, match="two numbers"):
        run(name, x, np.ones(3, np.float32))


def test_a_gradient_of_another_size_is_refused(run):
    x = np.zeros((1, 1, 2, 2), np.float32)
    with pytest.raises(EnforceNotMet):
        run("UpsampleNearestGradient", x, x)
    with pytest.raises(EnforceNotMet):
        run("ResizeNearestGradient", x[0], x)

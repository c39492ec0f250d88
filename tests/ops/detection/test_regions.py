"""Regions of interest and keypoints: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from tests.sample import Sample, floats, samples

UPRIGHT = np.array([[0, 1.2, 0.7, 4.1, 3.9], [1, -2, 2.2, 3.3, 9.4], [0, 20, 20, 22, 22]], np.float32)
ROTATED = np.array([[0, 3.1, 2.7, 4.1, 2.9, 30], [1, 1, 1, 2.2, 6.3, -75]], np.float32)
SETTINGS = ({"sampling_ratio": 2}, {"aligned": 1}, {"spatial_scale": 0.5, "sampling_ratio": 1})
GRID = {law: "the count of samples is in the data of RoIs" for law in ("compile",)}


@samples("RoIAlign", "RoIAlignRotated")
def _(rng):
    for name, rois in (("RoIAlign", UPRIGHT), ("RoIAlignRotated", ROTATED)):
        for more in SETTINGS:
            args = {"pooled_h": 2, "pooled_w": 3, **more}
            free = {} if "sampling_ratio" in more else GRID
            yield Sample(name, (floats(rng, 2, 3, 5, 6), rois), args, differentiate=(0,), except_=free)
        only = {"gradient": "it has one in the order NCHW alone"}
        yield Sample(name, (floats(rng, 2, 5, 6, 3), rois), args | {"order": "NHWC"}, except_=only)
        yield Sample(name, (floats(rng, 1, 2, 5, 6), rois[:0, 1:]), args)
    small = {"pooled_h": 2, "pooled_w": 2, "sampling_ratio": 1}
    for name, region in (("RoIAlign", [0, 0, 3, 3]), ("RoIAlignRotated", [2, 2, 3, 3, 30])):
        yield Sample(name, (floats(rng, 1, 1, 4, 4), np.array([region], np.float32)), small, differentiate=(0,))


@samples("RoIAlignGradient", "RoIAlignRotatedGradient")
def _(rng):
    for name, rois in (("RoIAlign", UPRIGHT), ("RoIAlignRotated", ROTATED)):
        for more in SETTINGS:
            free = {} if "sampling_ratio" in more else GRID
            inputs = (floats(rng, 2, 3, 5, 6), rois, floats(rng, len(rois), 3, 2, 3))
            yield Sample(f"{name}Gradient", inputs, {"pooled_h": 2, "pooled_w": 3, **more}, except_=free)


@samples("HeatmapMaxKeypoint")
def _(rng):
    boxes = np.array([[0, 0, 10, 20], [5, 5, 5, 9]], np.float32)
    for softmax in (0, 1):
        yield [floats(rng, 2, 3, 5, 5), boxes], {"should_output_softmax": softmax}
    yield [floats(rng, 0, 3, 5, 5), boxes[:0]], {}


@samples("RMACRegions")
def _(rng):
    yield [floats(rng, 2, 1, 7, 9)], {}
    yield [floats(rng, 1, 1, 6, 6)], {"scales": 2, "overlap": 0.3}
    yield [floats(rng, 0, 1, 6, 6)], {}


def test_a_plane_is_sampled_exactly(run):
    y, x = np.mgrid[:6, :6].astype(np.float32)
    got = run("RoIAlign", (3 * y + x)[None, None], UPRIGHT[:1], pooled_h=1, pooled_w=1, sampling_ratio=4, aligned=1)
    _, x1, y1, x2, y2 = UPRIGHT[0]
    assert got.item() == pytest.approx(3 * ((y1 + y2) / 2 - 0.5) + (x1 + x2) / 2 - 0.5, rel=1e-5)


def test_a_region_turned_by_a_right_angle_is_the_upright_one_turned(run):
    x = np.random.default_rng(4).random((1, 1, 8, 8), np.float32)
    args = {"pooled_h": 2, "pooled_w": 2, "sampling_ratio": 2}
    flat = run("RoIAlign", x, np.array([[2, 2, 6, 6]], np.float32), **args)[0, 0]
    turned = run("RoIAlignRotated", x, np.array([[4, 4, 4, 4, 90]], np.float32), **args)[0, 0]
    np.testing.assert_allclose(turned, np.rot90(flat, -1), rtol=1e-4)


def test_channels_last_has_no_gradient():
    op = Sample("RoIAlign", (UPRIGHT, UPRIGHT), {"order": "NHWC"}).definition()
    with pytest.raises(NoGradient):
        gradient_ops(op, ["o0_grad"])


@pytest.mark.parametrize("roi, match", [([2, 0, 0, 1, 1], "first column"), ([0, 4, 4, 1, 1], "negative side")])
def test_regions_that_cannot_be_are_refused(run, roi, match):
    with pytest.raises(EnforceNotMet, match=match):
        run("RoIAlign", np.ones((2, 1, 4, 4), np.float32), np.array([roi], np.float32), aligned=1)


def test_the_maximum_of_a_parabola_is_found_between_pixels(run):
    y, x = np.mgrid[:7, :7].astype(np.float32)
    heat = 5 - (x - 3.3) ** 2 - 2 * (y - 2.6) ** 2
    got = run("HeatmapMaxKeypoint", heat[None, None], np.array([[10, 20, 17, 34]], np.float32))[0, :, 0]
    assert got.tolist() == pytest.approx([10 + 3.8, 20 + 3.1 * 2, 5, 0], rel=1e-4)


def test_heat_maps_are_square(run):
    with pytest.raises(EnforceNotMet, match="square"):
        run("HeatmapMaxKeypoint", np.ones((1, 1, 3, 4), np.float32), np.ones((1, 4), np.float32))


def test_regions_of_an_image_of_any_type(run):
    x = np.zeros((1, 2, 10, 8), np.uint8)
    np.testing.assert_array_equal(run("RMACRegions", x), run("RMACRegions", x.astype(np.float32)))


def test_regions_of_images_without_channels(run):
    x, rois = np.zeros((1, 0, 5, 5), np.float32), np.array([[0, 0, 0, 2, 2]], np.float32)
    assert run("RoIAlign", x, rois, pooled_h=2, pooled_w=2).shape == (1, 0, 2, 2)


@pytest.mark.parametrize("rois", [0, 1])
def test_regions_of_images_without_channels_keep_the_order(run, rois):
    boxes = np.zeros((rois, 5), np.float32)
    y = run("RoIAlign", np.zeros((1, 6, 6, 0), np.float32), boxes, order="NHWC", pooled_h=2, pooled_w=3)
    assert y.shape == (rois, 2, 3, 0)

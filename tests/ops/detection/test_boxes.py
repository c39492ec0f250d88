"""Boxes, their suppression and proposals: samples, and what is particular."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.detection.suppress import greedy, overlaps
from tests.sample import Sample, floats, samples

IMAGES = np.array([[50, 60, 1.0], [40, 30, 0.5]], np.float32)


def upright(rng, count, size=40):
    corner, side = rng.random((count, 2)) * size, rng.random((count, 2)) * size / 2 + 1
    return np.concatenate([corner, corner + side], 1).astype(np.float32)


def rotated(rng, count, size=40):
    parts = rng.random((count, 2)) * size, rng.random((count, 2)) * size / 2 + 1, rng.random((count, 1)) * 360 - 180
    return np.concatenate(parts, 1).astype(np.float32)


@samples("BBoxTransform")
def _(rng):
    image = np.array([[0], [0], [1]], np.float32)
    for boxes, wide in ((upright(rng, 3), 4), (rotated(rng, 3), 5)):
        args = {"rotated": int(wide == 5), "weights": [10.0, 10.0, 5.0, 5.0]}
        yield [np.concatenate([image, boxes], 1), floats(rng, 3, 2 * wide), IMAGES], args
        yield [boxes, floats(rng, 3, wide), IMAGES[1:]], args | {"apply_scale": 0, "legacy_plus_one": 0}
    yield [upright(rng, 0), floats(rng, 0, 8), IMAGES[:1]], {}


@samples("GenerateProposals", "GenerateProposalsCPP")
def _(rng):
    for name in ("GenerateProposals", "GenerateProposalsCPP"):
        for anchors in (upright(rng, 3, 20) - 15, rotated(rng, 3, 20)):
            scores = rng.permutation(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).astype(np.float32)
            deltas = floats(rng, 2, anchors.size, 4, 4) * np.float32(0.2)
            args = {"spatial_scale": 0.125, "min_size": 2.0, "pre_nms_topN": 30, "post_nms_topN": 5}
            yield Sample(name, (scores, deltas, IMAGES, anchors), args)


@samples("BoxWithNMSLimit")
def _(rng):
    scores = (rng.permutation(36).reshape(12, 3) / 36).astype(np.float32)
    for boxes, wide in ((upright, 4), (rotated, 5)):
        many = np.concatenate([boxes(rng, 12, 15) for _ in range(3)], 1)
        args = {"rotated": int(wide == 5)}
        yield Sample(
            "BoxWithNMSLimit", (scores, many, np.array([5, 7], np.float32)), args | {"detections_per_im": 6}, 6
        )
        yield Sample("BoxWithNMSLimit", (scores, many), args | {"soft_nms_enabled": 1}, 3)
        yield Sample("BoxWithNMSLimit", (scores, many[:, :wide]), args | {"cls_agnostic_bbox_reg": 1}, 4)


def levels(rng, count):
    rois = [np.concatenate([np.zeros((6, 1)), upright(rng, 6, 900)], 1).astype(np.float32) for _ in range(count)]
    return *rois, *rng.permutation(6 * count).reshape(count, 6).astype(np.float32)


@samples("CollectRpnProposals", "DistributeFpnProposals", "CollectAndDistributeFpnRpnProposals")
def _(rng):
    rpn = {"rpn_min_level": 2, "rpn_max_level": 3, "rpn_post_nms_topN": 8}
    roi = {"roi_min_level": 2, "roi_max_level": 4}
    yield Sample("CollectRpnProposals", levels(rng, 2), rpn)
    yield Sample("DistributeFpnProposals", levels(rng, 1)[:1], roi, 4)
    yield Sample("CollectAndDistributeFpnRpnProposals", levels(rng, 2), rpn | roi, 5)


def test_overlaps_of_turned_boxes():
    box = torch.tensor([[0.0, 0, 4, 2, 0], [0, 0, 4, 2, 90], [0, 0, 2, 2, 45], [1, 0, 4, 2, 180], [9, 9, 1, 1, 30]])
    got = overlaps(box[:1], box)[0]
    octagon = 8 * (math.sqrt(2) - 1)  # two squares of side 2, one turned by 45 degrees; here cut by sides 2 apart only
    square = 4 - 2 * (math.sqrt(2) - 1) ** 2
    assert got[0] == pytest.approx(1) and got[4] == 0 and octagon < square < 4
    assert got[1].item() == pytest.approx(4 / 12) and got[3].item() == pytest.approx(6 / 10)
    assert got[2].item() == pytest.approx(square / (12 - square), rel=1e-5)


def test_suppression_crosses_the_borders_of_blocks(monkeypatch):
    rng = np.random.default_rng(3)
    boxes = torch.from_numpy(upright(rng, 60, 20))
    whole = greedy(boxes, 0.3)
    monkeypatch.setattr("caffe2.ops.detection.suppress.BLOCK", {4: 7})
    assert torch.equal(greedy(boxes, 0.3), whole)
    assert torch.equal(greedy(boxes, 0.3, 4), whole[:4])


def test_a_detection_is_kept_once_a_class(run):
    scores = np.array([[0.1, 0.6, 0.3], [0.2, 0.5, 0.3]], np.float32)
    boxes = np.array([[0] * 4 + [0, 0, 10, 10] * 2, [0] * 4 + [1, 0, 11, 10] * 2], np.float32)
    value, _, of, splits, keeps, sizes = run("BoxWithNMSLimit", scores, boxes, outputs=6)
    assert value.tolist() == pytest.approx([0.6, 0.3]) and of.tolist() == [1, 2]
    assert splits.tolist() == [2] and keeps.tolist() == [0, 0] and sizes.tolist() == [[0, 1, 1]]


def test_regions_return_in_order_from_their_levels(run):
    rois = levels(np.random.default_rng(5), 1)[0]
    *found, restore = run("DistributeFpnProposals", rois, roi_min_level=2, roi_max_level=4, outputs=4)
    assert np.array_equal(np.concatenate(found)[restore], rois)


@pytest.mark.parametrize(
    "name, shapes, args",
    [
        ("BBoxTransform", ((2, 4), (3, 4), (1, 3)), {}),
        ("BBoxTransform", ((2, 4), (2, 4), (2, 3)), {}),
        ("BBoxTransform", ((2, 6), (2, 5), (1, 3)), {"rotated": 1, "angle_bound_hi": 0}),
        ("GenerateProposals", ((1, 2, 3, 3), (1, 9, 3, 3), (1, 3), (2, 4)), {}),
        ("BoxWithNMSLimit", ((2, 3), (2, 11)), {}),
        ("BoxWithNMSLimit", ((2, 3), (2, 12)), {"soft_nms_enabled": 1, "soft_nms_method": "hard"}),
        ("CollectRpnProposals", ((2, 5), (2,)), {"rpn_min_level": 2, "rpn_max_level": 3}),
    ],
)
def test_what_does_not_fit_is_refused(run, name, shapes, args):
    with pytest.raises(EnforceNotMet):
        run(name, *[np.ones(s, np.float32) for s in shapes], **args)


def test_a_region_of_an_image_that_is_not_there_is_refused(run):
    with pytest.raises(EnforceNotMet, match="first column"):
        run("BBoxTransform", np.full((1, 5), 7, np.float32), np.ones((1, 4), np.float32), IMAGES)

"""The operators of detectors: samples for the laws, and small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.caffe.boxes import detection_output, prior_box, proposal, psroi_pool, suppressed
from tests.sample import Sample, floats, samples

ANCHORS = (-8.0, -8.0, 23.0, 23.0, -4.0, -12.0, 19.0, 27.0)
CHOICE = {"compile": "the values say how many boxes stay"}


def priors(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.uniform(0, 0.6, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.1, 0.4, (count, 2))], 1).reshape(-1)
    return np.stack([boxes, np.full(4 * count, 0.1)])[None].astype(np.float32)


@samples("CaffePriorBox")
def _(rng):
    x, image = floats(rng, 1, 4, 2, 3), floats(rng, 1, 3, 20, 30)
    yield [x, image], {"widths": (10.0, 14.0), "heights": (10.0, 7.0)}
    given = {"size": (40.0, 50.0), "step": (8.0, 8.0), "clip": 1, "variance": (0.1, 0.1, 0.2, 0.2)}
    yield [x, image], {"widths": (10.0,), "heights": (20.0,), **given}


@samples("CaffeDetectionOutput")
def _(rng):
    boxes, scores = priors(rng, 6), rng.random((2, 18), dtype=np.float32)
    for code in ("CORNER", "CENTER_SIZE", "CORNER_SIZE"):
        args = {"num_classes": 3, "code_type": code, "keep_top_k": 4}
        yield Sample("CaffeDetectionOutput", (floats(rng, 2, 24), scores, boxes), args, except_=CHOICE)
    args = {"num_classes": 3, "share_location": 0, "top_k": 3, "confidence_threshold": 0.2, "eta": 0.9}
    yield Sample("CaffeDetectionOutput", (floats(rng, 2, 72), scores, boxes), args, except_=CHOICE)
    args = {"num_classes": 3, "confidence_threshold": 2.0}
    yield Sample("CaffeDetectionOutput", (floats(rng, 2, 24), scores, boxes), args, except_=CHOICE)


@samples("CaffeProposal")
def _(rng):
    scores, moves = rng.random((1, 4, 3, 4), dtype=np.float32), floats(rng, 1, 8, 3, 4) * np.float32(0.1)
    info = np.array([[64, 80, 1]], np.float32)
    args = {"anchors": ANCHORS, "post_nms_topn": 5, "min_size": 2.0}
    yield Sample("CaffeProposal", (scores, moves, info), args, except_=CHOICE)


@samples("CaffePSROIPool")
def _(rng):
    rois = np.array([[0, 0, 0, 7, 9], [1, 4, 4, 11, 11], [0, 90, 90, 99, 99]], np.float32)
    yield [floats(rng, 2, 8, 6, 6), rois], {"output_dim": 2, "group_size": 2, "spatial_scale": 0.5}


def test_the_limit_of_overlap_falls_with_eta():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 5.5]])
    assert suppressed(boxes, 0.6) == [0, 1, 2] and suppressed(boxes, 0.6, eta=0.5) == [0, 1]
    assert suppressed(boxes, 0.6, most=1) == [0]


def test_prior_boxes_lie_around_places():
    boxes = prior_box(torch.zeros(1, 1, 1, 2), torch.zeros(1, 3, 10, 20), widths=(4.0,), heights=(2.0,))
    assert torch.allclose(boxes[0, 0], torch.tensor([0.15, 0.4, 0.35, 0.6, 0.65, 0.4, 0.85, 0.6]))
    assert (boxes[0, 1] == 0.1).all()


def test_an_image_without_detections_gives_a_row_of_minus_one():
    found = detection_output(
        torch.zeros(2, 4), torch.zeros(2, 2), torch.zeros(1, 2, 4), num_classes=2, confidence_threshold=1.0
    )
    assert found.tolist() == [[[[0.0, *[-1.0] * 6], [1.0, *[-1.0] * 6]]]]


def test_anchors_of_another_number_are_refused():
    with pytest.raises(EnforceNotMet, match="2 anchors"):
        proposal(torch.zeros(1, 2, 1, 1), torch.zeros(1, 8, 1, 1), torch.ones(3), anchors=ANCHORS)


def test_every_bin_has_channels_of_its_own():
    x = torch.arange(4.0).reshape(1, 4, 1, 1).expand(1, 4, 4, 4)
    y = psroi_pool(x, torch.tensor([[0.0, 0, 0, 3, 3]]), output_dim=1, group_size=2)
    assert y.tolist() == [[[[0.0, 1.0], [2.0, 3.0]]]]

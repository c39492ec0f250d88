"""Detectron's proposals, regions and detections."""

from __future__ import annotations

import numpy as np
from works import WORKS, images, single, with_gradient, work


def pixel_boxes(w, count, height, width, least=16, most=400):
    """Boxes x1 y1 x2 y2 within an image."""
    size = w.rng.uniform(least, most, (count, 2))
    start = w.rng.rand(count, 2) * (np.array([width, height]) - np.minimum(size, [width - 1, height - 1]))
    return np.concatenate([start, np.minimum(start + size, [width - 1, height - 1])], 1).astype(np.float32)


def anchors():
    """Fifteen anchors of five sizes and three shapes around a pixel."""
    side = np.array([32, 64, 128, 256, 512])[:, None]
    wide, high = ((side * np.sqrt(r)).ravel() / 2 for r in (np.array([0.5, 1, 2]), np.array([2, 1, 0.5])))
    return np.stack([-wide, -high, wide, high], 1).astype(np.float32)


def proposals(w, pre):
    w.feed(
        S=w.rng.rand(1, 15, 50, 84).astype(np.float32),
        D=w.floats(1, 60, 50, 84) * 0.2,
        M=np.array([[800, 1333, 1.6]], np.float32),
        A=anchors(),
    )
    w.add("GenerateProposals", "S D M A", "rois probs", spatial_scale=1 / 16, pre_nms_topN=pre, post_nms_topN=1000,
          nms_thresh=0.7, min_size=0.0)  # fmt: skip


WORKS["GenerateProposals"] = lambda w: proposals(w, 6000)
WORKS["GenerateProposals-12000"] = lambda w: proposals(w, 12000)


def regions(w):
    """The scores of 1000 regions in 81 classes, a few of them high, and their boxes of all classes."""
    logits = w.floats(1000, 81)
    logits[np.arange(1000), w.rng.randint(0, 81, 1000)] += 6
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    boxes = np.tile(pixel_boxes(w, 1000, 800, 1333), (1, 81)) + w.floats(1000, 324) * 4
    w.feed(S=scores.astype(np.float32), B=boxes.astype(np.float32))


@work("BoxWithNMSLimit")
def _(w):
    regions(w)
    w.add("BoxWithNMSLimit", "S B", "s b c", score_thresh=0.05, nms=0.5, detections_per_im=100)


@work("BoxWithNMSLimit-soft")
def _(w):
    regions(w)
    w.add("BoxWithNMSLimit", "S B", "s b c", score_thresh=0.05, nms=0.5, detections_per_im=100, soft_nms_enabled=1)


@work("BBoxTransform")
def _(w):
    roi = np.concatenate([np.zeros((1000, 1), np.float32), pixel_boxes(w, 1000, 800, 1333)], 1)
    w.feed(R=roi, D=w.floats(1000, 324) * 0.2, M=np.array([[800, 1333, 1.6]], np.float32))
    w.add("BBoxTransform", "R D M", "Y", weights=[10.0, 10.0, 5.0, 5.0])


def rois(w):
    """A feature map at a sixteenth of 800 by 1344 pixels, and 512 regions of it."""
    return images(w, 1, 256, 50, 84), np.insert(pixel_boxes(w, 512, 800, 1333), 0, 0, axis=1)


with_gradient(
    "RoIAlign", "RoIAlign", rois, "Y", "RoIAlignGradient", "X0 X1 dY", "dX",
    spatial_scale=1 / 16, pooled_h=7, pooled_w=7, sampling_ratio=2,
)  # fmt: skip
single("RoIAlign-adaptive", "RoIAlign", rois, spatial_scale=1 / 16, pooled_h=7, pooled_w=7, sampling_ratio=0)
single("RoIPool", "RoIPool", rois, spatial_scale=1 / 16, pooled_h=7, pooled_w=7, is_test=1)

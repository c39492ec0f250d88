"""What detectors begin with: prior boxes and anchors, from the sizes and ratios that made them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.native import Args, given
from caffe2.bridge.caffe.export.site import Refusal, Site
from caffe2.bridge.caffe.reference.regions import anchors


@exports("CaffePriorBox")
def _(s: Site, e: Draft) -> None:
    """The sizes and ratios that give the widths and heights, in Caffe's order: s, sqrt(s S), then the ratios."""
    a = s.args
    param = {**_boxes(list(zip(a["widths"], a["heights"]))), **given(a, "variance", "offset", "clip"), "flip": False}
    if a["size"]:
        param |= {"img_h": round(a["size"][0]), "img_w": round(a["size"][1])}
    if a["step"]:
        param |= {"step_h": a["step"][0], "step_w": a["step"][1]}
    e.layer("PriorBox", s.inputs, s.y, fork={"prior_box_param": param})


def _boxes(boxes: list[tuple[float, float]]) -> Args:
    """min_size, max_size and aspect_ratio of boxes. Raises Refusal where there are none."""
    squares = [k for k, (w, h) in enumerate(boxes) if abs(w - h) < 1e-4 * w]
    for paired in (True, False):
        starts = squares[::2] if paired else squares
        if not starts or starts[0] != 0 or len(boxes) % len(starts):
            continue
        each = len(boxes) // len(starts)
        first = boxes[1 + paired : each]
        ratios = [w / h for w, h in first]
        low = [boxes[k][0] for k in starts]
        high = [round(boxes[k + 1][0] ** 2 / boxes[k][0]) for k in starts] if paired and each > 1 else []
        made = {"min_size": low, "max_size": high, "aspect_ratio": ratios}
        if np.allclose(_made(low, high, ratios), boxes, rtol=1e-4):
            return made
    raise Refusal("its boxes are none that sizes and ratios give", argument="widths")


def _made(low: list[float], high: list[float], ratios: list[float]) -> np.ndarray:
    boxes = []
    for k, size in enumerate(low):
        mean = (size * high[k]) ** 0.5 if high else size
        boxes += [(size, size), *([(mean, mean)] if high else []), *((size * r**0.5, size / r**0.5) for r in ratios)]
    return np.array(boxes) if boxes else np.zeros((0, 2))


@exports("CaffeProposal")
def _(s: Site, e: Draft) -> None:
    a = s.args
    names = ("feat_stride", "min_size", "pre_nms_topn", "post_nms_topn")
    param = {**given(a, *names, nms_thresh="nms_threshold"), **_anchors(np.reshape(a["anchors"], (-1, 4)))}
    e.layer("Proposal", s.inputs, s.outputs, fork={"proposal_param": param})


SIMPLE = sorted({p / q for p, q in product(range(1, 11), repeat=2)}, key=lambda r: abs(np.log(r)))
"""Ratios that anchors have, plain ones first."""


def _anchors(boxes: np.ndarray) -> dict[str, Any]:
    """base_size, ratio and scale of anchors, ratio by ratio. Raises Refusal where there are none."""
    base = float(boxes[0, 0] + boxes[0, 2] + 1)
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    for count in (n for n in range(1, len(boxes) + 1) if len(boxes) % n == 0):
        groups = np.split(boxes, len(boxes) // count)
        for first in SIMPLE:
            scales = tuple(float(w) for w in sizes[:count, 0] / (anchors(base, (first,), (1.0,))[0, 2] * 2 + 2 - base))
            if not _fit(base, first, scales, groups[0]):
                continue
            ratios = [next((r for r in SIMPLE if _fit(base, r, scales, group)), None) for group in groups]
            if None not in ratios:
                return {"base_size": base, "ratio": ratios, "scale": list(scales)}
    raise Refusal("its anchors are none that ratios and scales give", argument="anchors")


def _fit(base: float, ratio: float, scales: tuple[float, ...], boxes: np.ndarray) -> bool:
    """Whether boxes are the anchors of one ratio and these scales."""
    return bool((np.abs(anchors(base, (ratio,), scales) - boxes) < 1e-3).all())

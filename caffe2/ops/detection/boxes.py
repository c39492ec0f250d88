"""Boxes: transforming them by regressed deltas, clipping them to images, and the operator that does both.

An upright box is (x1, y1, x2, y2); a rotated one (centre x, centre y, width, height, counter-clockwise degrees).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, op
from caffe2.ops import demand

LARGEST_LOG = math.log(1000 / 16)
"""The most that a delta may enlarge a side, as a logarithm."""


@dataclass(frozen=True)
class Boxes:
    """How boxes are to be read and bounded.

    plus: 1 where an upright box includes its last pixel, so that it is x2 - x1 + 1 wide; else 0.
    bounds: the interval that turned angles are brought back to, or None.
    upright: rotated boxes at most so many degrees from upright are clipped.
    """

    plus: int = 1
    bounds: tuple[int, int] | None = (-90, 90)
    upright: float = 1.0

    def transformed(self, boxes: Tensor, deltas: Tensor, weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)) -> Tensor:
        """Boxes, in the last axis, moved by deltas: centres by dx and dy sides, sides by the factors e^dw and e^dh.

        Rotated ones turn by the radians of a fifth delta. Girshick and others, R-CNN, 2014, appendix C.
        """
        scale = deltas.new_tensor(weights)
        move, grow = deltas[..., :2] / scale[:2], (deltas[..., 2:4] / scale[2:]).clamp(max=LARGEST_LOG).exp()
        if boxes.shape[-1] == 5:
            angle = deltas[..., 4] * (180 / math.pi) + boxes[..., 4]
            centre, side = move * boxes[..., 2:4] + boxes[..., :2], grow * boxes[..., 2:4]
            return torch.cat([centre, side, self._bounded(angle)[..., None]], -1)
        side = boxes[..., 2:] - boxes[..., :2] + self.plus
        centre = move * side + boxes[..., :2] + 0.5 * side
        half = 0.5 * grow * side
        return torch.cat([centre - half, centre + half - self.plus], -1)

    def clipped(self, boxes: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """Boxes cut off at the borders of images; rotated ones that are not nearly upright are left alone."""
        limit = torch.stack([width, height], -1) - self.plus
        if boxes.shape[-1] == 4:
            low = torch.zeros_like(limit)
            return torch.cat([b.minimum(limit).maximum(low) for b in (boxes[..., :2], boxes[..., 2:])], -1)
        half = (boxes[..., 2:4] - self.plus) / 2
        corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)
        cut = self.clipped(corners, height, width)
        centre, side = (cut[..., :2] + cut[..., 2:]) / 2, cut[..., 2:] - cut[..., :2] + self.plus
        flat = boxes[..., 4:].abs() <= self.upright
        return torch.where(flat, torch.cat([centre, side, boxes[..., 4:]], -1), boxes)

    def large(self, boxes: Tensor, least: float, height: float, width: float) -> Tensor:
        """Which boxes have both sides at least so long and their centre left of and above an image's far corner."""
        if boxes.shape[-1] == 5:
            centre, side = boxes[..., :2], boxes[..., 2:4]
        else:
            side = boxes[..., 2:] - boxes[..., :2] + self.plus
            centre = boxes[..., :2] + side / 2
        inside = (centre[..., 0] < width) & (centre[..., 1] < height)
        return (side >= least).all(-1) & inside

    def _bounded(self, angle: Tensor) -> Tensor:
        if self.bounds is None:
            return angle
        low, high = self.bounds
        period = high - low
        return torch.where(angle < low, angle + period, torch.where(angle > high, angle - period, angle))


class Bounding(Op):
    """Base of operators that transform boxes.

    angle_bound_on, angle_bound_lo, angle_bound_hi: whether and to what interval turned angles are brought back; its
        length is a multiple of 180.
    clip_angle_thresh: rotated boxes at most so many degrees from upright are clipped.
    legacy_plus_one: upright boxes include their last pixel.
    """

    angle_bound_on: bool = True
    angle_bound_lo: int = -90
    angle_bound_hi: int = 90
    clip_angle_thresh: float = 1.0
    legacy_plus_one: bool = True

    def bind(self, site: object) -> None:
        period = self.angle_bound_hi - self.angle_bound_lo
        if self.angle_bound_on and (period <= 0 or period % 180):
            raise EnforceNotMet(f"the bounds of angles are {period} degrees apart; it must be a multiple of 180")
        bounds = (self.angle_bound_lo, self.angle_bound_hi) if self.angle_bound_on else None
        self.boxes = Boxes(int(self.legacy_plus_one), bounds, self.clip_angle_thresh)


@op("BBoxTransform: rois deltas im_info -> box_out roi_batch_splits?", types="rois deltas im_info: float")
class BBoxTransform(Bounding):
    """Regions moved by regressed deltas and clipped to their image.

    For a box with center (x, y), width w and height h and the deltas (dx, dy, dw, dh), each divided by its weight: the
    new center is (x + dx * w, y + dy * h), the new size (w * exp(dw), h * exp(dh)), with dw and dh at most log(1000 /
    16).

    rois: (R, 4): boxes (x1, y1, x2, y2), or (R, 5) with the index of the image first, in pixels of the scaled image;
        rotated ones (x, y, w, h, degrees) have one column more.
    deltas: (R, K * 4) for K classes; rotated ones (R, K * 5), the turn in radians last.
    im_info: (N, 3): height, width and scale of each image.
    box_out: of the shape of deltas: the boxes, in pixels of the image before it was scaled.
    roi_batch_splits: (N), float32: how many regions each image has.
    weights: four numbers by which deltas are divided.
    rotated: boxes are rotated.
    apply_scale: box_out is in pixels of the scaled image.
    """

    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    apply_scale: bool = True
    rotated: bool = False

    def bind(self, site: object) -> None:
        super().bind(site)
        if len(self.weights) != 4:
            raise EnforceNotMet(f"weights has four numbers, not {len(self.weights)}")

    def __call__(self, rois: Tensor, deltas: Tensor, im_info: Tensor) -> tuple[Tensor, Tensor]:
        wide = 5 if self.rotated else 4
        image = self._images(rois, deltas, im_info, wide)
        height, width, scale = im_info[image].unbind(1)
        scaled = torch.ones(wide, dtype=torch.bool, device=rois.device)
        scaled[4:] = False  # angles are not
        factor = torch.where(scaled, scale[:, None], 1)
        boxes = rois[:, -wide:] / factor
        moved = self.boxes.transformed(
            boxes[:, None], deltas.view(len(rois), deltas.shape[1] // wide, wide), self.weights
        )
        whole = ((side / scale + 0.5).floor()[:, None].expand(moved.shape[:2]) for side in (height, width))
        cut = self.boxes.clipped(moved, *whole)
        if self.apply_scale:
            cut = cut * factor[:, None]
        counts = torch.zeros(len(im_info), device=rois.device)
        return cut.reshape(deltas.shape), counts.index_add_(0, image, torch.ones_like(scale))

    def _images(self, rois: Tensor, deltas: Tensor, im_info: Tensor, wide: int) -> Tensor:
        """The image of each region. Raises EnforceNotMet where the inputs do not go together."""
        for name, x in (("rois", rois), ("deltas", deltas), ("im_info", im_info)):
            demand.rank(x, 2, name)
        demand.same_rows(rois, deltas, "rois and deltas")
        if rois.shape[1] not in (wide, wide + 1) or deltas.shape[1] % wide or im_info.shape[1] != 3:
            shapes = [tuple(x.shape) for x in (rois, deltas, im_info)]
            raise EnforceNotMet(f"rois, deltas and im_info have {wide} columns or one more, K * {wide} and 3: {shapes}")
        if rois.shape[1] == wide:
            if len(im_info) != 1:
                raise EnforceNotMet(f"{len(im_info)} images need rois that begin with the index of theirs")
            return torch.zeros(len(rois), dtype=torch.long, device=rois.device)
        image = rois[:, 0].long()
        demand.in_range(image, len(im_info), "the first column of rois")
        return image.clamp(0, max(len(im_info) - 1, 0))

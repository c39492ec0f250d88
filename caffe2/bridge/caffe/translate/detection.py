"""Layers of detectors: SSD's prior boxes and detections, region proposals and poolings."""

from __future__ import annotations

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.ops.caffe.boxes import CODES


@translates("PriorBox")
def _(layer: Layer, b: Builder) -> None:
    """Sizes that the layer does not give stay free, so that they follow those of the image."""
    p, known = layer.param, layer.reference
    widths, heights = (tuple(map(float, side)) for side in known.boxes.T)
    sized, stepped = (any(p.HasField(n) for n in names) for names in (("img_size", "img_h"), ("step", "step_h")))
    b.op(
        "CaffePriorBox",
        layer.bottoms,
        layer.tops,
        widths=widths,
        heights=heights,
        variance=tuple(p.variance) or (0.1,),
        offset=p.offset,
        clip=int(p.clip) or None,
        size=tuple(map(float, known.image)) if sized else None,
        step=tuple(map(float, known.step)) if stepped else None,
    )


@translates("DetectionOutput")
def _(layer: Layer, b: Builder) -> None:
    p, nms = layer.param, layer.param.nms_param
    b.op(
        "CaffeDetectionOutput",
        layer.bottoms,
        layer.tops,
        num_classes=p.num_classes,
        share_location=int(p.share_location),
        background_label_id=p.background_label_id,
        code_type=CODES[p.code_type - 1],
        variance_encoded_in_target=int(p.variance_encoded_in_target) or None,
        nms_threshold=nms.nms_threshold,
        top_k=nms.top_k if nms.HasField("top_k") else None,
        eta=nms.eta if nms.eta != 1 else None,
        keep_top_k=p.keep_top_k,
        confidence_threshold=p.confidence_threshold if p.HasField("confidence_threshold") else None,
    )


@translates("MultiBoxLoss")
def _(layer: Layer, b: Builder) -> None:
    raise layer.error("the training loss of SSD is read but not translated; leave the layer out to deploy the net")


@translates("Proposal")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    both = p.HasField("nms_thresh") or not p.HasField("iou_threshold")
    b.op(
        "CaffeProposal",
        layer.bottoms,
        layer.tops,
        anchors=tuple(map(float, layer.reference.anchors.ravel())),
        feat_stride=p.feat_stride,
        min_size=float(p.min_size),
        pre_nms_topn=p.pre_nms_topn,
        post_nms_topn=p.post_nms_topn,
        nms_threshold=p.nms_thresh if both else p.iou_threshold,
    )


def _regions(layer: Layer, b: Builder) -> list[str]:
    """The features, and the regions as rows of five numbers."""
    x, rois = layer.bottoms
    rows = layer.bottom_shapes[1]
    return [x, rois if len(rows) == 2 else b.op("Reshape", rois, ["", ""], shape=(-1, 5))]


@translates("ROIPooling")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    args = {"pooled_h": p.pooled_h, "pooled_w": p.pooled_w, "spatial_scale": p.spatial_scale, "order": "NCHW"}
    places = [] if b.is_test else [b.fresh(f"{layer.name}_argmaxes")]
    b.op("RoIPool", _regions(layer, b), [*layer.tops, *places], is_test=int(b.is_test), **args)


@translates("PSROIPooling")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    args = {"output_dim": p.output_dim, "group_size": p.group_size, "spatial_scale": p.spatial_scale}
    b.op("CaffePSROIPool", _regions(layer, b), layer.tops, **args)

"""Caffe2's operators under torch.ops._caffe2, with the schemas under which programs of PyTorch called them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from caffe2.bridge.pytorch.calls import call

PREALLOCATED = "_caffe2_preallocated_outputs"

ALIGN = "str order, float spatial_scale, int pooled_h, int pooled_w, int sampling_ratio, bool aligned"
ANGLES = "bool angle_bound_on, int angle_bound_lo, int angle_bound_hi, float clip_angle_thresh, bool legacy_plus_one"
PYRAMID = "int roi_canonical_scale, int roi_canonical_level, int roi_max_level, int roi_min_level"
RPN = "int rpn_max_level, int rpn_min_level, int rpn_post_nms_topN"
LEVELS = "Tensor rois_fpn2, Tensor rois_fpn3, Tensor rois_fpn4, Tensor rois_fpn5, Tensor rois_idx_restore_int32"
NMS = (
    "float score_thresh, float nms, int detections_per_im, bool soft_nms_enabled, str soft_nms_method, "
    "float soft_nms_sigma, float soft_nms_min_score_thres, bool rotated, bool cls_agnostic_bbox_reg, "
    "bool input_boxes_include_bg_cls, bool output_classes_include_bg_cls, bool legacy_plus_one"
)
RATES = (
    "float? power=1., float? gamma=1., int? stepsize=1, float? max_lr=0.005, bool? active_first=True, "
    "int? active_period=-1, int? inactive_period=-1, int? max_iter=-1, int? num_iter=0, float? start_multiplier=0, "
    "float? end_multiplier=0, float? multiplier=0.5, float? multiplier_1=1., float? multiplier_2=1., "
    "int[]? sub_policy_num_iters=None, float? m1=0.5, float? n1=0, float? m2=0.5, float? n2=0, float? m3=0.5, "
    "float? start_warmup_multiplier=0.1, int? constant_warmup_num_iter=10000000, "
    "int? linear_warmup_num_iter=10000000, float? cyclical_max_lr=0.05, int? cyclical_step_size=1000000, "
    "float? cyclical_decay=0.999, float? cosine_min_lr=0.01, float? cosine_max_lr=0.05, int? cosine_period=50, "
    "float? cosine_t_mult=1., float? cosine_lr_shrink=0.99, float? decay=1."
)

SCHEMAS = (
    "AliasWithName(Tensor(a) input, str name, bool is_backward=False) -> Tensor(a)",
    f"BBoxTransform(Tensor rois, Tensor deltas, Tensor im_info, float[] weights, bool apply_scale, bool rotated, "
    f"{ANGLES}) -> (Tensor, Tensor)",
    "BatchBoxCox(Tensor data, Tensor lambda1, Tensor lambda2, int min_block_size=256) -> Tensor",
    "BatchBucketOneHot(Tensor data, Tensor lengths, Tensor boundaries) -> Tensor",
    "BatchPermutation(Tensor X, Tensor indices) -> Tensor",
    f"BoxWithNMSLimit(Tensor scores, Tensor boxes, Tensor batch_splits, {NMS}) "
    "-> (Tensor scores, Tensor boxes, Tensor classes, Tensor batch_splits, Tensor keeps, Tensor keeps_size)",
    "Bucketize(Tensor data, float[] boundaries) -> Tensor",
    f"CollectAndDistributeFpnRpnProposals(Tensor[] input_list, {PYRAMID}, {RPN}, bool legacy_plus_one) "
    f"-> (Tensor rois, {LEVELS})",
    f"CollectRpnProposals(Tensor[] input_list, {RPN}) -> Tensor",
    "CopyCPUToGPU(Tensor input) -> Tensor",
    "CopyGPUToCPU(Tensor input) -> Tensor",
    f"DistributeFpnProposals(Tensor rois, {PYRAMID}, bool legacy_plus_one) -> ({LEVELS})",
    "Fused8BitRowwiseQuantizedToFloat(Tensor scale_bias_quantized_input) -> Tensor",
    "GatherRanges(Tensor data, Tensor ranges) -> (Tensor, Tensor)",
    "GatherRangesToDense(Tensor data, Tensor ranges, Tensor? key, int[] lengths, int min_observation, "
    "float max_mismatched_ratio, float max_empty_ratio) -> Tensor[]",
    "Gelu(Tensor input, bool fast_gelu=False) -> Tensor",
    f"GenerateProposals(Tensor scores, Tensor bbox_deltas, Tensor im_info, Tensor anchors, float spatial_scale, "
    f"int pre_nms_topN, int post_nms_topN, float nms_thresh, float min_size, {ANGLES}) -> (Tensor, Tensor)",
    "HeatmapMaxKeypoint(Tensor heatmaps, Tensor bboxes_in, bool should_output_softmax=True) -> Tensor",
    "IndexHash(Tensor indices, int seed, int modulo) -> Tensor",
    "InferenceLSTM(Tensor[] input_list, int num_layers, bool has_biases, bool batch_first, bool bidirectional) "
    "-> (Tensor output, Tensor hidden, Tensor cell)",
    "LayerNorm(Tensor X, Tensor? gamma, Tensor? beta, int axis=1, float epsilon=1e-5, bool elementwise_affine=False) "
    "-> (Tensor Y, Tensor mean, Tensor std)",
    f"LearningRate(Tensor iterations, float base_lr, str policy, {RATES}) -> Tensor",
    "LengthsGather(Tensor data, Tensor lengths, Tensor indices) -> Tensor",
    "LengthsMax(Tensor data, Tensor lengths) -> Tensor",
    "LengthsMean(Tensor data, Tensor lengths) -> Tensor",
    "LengthsSum(Tensor data, Tensor lengths) -> Tensor",
    "Logit(Tensor X, float eps=1e-6) -> Tensor",
    "MergeIdLists(Tensor[] lengths_and_values) -> (Tensor merged_lengths, Tensor merged_values)",
    "PackSegments(Tensor lengths, Tensor tensor, int max_length=-1, bool pad_minf=False, "
    "bool return_presence_mask=False) -> (Tensor packed_tensor, Tensor presence_mask)",
    "Percentile(Tensor original_values, Tensor value_to_pct, Tensor lengths) -> Tensor",
    "PiecewiseLinearTransform(Tensor predictions, float[] bounds, float[] slopes, float[] intercepts, bool binary) "
    "-> Tensor",
    "ResizeNearest(Tensor X, str order, float width_scale, float height_scale) -> Tensor",
    "ResizeNearest3D(Tensor X, str order, float temporal_scale, float width_scale, float height_scale) -> Tensor",
    f"RoIAlign(Tensor features, Tensor rois, {ALIGN}) -> Tensor",
    f"RoIAlignGradient(Tensor features, Tensor rois, Tensor grad, {ALIGN}) -> Tensor",
    f"RoIAlignRotated(Tensor features, Tensor rois, {ALIGN}) -> Tensor",
    "SparseLengthsSum8BitRowwiseSparse(Tensor data, Tensor indices, Tensor lengths, "
    "Tensor compressed_indices_mapping) -> Tensor",
    "SparseToDenseMask(Tensor indices, Tensor values, Tensor default_value, Tensor? lengths, int[] mask, "
    "bool? return_presence_mask=False, int? max_skipped_indices=50) -> (Tensor output, Tensor presence_mask)",
    "UnpackSegments(Tensor lengths, Tensor tensor, int max_length=-1) -> Tensor",
)
"""Source: the schemas of the operators that the original exported to PyTorch 1.13."""


@cache
def register() -> torch.library.Library:
    """Make torch.ops._caffe2.* callable; answers the library that holds them. A second call does nothing."""
    library = torch.library.Library("_caffe2", "FRAGMENT")
    for short in SCHEMAS:
        inputs, outputs = short.split(") -> ")
        schema = torch._C.parse_schema(f"{inputs}, Tensor[]? {PREALLOCATED}=None) -> {outputs}")
        library.define(str(schema))
        body = _aliased if schema.name == "AliasWithName" else _body(schema)
        library.impl(schema.name, body, "CompositeExplicitAutograd")
    return library


def _aliased(x: Tensor, *_: Any) -> Tensor:
    return torch.ops.aten.alias(x)


def _body(schema: Any) -> Callable[..., Any]:
    """A function of the schema's parameters that runs the operator of its name."""
    defaults = {a.name: a.default_value for a in schema.arguments}
    tensors = {a.name for a in schema.arguments if "Tensor" in str(a.type)}
    many = "List" in str(schema.returns[0].type)

    def run(*given: Any, **named: Any) -> Any:
        values = defaults | dict(zip(defaults, given)) | named
        into = values.pop(PREALLOCATED) or ()
        inputs = [x for name, v in values.items() if name in tensors for x in (v if isinstance(v, list) else [v])]
        arguments = {name: v for name, v in values.items() if name not in tensors and v is not None}
        count = len(arguments["lengths"]) if many else len(schema.returns)
        made = call(schema.name, [x for x in inputs if x is not None], arguments, count)
        for tensor, value in zip(into, made):
            tensor.resize_(value.shape).copy_(value)
        return made if many else made[0] if count == 1 else tuple(made)

    return run

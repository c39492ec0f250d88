"""Layers translated one by one: every blob must be what the NumPy reference of Caffe's semantics gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import Net, reference
from caffe2.bridge.caffe.translate import translate, translators
from caffe2.bridge.caffe.verify import verify
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import blob, inputs, net

IMAGE, VOLUME, ROWS, BATCH = (2, 4, 7, 6), (2, 3, 4, 5, 6), (3, 8), (2, 3, 4)

ONE_BOTTOM: dict[str, tuple[tuple[int, ...], list[str]]] = {
    "Convolution": (
        IMAGE,
        [
            "convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 2 group: 2 }",
            "convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 0 bias_term: false }",
            "convolution_param { num_output: 2 kernel_size: 3 stride_h: 1 stride_w: 2 }",
            "convolution_param { num_output: 2 kernel_size: 3 hole: 2 }",
            "convolution_param { num_output: 2 kernel_size: 3 dilation: 2 axis: 1 }",
            "convolution_param { num_output: 2 kernel_size: 2 axis: 2 }",
            "convolution_param { num_output: 2 kernel_size: 8 stride: 3 }",
        ],
    ),
    "ConvolutionDepthwise": (IMAGE, ["convolution_param { num_output: 8 kernel_size: 3 pad: 1 }"]),
    "DeconvolutionDepthwise": (IMAGE, ["convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 }"]),
    "DepthwiseConvolution": (IMAGE, ["convolution_param { num_output: 4 kernel_size: 3 }"]),
    "Deconvolution": (
        IMAGE,
        [
            "convolution_param { num_output: 6 kernel_size: 4 pad: 1 stride: 2 group: 2 }",
            "convolution_param { num_output: 3 kernel_size: 3 dilation: 2 pad: 1 bias_term: false }",
            "convolution_param { num_output: 3 kernel_size: 3 axis: 2 }",
            "convolution_param { num_output: 3 kernel_h: 1 kernel_w: 5 stride_h: 3 stride_w: 1 pad_w: 2 pad_h: 0 }",
        ],
    ),
    "Convolution3D": (
        VOLUME,
        ["convolution3d_param { num_output: 2 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_pad: 1 stride: 2 }"],
    ),
    "Im2col": (
        IMAGE,
        [
            "convolution_param { kernel_size: 3 pad: 1 stride: 2 }",
            "convolution_param { kernel_size: 2 axis: 2 }",
            "convolution_param { kernel_h: 2 kernel_w: 3 dilation: 2 }",
        ],
    ),
    "InnerProduct": (
        IMAGE,
        [
            "inner_product_param { num_output: 5 }",
            "inner_product_param { num_output: 5 axis: 2 bias_term: false }",
            "inner_product_param { num_output: 5 axis: -1 transpose: true }",
            "inner_product_param { num_output: 5 axis: 0 }",
        ],
    ),
    "Pooling": (
        IMAGE,
        [
            f"pooling_param {{ pool: {pool} {window} }}"
            for pool in ("MAX", "AVE")
            for window in (
                "kernel_size: 3 stride: 2",
                "kernel_size: 3 stride: 2 pad: 1",
                "kernel_size: 2 stride: 3",
                "kernel_size: 2 stride: 2 pad: 1 round_mode: FLOOR",
                "kernel_size: 3 stride: 2 ceil_mode: false",
                "kernel_h: 3 kernel_w: 2 stride_h: 3 stride_w: 2 pad_h: 1 pad_w: 0",
                "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 3 pad_h: 0 pad_w: 2",
                "kernel_size: 1 stride: 4",
                "kernel_size: 5 stride: 4 pad: 2",
                "global_pooling: true",
            )
        ]
        + ["pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }"],
    ),
    "Pooling3D": (
        VOLUME,
        [
            "pooling3d_param { pool: MAX kernel_size: 2 kernel_depth: 1 stride: 2 pad: 1 }",
            "pooling3d_param { pool: AVE kernel_size: 3 kernel_depth: 2 stride: 2 temporal_stride: 2 pad: 1 }",
        ],
    ),
    "SPP": (IMAGE, [f"spp_param {{ pyramid_height: {n} pool: {p} }}" for n in (1, 2, 3) for p in ("MAX", "AVE")]),
    "LRN": (
        IMAGE,
        [
            "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 2 }",
            "lrn_param { local_size: 9 alpha: 0.5 }",
            "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }",
        ],
    ),
    "BatchNorm": (IMAGE, ["", "batch_norm_param { use_global_stats: false eps: 0.01 }"]),
    "BN": (
        IMAGE,
        [
            "bn_param { slope_filler { value: 2 } bias_filler { value: 0.5 } frozen: true }",
            "bn_param { bn_mode: INFERENCE scale_filler { value: 2 } shift_filler { value: 0.5 } }",
            "bn_param { scale_filler { value: 2 } shift_filler { value: 0.5 } }",
        ],
    ),
    "InstanceNorm": (IMAGE, ["", "instance_norm_param { affine: false eps: 0.01 }"]),
    "Normalize": (
        IMAGE,
        [
            "norm_param { scale_filler { value: 20 } }",
            "norm_param { across_spatial: false channel_shared: false scale_filler { value: 20 } }",
        ],
    ),
    "NormalizeBBox": (IMAGE, ["normalize_bbox_param { channel_shared: false scale_filler { value: 20 } }"]),
    "MVN": (ROWS, ["", "mvn_param { across_channels: true }", "mvn_param { normalize_variance: false }"]),
    "Softmax": (IMAGE, [f"softmax_param {{ axis: {axis} }}" for axis in (0, 1, -1)]),
    "ReLU": (IMAGE, ["", "relu_param { negative_slope: 0.2 }"]),
    "ReLU6": (IMAGE, [""]),
    "PReLU": (IMAGE, ["", "prelu_param { channel_shared: true }"]),
    "ELU": (IMAGE, ["", "elu_param { alpha: 0.3 }"]),
    "Clip": (IMAGE, ["clip_param { min: -0.3 max: 0.7 }"]),
    "Swish": (IMAGE, ["", "swish_param { beta: 2 }"]),
    "Sigmoid": (IMAGE, [""]),
    "TanH": (IMAGE, [""]),
    "AbsVal": (IMAGE, [""]),
    "BNLL": (IMAGE, [""]),
    "Dropout": (IMAGE, ["", "dropout_param { dropout_ratio: 0.3 }"]),
    "Threshold": (IMAGE, ["threshold_param { threshold: 0.4 }"]),
    "Power": (
        IMAGE,
        [
            f"power_param {{ power: {p} scale: {a} shift: {s} }}"
            for p, a, s in ((1, 2, 0), (1, 1, 3), (2, 0.5, 1), (0, 2, 1), (3, 0, 2))
        ],
    ),
    "Exp": (IMAGE, ["", "exp_param { base: 2 scale: 0.5 shift: 1 }", "exp_param { scale: 0.5 shift: 1 }"]),
    "Log": (IMAGE, ["log_param { scale: 0.1 shift: 3 }", "log_param { base: 10 scale: 0.1 shift: 3 }"]),
    "Bias": (
        IMAGE,
        ["", "bias_param { axis: 0 num_axes: 2 }", "bias_param { num_axes: -1 }", "bias_param { num_axes: 0 }"],
    ),
    "Scale": (
        IMAGE,
        [
            "scale_param { bias_term: true }",
            "scale_param { axis: 2 }",
            "scale_param { axis: -2 num_axes: 2 bias_term: true }",
            "scale_param { num_axes: 0 bias_term: true }",
            "scale_param { axis: 0 num_axes: -1 }",
        ],
    ),
    "Reduction": (
        IMAGE,
        [
            f"reduction_param {{ operation: {o} axis: {a} coeff: {c} }}"
            for o in ("SUM", "ASUM", "SUMSQ", "MEAN")
            for a, c in ((0, 1), (1, 2), (-1, 0.5))
        ],
    ),
    "ArgMax": (IMAGE, ["", "argmax_param { top_k: 3 out_max_val: true }", "argmax_param { axis: -2 top_k: 2 }"]),
    "Flatten": (
        IMAGE,
        ["", "flatten_param { axis: 2 }", "flatten_param { axis: 1 end_axis: -2 }", "flatten_param { axis: 0 }"],
    ),
    "Reshape": (
        IMAGE,
        [
            "reshape_param { shape { dim: 0 dim: -1 dim: 2 } }",
            "reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }",
            "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }",
        ],
    ),
    "Tile": (IMAGE, [f"tile_param {{ axis: {axis} tiles: 3 }}" for axis in (0, 1, -1)]),
    "Permute": (IMAGE, ["permute_param { order: 0 order: 2 order: 3 order: 1 }", "permute_param { order: 3 }"]),
    "ShuffleChannel": (IMAGE, ["shuffle_channel_param { group: 2 }"]),
    "Interp": (
        IMAGE,
        [
            "interp_param { height: 9 width: 11 }",
            "interp_param { zoom_factor: 2 }",
            "interp_param { shrink_factor: 2 pad_beg: -1 pad_end: -1 }",
            "interp_param { height: 1 width: 1 }",
        ],
    ),
    "Upsample": (
        IMAGE,
        [
            "upsample_param { scale: 2 }",
            "upsample_param { stride: 3 scale: 0.5 }",
            "upsample_param { stride_h: 2 stride_w: 3 }",
        ],
    ),
    "Concat": (IMAGE, [""]),
    "Slice": (IMAGE, [""]),
}
ONE = [(kind, shape, text) for kind, (shape, texts) in ONE_BOTTOM.items() for text in texts]
LOSS = {"scores": (3, 5), "label": (3,)}
MANY: list[tuple[str, dict[str, tuple[int, ...]], str]] = [
    ("Eltwise", {"a": IMAGE, "b": IMAGE, "c": IMAGE}, f"eltwise_param {{ {text} }}")
    for text in ("operation: PROD", "operation: MAX", "operation: SUM", "coeff: 1 coeff: -2 coeff: 0.5")
] + [
    ("Concat", {"a": IMAGE, "b": (2, 3, 7, 6)}, ""),
    ("Concat", {"a": BATCH, "b": (5, 3, 4)}, "concat_param { axis: 0 }"),
    ("Scale", {"a": IMAGE, "b": (4, 7)}, "scale_param { axis: 1 }"),
    ("Scale", {"a": IMAGE, "b": ()}, "scale_param { axis: 1 }"),
    ("Bias", {"a": IMAGE, "b": (2, 4)}, "bias_param { axis: 0 }"),
    ("Crop", {"a": IMAGE, "b": (1, 1, 5, 5)}, "crop_param { axis: 2 offset: 1 offset: 0 }"),
    ("Axpy", {"a": (2, 4, 1, 1), "b": IMAGE, "c": IMAGE}, ""),
    ("BatchReindex", {"a": BATCH, "label": (5,)}, ""),
    ("EuclideanLoss", {"a": BATCH, "b": BATCH}, ""),
    ("SmoothL1Loss", {"a": BATCH, "b": BATCH}, "smooth_l1_loss_param { sigma: 2 }"),
    ("SmoothL1Loss", {"a": BATCH, "b": BATCH, "c": BATCH, "d": BATCH}, ""),
    ("SigmoidCrossEntropyLoss", {"a": BATCH, "b": BATCH}, "loss_param { normalization: FULL }"),
    ("SoftmaxWithLoss", {"a": (2, 3, 4), "label": (2, 4)}, "loss_param { ignore_label: 1 normalization: VALID }"),
    ("SoftmaxWithLoss", LOSS, "softmax_param { axis: -1 }"),
    ("HingeLoss", LOSS, "hinge_loss_param { norm: L2 }"),
    ("MultinomialLogisticLoss", LOSS, ""),
    ("InfogainLoss", {**LOSS, "h": (1, 1, 5, 5)}, "loss_param { normalization: BATCH_SIZE }"),
    ("ContrastiveLoss", {"a": ROWS, "b": ROWS, "label": (3,)}, "contrastive_loss_param { margin: 6 }"),
    ("Accuracy", {"a": (2, 3, 4), "label": (2, 4)}, "accuracy_param { top_k: 2 ignore_label: 1 }"),
    ("LSTM", {"x": (4, 2, 3), "cont": (4, 2)}, "recurrent_param { num_output: 3 }"),
    ("LSTM", {"x": (4, 2, 3, 2), "cont": (4, 2), "s": (2, 5)}, "recurrent_param { num_output: 3 }"),
    ("RNN", {"x": (4, 2, 3), "cont": (4, 2), "s": (2, 5)}, "recurrent_param { num_output: 3 }"),
    (
        "PriorBox",
        {"a": IMAGE, "b": (1, 3, 70, 60)},
        "prior_box_param { min_size: 9 max_size: 20 aspect_ratio: 2 clip: true }",
    ),
    ("PriorBox", {"a": IMAGE, "b": (1, 3, 70, 60)}, "prior_box_param { min_size: 9 step: 8 img_size: 64 offset: 0.3 }"),
    ("ROIPooling", {"a": IMAGE, "rois": (3, 5)}, "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }"),
    ("ROIPooling", {"a": IMAGE, "rois": (3, 5, 1, 1)}, "roi_pooling_param { pooled_h: 2 pooled_w: 2 }"),
    (
        "PSROIPooling",
        {"a": IMAGE, "rois": (3, 5)},
        "psroi_pooling_param { spatial_scale: 0.5 output_dim: 1 group_size: 2 }",
    ),
    ("Interp", {"a": IMAGE, "b": (1, 1, 9, 5)}, ""),
    (
        "DetectionOutput",
        {"moves": (2, 24), "scores": (2, 18), "priors": (1, 2, 24)},
        "detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 4 }",
    ),
    (
        "DetectionOutput",
        {"moves": (2, 72), "scores": (2, 18), "priors": (1, 2, 24)},
        "detection_output_param { num_classes: 3 share_location: false nms_param { top_k: 3 eta: 0.9 } }",
    ),
    (
        "Proposal",
        {"scores": (1, 18, 3, 4), "moves": (1, 36, 3, 4), "info": (1, 3)},
        "proposal_param { post_nms_topn: 7 min_size: 2 }",
    ),
]
TOPS = {("Slice", ""): 2}


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values that the layers which read a blob of that name can take."""
    rng = np.random.default_rng(len(name) + sum(shape))
    if name == "label":
        return rng.integers(0, 2, shape).astype(np.float32)
    if name == "cont":
        return np.arange(np.prod(shape)).reshape(shape).astype(np.float32) % 3
    if name == "rois":
        corners = rng.integers(0, 5, (3, 2))
        return np.concatenate([[[0], [1], [1]], corners, corners + 6], 1).astype(np.float32).reshape(shape)
    if name == "info":
        return np.array([[64, 80, 1]], np.float32)
    if name == "priors":
        low = rng.uniform(0, 0.6, (shape[2] // 4, 2))
        boxes = np.concatenate([low, low + rng.uniform(0.1, 0.4, low.shape)], 1)
        return np.stack([boxes.ravel(), np.full(shape[2], 0.1)])[None].astype(np.float32)
    values = rng.random(shape) if name == "scores" else rng.standard_normal(shape)
    return values.astype(np.float32)


def weighted(folder: Path, text: str) -> Net:
    """The net of a prototxt's text, every parameter of its last layer drawn between 0.2 and 1.2."""
    layer = net(folder, text).layers[-1]
    rng = np.random.default_rng(5)
    blobs = [blob(p.shape, rng.uniform(0.2, 1.2, int(np.prod(p.shape)))) for p in layer.params]
    stored = caffe_pb2.LayerParameter(name=layer.name, blobs=blobs)
    return net(folder, text, caffe_pb2.NetParameter(layer=[stored]))


def check(folder: Path, kind: str, shapes: dict[str, tuple[int, ...]], text: str, top: str = "y") -> None:
    """Translate a net of one layer and compare it with the reference."""
    bottoms = "".join(f'bottom: "{name}" ' for name in shapes)
    tops = "".join(f'top: "{top}{k or ""}" ' for k in range(TOPS.get((kind, text), 1)))
    body = f'layer {{ name: "l" type: "{kind}" {bottoms} {tops} {text} }}'
    whole = weighted(folder, inputs(**shapes) + body)
    whole.require()
    report = verify(whole, *translate(whole), {name: drawn(name, shape) for name, shape in shapes.items()})
    assert report.passed, report.table()


@pytest.mark.parametrize("kind, shape, text", ONE, ids=[f"{kind}-{text}" for kind, _, text in ONE])
def test_one_bottom(tmp_path: Path, kind: str, shape: tuple[int, ...], text: str) -> None:
    check(tmp_path, kind, {"x": shape}, text)


@pytest.mark.parametrize("kind, shapes, text", MANY, ids=[f"{kind}-{text}" for kind, _, text in MANY])
def test_several_bottoms(tmp_path: Path, kind: str, shapes: dict[str, tuple[int, ...]], text: str) -> None:
    check(tmp_path, kind, shapes, text)


IN_PLACE = [
    ("LRN", {"x": IMAGE}, "lrn_param { local_size: 3 alpha: 0.5 }"),
    ("LRN", {"x": IMAGE}, "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }"),
    ("Eltwise", {"x": IMAGE, "b": IMAGE}, "eltwise_param { coeff: 2 coeff: 3 }"),
    ("Eltwise", {"x": IMAGE, "b": IMAGE}, ""),
    ("Eltwise", {"x": IMAGE, "b": IMAGE}, "eltwise_param { operation: MAX }"),
    ("Scale", {"x": IMAGE}, "scale_param { bias_term: true }"),
    ("BatchNorm", {"x": IMAGE}, ""),
    ("Softmax", {"x": IMAGE}, ""),
    ("MVN", {"x": IMAGE}, ""),
    ("Power", {"x": IMAGE}, "power_param { power: 2 shift: 1 }"),
    ("Swish", {"x": IMAGE}, ""),
    ("PReLU", {"x": IMAGE}, ""),
]


@pytest.mark.parametrize("kind, shapes, text", IN_PLACE, ids=[f"{kind}-{text}" for kind, _, text in IN_PLACE])
def test_in_place(tmp_path: Path, kind: str, shapes: dict[str, tuple[int, ...]], text: str) -> None:
    check(tmp_path, kind, shapes, text, top="x")


def test_unpooling_after_a_pooling_with_a_mask(tmp_path: Path) -> None:
    text = inputs(x=(2, 3, 6, 8)) + (
        'layer { name: "p" type: "Pooling" bottom: "x" top: "y" top: "mask"'
        " pooling_param { kernel_size: 2 stride: 2 } }"
        'layer { name: "u" type: "Upsample" bottom: "y" bottom: "mask" top: "z" upsample_param { scale: 2 } }'
    )
    whole = net(tmp_path, text)
    report = verify(whole, *translate(whole), {"x": drawn("x", (2, 3, 6, 8))})
    assert report.passed and {row.blob for row in report.rows} >= {"mask", "z"}, report.table()


def test_every_layer_of_the_reference_has_a_translator() -> None:
    assert set(reference.TYPES) <= set(translators)

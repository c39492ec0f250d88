"""The layers that forks of Caffe added, against the definitions of their papers and programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from caffe2.bridge.caffe import reference
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import blob, inputs, net

RNG = np.random.default_rng(3)
X = RNG.standard_normal((2, 4, 6, 6)).astype(np.float32)


def run(folder: Path, layer: str, weights: list[np.ndarray] | None = None, /, **given: np.ndarray) -> np.ndarray:
    """The blob "y" that one layer, called "l", makes of the given bottoms."""
    bottoms = "".join(f'bottom: "{name}" ' for name in given)
    text = inputs(**{name: value.shape for name, value in given.items()})
    text += f'layer {{ name: "l" {layer} {bottoms} top: "y" }}'
    stored = None
    if weights is not None:
        blobs = [blob(value.shape, value.reshape(-1)) for value in weights]
        stored = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="l", blobs=blobs)])
    found = net(folder, text, stored)
    found.require()
    return reference.run(found, given)["y"]


def test_permute(tmp_path: Path) -> None:
    y = run(tmp_path, 'type: "Permute" permute_param { order: 0 order: 2 }', x=X)
    assert np.array_equal(y, X.transpose(0, 2, 1, 3))


@pytest.mark.parametrize("across", [True, False])
def test_normalize(tmp_path: Path, across: bool) -> None:
    text = f"norm_param {{ across_spatial: {str(across).lower()} channel_shared: false }}"
    scale = np.arange(1, 5, dtype=np.float32)
    y = run(tmp_path, f'type: "Normalize" {text}', [scale], x=X)
    norm = np.sqrt((X * X).sum(axis=(1, 2, 3) if across else 1, keepdims=True))
    np.testing.assert_allclose(y, X / norm * scale.reshape(1, 4, 1, 1), rtol=1e-5)


def test_prior_boxes(tmp_path: Path) -> None:
    text = "min_size: 10.9 max_size: 20 aspect_ratio: 4 aspect_ratio: 1 variance: 0.1 step: 10 clip: true"
    y = run(
        tmp_path, f'type: "PriorBox" prior_box_param {{ {text} }}', x=X[:, :, :2, :3], image=np.zeros((1, 3, 20, 30))
    )
    boxes = y[0, 0].reshape(2, 3, 4, 4)
    side = np.sqrt(200)
    sizes = [(10, 10), (side, side), (20, 5), (5, 20)]
    want = [(max(15 - w / 2, 0) / 30, max(5 - h / 2, 0) / 20, (15 + w / 2) / 30, (5 + h / 2) / 20) for w, h in sizes]
    np.testing.assert_allclose(boxes[0, 1], np.clip(want, 0, 1), rtol=1e-5)
    assert (y[0, 1] == np.float32(0.1)).all()


def test_detections(tmp_path: Path) -> None:
    boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.1, 0.1, 0.4, 0.41], [0.5, 0.5, 0.9, 0.9]], np.float32)
    priors = np.stack([boxes.reshape(-1), np.full(12, 0.1, np.float32)])[None]
    scores = np.array([[[0.1, 0.9], [0.2, 0.8], [0.6, 0.4]]], np.float32).reshape(1, 6)
    text = "num_classes: 2 nms_param { nms_threshold: 0.5 } code_type: CENTER_SIZE"
    layer = f'type: "DetectionOutput" detection_output_param {{ {text} %s }}'
    moves = np.zeros((1, 12), np.float32)
    y = run(tmp_path, layer % "", moves=moves, scores=scores, priors=priors)
    np.testing.assert_allclose(y[0, 0], [[0, 1, 0.9, *boxes[0]], [0, 1, 0.4, *boxes[2]]], rtol=1e-5)
    y = run(tmp_path, layer % "keep_top_k: 1", moves=moves, scores=scores, priors=priors)
    assert y.shape == (1, 1, 1, 7)
    y = run(tmp_path, layer % "confidence_threshold: 2", moves=moves, scores=scores, priors=priors)
    assert y[0, 0].tolist() == [[0, -1, -1, -1, -1, -1, -1]]


def test_interp_matches_corners(tmp_path: Path) -> None:
    want = torch.nn.functional.interpolate(torch.tensor(X), (9, 4), mode="bilinear", align_corners=True).numpy()
    np.testing.assert_allclose(
        run(tmp_path, 'type: "Interp" interp_param { height: 9 width: 4 }', x=X), want, atol=1e-5
    )
    y = run(tmp_path, 'type: "Interp" interp_param { zoom_factor: 3 }', x=X)
    np.testing.assert_allclose(y[:, :, ::3, ::3], X, atol=1e-6)
    y = run(tmp_path, 'type: "Interp" interp_param { shrink_factor: 5 pad_beg: 0 }', x=X)
    np.testing.assert_allclose(y, X[:, :, ::5, ::5], atol=1e-6)


def test_upsample_repeats_or_unpools(tmp_path: Path) -> None:
    y = run(tmp_path, 'type: "Upsample" upsample_param { scale: 2 }', x=X)
    assert np.array_equal(y, X.repeat(2, 2).repeat(2, 3))
    pooled, mask = torch.nn.functional.max_pool2d(torch.tensor(X), 2, return_indices=True)
    want = torch.nn.functional.max_unpool2d(pooled, mask, 2).numpy()
    given = {"x": pooled.numpy(), "mask": mask.numpy().astype(np.float32)}
    assert np.array_equal(run(tmp_path, 'type: "Upsample" upsample_param { scale: 2 }', **given), want)


def test_region_pooling(tmp_path: Path) -> None:
    rois = np.array([[0, 0, 0, 3, 3], [1, 2, 2, 5, 5], [1, 9, 9, 12, 12]], np.float32)
    y = run(tmp_path, 'type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 }', x=X, rois=rois)
    np.testing.assert_array_equal(y[0, :, 0, 1], X[0, :, :2, 2:4].max(axis=(1, 2)))
    np.testing.assert_array_equal(y[1, :, 1, 1], X[1, :, 4:6, 4:6].max(axis=(1, 2)))
    assert not y[2].any()
    text = 'type: "PSROIPooling" psroi_pooling_param { spatial_scale: 1 output_dim: 1 group_size: 2 }'
    y = run(tmp_path, text, x=X, rois=rois)
    np.testing.assert_allclose(y[0, 0, 1, 0], X[0, 2, 2:4, :2].mean(), rtol=1e-5)
    assert not y[2].any()


def test_proposals(tmp_path: Path) -> None:
    scores = RNG.random((1, 18, 3, 4)).astype(np.float32)
    best = np.unravel_index(scores[0, 9:].argmax(), (9, 3, 4))
    info = np.array([[1000, 1000, 1]], np.float32)
    text = 'type: "Proposal" proposal_param { post_nms_topn: 5 min_size: 1 }'
    y = run(tmp_path, text, scores=scores, moves=np.zeros((1, 36, 3, 4), np.float32), info=info)
    assert y.shape[1] == 5 and 1 <= len(y) <= 5 and (y[:, 0] == 0).all()
    base = reference.regions.anchors(16, (0.5, 1, 2), (8, 16, 32))[best[0]]
    shift = np.array([best[2], best[1], best[2], best[1]]) * 16
    # A box of the original ends one place later after it is moved by nothing.
    np.testing.assert_allclose(y[0, 1:], np.clip(base + shift + [0, 0, 1, 1], 0, 999))


@pytest.mark.parametrize("message", ["convolution3d_param", "convolution_param"])
def test_convolution_over_time(tmp_path: Path, message: str) -> None:
    volume = RNG.standard_normal((1, 2, 5, 6, 6)).astype(np.float32)
    weight, bias = RNG.standard_normal((3, 2, 2, 3, 3)).astype(np.float32), np.ones(3, np.float32)
    text = f"{message} {{ num_output: 3 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_pad: 1 stride: 2 }}"
    y = run(tmp_path, f'type: "Convolution3D" {text}', [weight, bias], x=volume)
    tensors = (torch.tensor(value) for value in (volume, weight, bias))
    want = torch.nn.functional.conv3d(*tensors, stride=(1, 2, 2), padding=1).numpy()
    np.testing.assert_allclose(y, want, atol=1e-4)


def test_pooling_over_time(tmp_path: Path) -> None:
    volume = RNG.standard_normal((1, 2, 5, 7, 7)).astype(np.float32)
    text = 'type: "Pooling3D" pooling3d_param { kernel_size: 2 kernel_depth: 2 stride: 2 temporal_stride: 2 }'
    want = torch.nn.functional.max_pool3d(torch.tensor(volume), 2, ceil_mode=True).numpy()
    np.testing.assert_array_equal(run(tmp_path, text, x=volume), want)


@pytest.mark.parametrize(
    ("text", "count"), [("bn_mode: INFERENCE", 2), ("frozen: true", 4), ("var_eps: 1e-10 moving_average: true", 4)]
)
def test_batch_normalization_of_forks(tmp_path: Path, text: str, count: int) -> None:
    values = [RNG.random((1, 4, 1, 1)).astype(np.float32) + 0.5 for _ in range(count)]
    y = run(tmp_path, f'type: "BN" bn_param {{ {text} }}', values, x=X)
    plain = X if count == 2 else (X - values[2]) / np.sqrt(values[3])
    np.testing.assert_allclose(y, values[0] * plain + values[1], rtol=1e-3, atol=1e-4)


def test_small_ones(tmp_path: Path) -> None:
    shuffled = torch.nn.functional.channel_shuffle(torch.tensor(X), 2).numpy()
    assert np.array_equal(run(tmp_path, 'type: "ShuffleChannel" shuffle_channel_param { group: 2 }', x=X), shuffled)
    assert np.array_equal(run(tmp_path, 'type: "ReLU6"', x=9 * X), np.clip(9 * X, 0, 6))
    scale = RNG.standard_normal((2, 4, 1, 1)).astype(np.float32)
    np.testing.assert_allclose(run(tmp_path, 'type: "Axpy"', a=scale, x=X, y0=X), scale * X + X, rtol=1e-6)
    y = run(tmp_path, 'type: "InstanceNorm" instance_norm_param { affine: false }', x=X)
    np.testing.assert_allclose(y, torch.nn.functional.instance_norm(torch.tensor(X)).numpy(), atol=1e-4)


def test_depthwise_convolution(tmp_path: Path) -> None:
    weight = RNG.standard_normal((4, 1, 3, 3)).astype(np.float32)
    text = 'type: "ConvolutionDepthwise" convolution_param { num_output: 4 kernel_size: 3 bias_term: false }'
    want = torch.nn.functional.conv2d(torch.tensor(X), torch.tensor(weight), groups=4).numpy()
    np.testing.assert_allclose(run(tmp_path, text, [weight], x=X), want, atol=1e-4)
    assert reference.TYPES["DepthwiseConvolution"] is reference.TYPES["Convolution"]


def test_dilation_called_hole(tmp_path: Path) -> None:
    weight = RNG.standard_normal((1, 4, 2, 2)).astype(np.float32)
    text = 'type: "Convolution" convolution_param { num_output: 1 kernel_size: 2 hole: 2 bias_term: false }'
    want = torch.nn.functional.conv2d(torch.tensor(X), torch.tensor(weight), dilation=2).numpy()
    np.testing.assert_allclose(run(tmp_path, text, [weight], x=X), want, atol=1e-4)


def test_a_users_own_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.TYPES, "Double", None)

    @reference.layer("Double")
    class Double(reference.Reference):
        def shapes(self, x: tuple[int, ...]) -> list[tuple[int, ...]]:
            return [x]

        def forward(self, x: np.ndarray) -> list[np.ndarray]:
            return [2 * x]

    assert np.array_equal(run(tmp_path, 'type: "Double"', x=X), 2 * X)

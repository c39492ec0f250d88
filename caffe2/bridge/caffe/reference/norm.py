"""Layers that normalize over a batch, a channel or a neighbourhood."""

from __future__ import annotations

import math

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.pool import average_pool, windows
from caffe2.bridge.caffe.reference.windows import Kernel
from caffe2.proto import caffe_pb2


def along(values: np.ndarray, ndim: int, axis: int = 1) -> np.ndarray:
    """A vector shaped to be multiplied along one axis of an array of `ndim` axes."""
    return values.reshape(-1, *(1,) * (ndim - axis - 1))


@layer("BatchNorm", field="batch_norm_param")
class BatchNorm(Reference):
    """(x - mean) / sqrt(variance + eps) for each channel, by the stored statistics over their factor, or the batch's.

    NVIDIA's fork adds a learned scale and bias (`scale_bias`).
    """

    forks = frozenset(f"batch_norm_param.{name}" for name in ("scale_bias", "scale_filler", "bias_filler"))

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) >= 2, f"takes a bottom of at least 2 axes, not {shape_text(x)}")
        for spec in self.layer.proto.param[:3]:
            what = "the statistics are no learned parameters; set lr_mult of each param to 0"
            if spec.lr_mult:
                raise self.layer.error(what, "param.lr_mult")
        for shape in ((x[1],), (x[1],), (1,)):
            self.weight(shape)
        fork = self.layer.fork.batch_norm_param
        if fork.scale_bias:
            one = fork.scale_filler if fork.HasField("scale_filler") else caffe_pb2.FillerParameter(value=1)
            self.weight((x[1],), one)
            self.weight((x[1],), fork.bias_filler)
        return [x]

    def default_spec(self) -> Message:
        return caffe_pb2.ParamSpec(lr_mult=0)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        p = self.param
        stored = p.use_global_stats if p.HasField("use_global_stats") else self.phase == caffe_pb2.TEST
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        if stored:
            factor = self.values[2].reshape(-1)[0]
            factor = np.float32(0) if factor == 0 else np.float32(1) / factor
            mean, variance = self.values[0] * factor, self.values[1] * factor
        else:
            mean = x.mean(axis=others, dtype=np.float64).astype(np.float32)
            variance = np.square(x - along(mean, x.ndim)).mean(axis=others, dtype=np.float64).astype(np.float32)
        y = (x - along(mean, x.ndim)) / along(np.sqrt(variance + np.float32(p.eps)), x.ndim)
        if len(self.values) == 5:
            y = y * along(self.values[3], x.ndim) + along(self.values[4], x.ndim)
        return [y]


@layer("LRN", field="lrn_param")
class LRN(Reference):
    """x / (k + alpha/n sum x^2)^beta over n channels; or x / (1 + alpha mean x^2)^beta over a square of one channel.

    In place over channels, Caffe has overwritten x when it multiplies by it: the power comes out squared.
    """

    def shapes(self, x: Shape) -> list[Shape]:
        size = self.param.local_size
        self.expect(size % 2 == 1, f"must be odd, not {size}", "local_size")
        self.expect(len(x) == 4, f"takes a bottom of 4 axes (num, channels, height, width), not {len(x)}")
        self.within = self.param.norm_region == caffe_pb2.LRNParameter.WITHIN_CHANNEL
        if self.within:
            kernel = Kernel((size,) * 2, (1, 1), ((size - 1) // 2,) * 2, (1, 1))
            self.windows = windows(kernel, x[2:])
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        p = self.param
        if self.within:
            base = 1 + p.alpha * average_pool(x * x, self.windows)
        else:
            base = p.k + p.alpha / p.local_size * self._channel_sums(x * x)
            if self.overwrites:
                return [np.square(np.power(base, np.float32(-p.beta)))]
        return [x * np.power(base, np.float32(-p.beta))]

    def _channel_sums(self, squares: np.ndarray) -> np.ndarray:
        """The sum over the `local_size` channels around each one, those that exist."""
        half, channels = (self.param.local_size - 1) // 2, squares.shape[1]
        total = np.zeros_like(squares)
        for shift in range(max(-half, 1 - channels), min(half, channels - 1) + 1):
            inside = slice(max(0, -shift), channels - max(0, shift))
            total[:, inside] += squares[:, max(0, shift) : channels - max(0, -shift)]
        return total


@layer("MVN", field="mvn_param")
class MVN(Reference):
    """(x - mean) / (sqrt(variance) + eps) over each channel of each image, or over each image; its top has 4 axes."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.top = self.legacy(x)
        self.rows = math.prod(self.top[: 1 if self.param.across_channels else 2])
        return [self.top]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        rows = x.reshape(self.rows, -1)
        y = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        if self.param.normalize_variance:
            variance = np.square(y).mean(axis=1, keepdims=True, dtype=np.float64)
            y = y / (np.sqrt(variance) + self.param.eps).astype(np.float32)
        return [y.reshape(self.top)]


@layer("BN", field="bn_param")
class BN(Reference):
    """Batch normalization with scale and shift of the SegNet and PSPNet forks.

    SegNet stores scale and shift, its statistics folded in for testing (`bn_mode: INFERENCE`): y = scale x + shift.
    PSPNet stores scale, shift, mean and variance: y = scale (x - mean) / sqrt(variance + eps) + shift; an older one,
    known by `var_eps`, `decay` or `moving_average`, takes the batch's statistics unless `moving_average`.
    """

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) >= 2, f"takes a bottom of at least 2 axes, not {shape_text(x)}")
        p = self.param
        self.older = self._has("var_eps", "decay", "moving_average")
        pspnet = self.older or self._has("slope_filler", "bias_filler", "momentum", "eps", "frozen")
        self.folded = p.HasField("bn_mode") or (self._has("scale_filler", "shift_filler") and not pspnet)
        scale = p.scale_filler if p.HasField("scale_filler") else p.slope_filler
        shift = p.shift_filler if p.HasField("shift_filler") else p.bias_filler
        channels = (1, x[1], 1, 1)
        self.weight(channels, scale if scale.ByteSize() else caffe_pb2.FillerParameter(value=1))
        self.weight(channels, shift)
        if not self.folded:
            self.weight(channels)
            self.weight(channels, caffe_pb2.FillerParameter(value=1))
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        values = [along(value.reshape(-1), x.ndim) for value in self.values]
        if self.folded and self.param.bn_mode == 1:
            return [values[0] * x + values[1]]
        mean, variance = values[2:] if self.stored else self._batch(x)
        eps = np.float32(1e-9 if self.folded else self.param.var_eps if self.older else self.param.eps)
        return [values[0] * (x - mean) / np.sqrt(variance + eps) + values[1]]

    def _has(self, *names: str) -> bool:
        return any(self.param.HasField(name) for name in names)

    @property
    def stored(self) -> bool:
        """Whether the statistics are those of the weights, not of the batch."""
        testing = self.phase == caffe_pb2.TEST
        return not self.folded and (
            self.param.moving_average and testing if self.older else testing or self.param.frozen
        )

    def _batch(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean = x.mean(axis=others, dtype=np.float64).astype(np.float32)
        variance = x.var(axis=others, dtype=np.float64).astype(np.float32)
        return along(mean, x.ndim), along(variance, x.ndim)


@layer("InstanceNorm", field="instance_norm_param")
class InstanceNorm(Reference):
    """(x - mean) / sqrt(variance + eps) over each channel of each image, times a learned scale, plus a bias."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) >= 3, f"takes a bottom of at least 3 axes, not {shape_text(x)}")
        if self.param.affine:
            self.weight((x[1],), caffe_pb2.FillerParameter(value=1))
            self.weight((x[1],))
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        axes = tuple(range(2, x.ndim))
        mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
        variance = x.var(axis=axes, keepdims=True, dtype=np.float64)
        y = ((x - mean) / np.sqrt(variance + self.param.eps)).astype(np.float32)
        if self.param.affine:
            y = y * along(self.values[0], x.ndim) + along(self.values[1], x.ndim)
        return [y]


@layer("Normalize", "NormalizeBBox", field="norm_param")
class Normalize(Reference):
    """SSD's x / sqrt(sum x^2 + eps), over all of an image or over channels, times a learned scale for each channel."""

    @property
    def param(self) -> Message:
        fork = self.layer.fork
        return fork.normalize_bbox_param if fork.HasField("normalize_bbox_param") else fork.norm_param

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) >= 2, f"takes a bottom of at least 2 axes, not {shape_text(x)}")
        channels = self.legacy(x)[1]
        p = self.param
        one = p.scale_filler if p.HasField("scale_filler") else caffe_pb2.FillerParameter(value=1)
        self.weight(() if p.channel_shared else (channels,), one)
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        axes = tuple(range(1, x.ndim)) if self.param.across_spatial else (1,)
        squares = np.square(x).sum(axis=axes, keepdims=True, dtype=np.float64)
        norm = np.sqrt(squares + self.param.eps).astype(np.float32)
        return [x / norm * along(self.values[0].reshape(-1), x.ndim)]

"""Layers that work on every number by itself."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, constant, layer
from caffe2.proto import caffe_pb2


class Neuron(Reference):
    """One bottom, one top of its shape."""

    def shapes(self, x: Shape) -> list[Shape]:
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [self.compute(x)]

    def compute(self, x: np.ndarray) -> np.ndarray:
        """The top for the bottom x."""
        raise NotImplementedError


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), by way of tanh, which never overflows."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def leaky(x: np.ndarray, slope: float | np.ndarray) -> np.ndarray:
    """max(x, 0) + slope min(x, 0)."""
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


@layer("AbsVal")
class AbsVal(Neuron):
    """|x|."""

    inplace = False

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x)


@layer("BNLL")
class BNLL(Neuron):
    """log(1 + e^x)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@layer("Clip", field="clip_param")
class Clip(Neuron):
    """min(max(x, low), high)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(self.param.min, np.minimum(x, self.param.max))


@layer("Dropout", field="dropout_param")
class Dropout(Neuron):
    """x while testing; while training x/(1-ratio) with probability 1-ratio, else 0.

    Forks add `sample_weights_test`, to do so while testing too, and `scale_train: false`, to scale then and not before.
    """

    forks = frozenset({"dropout_param.sample_weights_test", "dropout_param.scale_train"})

    def shapes(self, x: Shape) -> list[Shape]:
        ratio = self.param.dropout_ratio
        self.expect(0 < ratio < 1, f"must lie between 0 and 1, not {ratio:g}", "dropout_ratio")
        return [x]

    def compute(self, x: np.ndarray) -> np.ndarray:
        fork, ratio = self.layer.fork.dropout_param, self.param.dropout_ratio
        if self.phase == caffe_pb2.TEST and not fork.sample_weights_test:
            return x if fork.scale_train else x * (1 - ratio)
        keep = self.rng.random(x.shape, np.float32) >= ratio
        return x * keep / (1 - ratio) if fork.scale_train else x * keep


@layer("ELU", field="elu_param")
class ELU(Neuron):
    """x where x > 0, else alpha (e^x - 1)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0) + self.param.alpha * (np.exp(np.minimum(x, 0)) - 1)


class Logarithmic(Neuron):
    """Layers with a base, e where it is -1."""

    def shapes(self, x: Shape) -> list[Shape]:
        base = self.param.base
        self.expect(base == -1 or base > 0, f"must be positive, or -1 for e, not {base:g}", "base")
        self.log = 1.0 if base == -1 else math.log(base)
        self.expect(math.isfinite(self.log), f"{base:g} has no finite logarithm", "base")
        return [x]


@layer("Exp", field="exp_param")
class Exp(Logarithmic):
    """base^(shift + scale x)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        outer = np.exp(np.float32(self.log * self.param.shift))
        return np.exp(np.float32(self.log * self.param.scale) * x) * outer


@layer("Log", field="log_param")
class Log(Logarithmic):
    """log_base(shift + scale x)."""

    def shapes(self, x: Shape) -> list[Shape]:
        super().shapes(x)
        self.expect(self.log != 0, "1 is no base of logarithms", "base")
        return [x]

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.log(self.param.scale * x + self.param.shift) / np.float32(self.log)


@layer("Power", field="power_param")
class Power(Neuron):
    """(shift + scale x)^power; the constant shift^power where power scale = 0, whatever x is."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        p = self.param
        if p.power * p.scale == 0:
            value = np.float32(1) if p.power == 0 else np.power(np.float32(p.shift), np.float32(p.power))
            return np.full_like(x, value)
        y = p.scale * x + p.shift
        return y if p.power == 1 else np.power(y, np.float32(p.power))


@layer("PReLU", field="prelu_param")
class PReLU(Neuron):
    """max(x, 0) + a min(x, 0), a learned for each channel or shared by all."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) >= 2, f"takes a bottom of at least 2 axes, not {len(x)}")
        channels = self.legacy(x)[1]
        p = self.param
        self.weight(() if p.channel_shared else (channels,), p.filler if p.HasField("filler") else constant(0.25))
        return [x]

    def compute(self, x: np.ndarray) -> np.ndarray:
        slope = self.values[0].reshape(-1, *(1,) * (x.ndim - 2))
        return leaky(x, slope)


@layer("ReLU", field="relu_param")
class ReLU(Neuron):
    """max(x, 0) + negative_slope min(x, 0)."""

    forks = frozenset({"relu_param.relu_max"})

    def compute(self, x: np.ndarray) -> np.ndarray:
        y = leaky(x, self.param.negative_slope) if self.param.negative_slope else np.maximum(x, 0)
        fork = self.layer.fork.relu_param
        return np.minimum(y, fork.relu_max) if fork.HasField("relu_max") else y


@layer("ReLU6", field="relu6_param")
class ReLU6(Neuron):
    """min(max(x, 0), 6) + negative_slope min(x, 0) (MobileNet forks)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.minimum(leaky(x, self.param.negative_slope), 6)


@layer("Sigmoid", field="sigmoid_param")
class Sigmoid(Neuron):
    """1 / (1 + e^-x)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return sigmoid(x)


@layer("Swish", field="swish_param")
class Swish(Neuron):
    """x sigmoid(beta x)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return x * sigmoid(self.param.beta * x)


@layer("Mish")
class Mish(Neuron):
    """x tanh(log(1 + e^x))."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@layer("HardSwish")
class HardSwish(Neuron):
    """x min(max(x + 3, 0), 6) / 6 (MobileNet v3)."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return x * np.clip(x + 3, 0, 6) / 6


@layer("TanH", field="tanh_param")
class TanH(Neuron):
    """tanh x."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)


@layer("Threshold", field="threshold_param")
class Threshold(Neuron):
    """1 where x > threshold, else 0."""

    def compute(self, x: np.ndarray) -> np.ndarray:
        return (x > self.param.threshold).astype(np.float32)

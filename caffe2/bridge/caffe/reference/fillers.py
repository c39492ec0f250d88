"""How Caffe fills parameters that no file has: constants, random numbers of given spread, bilinear kernels."""

from __future__ import annotations

import math

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Shape
from caffe2.proto import caffe_pb2

_FAN_OUT, _AVERAGE = caffe_pb2.FillerParameter.FAN_OUT, caffe_pb2.FillerParameter.AVERAGE


def fill(filler: Message | None, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """An array of `shape` filled by a FillerParameter (None: zeros), float32.

    Raises:
        ValueError: a type that Caffe does not have, or a shape that the type does not take.
    """
    if filler is None:
        return np.zeros(shape, np.float32)
    if why := check_filler(filler, shape):
        raise ValueError(why)
    return np.asarray(_FILLERS[filler.type](filler, shape, rng), np.float32).reshape(shape)


def check_filler(filler: Message | None, shape: Shape) -> str:
    """Why Caffe would refuse to fill a parameter of `shape`; "" if it would not."""
    if filler is None:
        return ""
    if not math.prod(shape):
        return f"a parameter of shape {shape} has no numbers to fill"
    if filler.type not in _FILLERS:
        return f'unknown filler type "{filler.type}"; there are {", ".join(_FILLERS)}'
    if filler.sparse != -1 and filler.type != "gaussian":
        return "sparse is for the type gaussian"
    if filler.type == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        return "bilinear fills 4 axes, of which the last two are equal"
    return ""


def _scale(filler: Message, shape: Shape) -> float:
    """The number of inputs, of outputs, or their mean, by which xavier and msra divide."""
    count = math.prod(shape)
    fan_in = count // shape[0] if shape else 1
    fan_out = count // shape[1] if len(shape) > 1 else count
    return {_AVERAGE: (fan_in + fan_out) / 2, _FAN_OUT: fan_out}.get(filler.variance_norm, fan_in)


def _constant(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    return np.full(shape, filler.value)


def _uniform(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    return filler.min + (filler.max - filler.min) * rng.random(shape, np.float32)


def _gaussian(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    values = filler.mean + filler.std * rng.standard_normal(shape, np.float32)
    if filler.sparse < 0:
        return values
    keep = min(1.0, filler.sparse / max(shape[0] if shape else 1, 1))
    return values * (rng.random(shape) < keep)


def _unit_ball(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    values = rng.random(shape, np.float32).reshape(shape[0] if shape else 1, -1)
    return values / values.sum(axis=1, keepdims=True)


def _xavier(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    bound = math.sqrt(3 / _scale(filler, shape))
    return bound * (2 * rng.random(shape, np.float32) - 1)


def _msra(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    return math.sqrt(2 / _scale(filler, shape)) * rng.standard_normal(shape, np.float32)


def _bilinear(filler: Message, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """The weights with which a deconvolution enlarges bilinearly."""
    factor = -(-shape[3] // 2)
    center = (shape[3] - 1) / (2 * factor)
    line = 1 - np.abs(np.arange(shape[3]) / factor - center)
    return np.broadcast_to(np.outer(line, line), shape)


_FILLERS = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _unit_ball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}

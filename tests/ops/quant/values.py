"""Quantized tensors for tests, and what they stand for."""

from __future__ import annotations

import numpy as np
import torch

from caffe2.runtime.blob import Int8Tensor


def bytes_of(rng: np.random.Generator, *shape: int, scale: float = 0.1, zero_point: int = 120) -> Int8Tensor:
    """A quantized tensor of random bytes."""
    return Int8Tensor(torch.from_numpy(rng.integers(0, 256, shape, np.uint8)), scale, zero_point)


def bias_of(rng: np.random.Generator, count: int, scale: float) -> Int8Tensor:
    """A quantized bias: 32-bit integers."""
    return Int8Tensor(torch.from_numpy(rng.integers(-500, 500, count).astype(np.int32)), scale, 0)


def real(x: Int8Tensor) -> np.ndarray:
    """The values that a quantized tensor stands for, in double precision."""
    return (x.data.numpy().astype(np.float64) - x.zero_point) * x.scale


def nearest(y: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """The bytes nearest to values."""
    return np.clip(np.rint(y / scale) + zero_point, 0, 255).astype(np.uint8)

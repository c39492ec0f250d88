"""The bundled handwritten digits, as images of 28x28 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
TEST = 360


class Digits(NamedTuple):
    """images: float32[N, 1, 28, 28] within 0..1, ink is 1; labels: int32[N]."""

    images: np.ndarray
    labels: np.ndarray


def load() -> tuple[Digits, Digits]:
    """The training set (1,437 images) and the test set (360)."""
    with np.load(HERE / "digits.npz") as file:
        images, labels = upscale(file["pixels"]), file["labels"].astype(np.int32)
    return Digits(images[:-TEST], labels[:-TEST]), Digits(images[-TEST:], labels[-TEST:])


def upscale(pixels: np.ndarray) -> np.ndarray:
    """uint8[N, 8, 8] of 0..16 as float32[N, 1, 28, 28] of 0..1: bilinear to 24x24, with a border of 2."""
    at = np.clip((np.arange(24) + 0.5) / 3 - 0.5, 0, 7)
    low = np.minimum(at.astype(int), 6)
    weight = np.zeros((24, 8), np.float32)
    weight[np.arange(24), low] = 1 - (at - low)
    weight[np.arange(24), low + 1] = at - low
    large = weight @ (pixels.astype(np.float32) / 16) @ weight.T
    return np.pad(large, ((0, 0), (2, 2), (2, 2)))[:, None]


def samples() -> dict[str, np.ndarray]:
    """The sample images by file name, each float32[1, 28, 28]."""
    from PIL import Image  # an extra: only pictures need it

    folder = HERE / "samples"
    return {p.name: np.asarray(Image.open(p), np.float32)[None] / 255 for p in sorted(folder.glob("*.png"))}

"""A second opinion: OpenCV's own Caffe importer runs the same files, and its outputs are held against the reference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from caffe2.bridge.caffe import reference
from caffe2.bridge.caffe.errors import NetError, Position
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.verify import TOLERANCE


@dataclass(frozen=True)
class Opinion:
    """What OpenCV makes of an output: how far it is from the reference, and whether the shapes are equal."""

    blob: str
    difference: float
    passed: bool

    def __str__(self) -> str:
        verdict = "agrees with the reference" if self.passed else "DIFFERS from the reference"
        return f"opencv: {self.blob}: {verdict}, max |diff| {self.difference:.3g}"


def opinions(net: Net, caffemodel: str | os.PathLike, inputs: Mapping[str, np.ndarray], seed: int = 0) -> list[Opinion]:
    """OpenCV's outputs of a net on `inputs`, compared with the reference's; both need the same weights file.

    Raises:
        NetError: OpenCV 4 is not installed, or it cannot read or run the files (older generations, layers of forks).
    """
    cv2 = _opencv(net)
    place = Position(net.path)
    try:
        other = cv2.dnn.readNetFromCaffe(net.path, os.fspath(caffemodel))
        for name, value in inputs.items():
            other.setInput(np.asarray(value, np.float32), name)
        names = [name for name in other.getUnconnectedOutLayersNames()]
        found = dict(zip(names, other.forward(names), strict=True))
    except cv2.error as error:
        raise NetError(
            f"OpenCV {cv2.__version__} cannot run it: {' '.join(str(error).split())}", position=place
        ) from None
    wanted = reference.run(net, inputs, seed=seed)
    tops = {layer.name: layer.tops[0] for layer in net.layers if layer.tops}
    return [_opinion(tops[name], wanted[tops[name]], value) for name, value in found.items() if name in tops]


def _opencv(net: Net):
    try:
        import cv2
    except ImportError:
        what = "OpenCV is not installed: pip install 'opencv-python-headless<5'"
        raise NetError(what, position=Position(net.path)) from None
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        what = f"OpenCV {cv2.__version__} reads no Caffe models; version 4 does: pip install 'opencv-python-headless<5'"
        raise NetError(what, position=Position(net.path))
    return cv2


def _opinion(blob: str, want: np.ndarray, got: np.ndarray) -> Opinion:
    if got.size != want.size:
        return Opinion(blob, float("inf"), False)
    apart = np.abs(got.reshape(-1).astype(np.float64) - want.reshape(-1))
    top = float(np.abs(want).max()) if want.size else 0.0
    worst = float(apart.max()) if apart.size else 0.0
    return Opinion(blob, worst, bool((apart <= TOLERANCE * (top + np.abs(want.reshape(-1))) + 1e-7).all()))

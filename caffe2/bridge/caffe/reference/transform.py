"""What transform_param does to an image before a net sees it: crop, mirror, subtract a mean, scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import TranslatorError
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.mean import read_mean
from caffe2.bridge.caffe.reference.base import Reference
from caffe2.proto import caffe_pb2


def located(reference: Reference, path: str) -> str:
    """A path of a prototxt: as Caffe takes it, from the working directory; or else from the prototxt's folder."""
    beside = Path(reference.layer.path).parent / path
    return str(beside) if not Path(path).exists() and beside.exists() else path


class Transformer:
    """(image - mean) scale, cropped at the center or, while training, anywhere, and then mirrored by chance."""

    def __init__(self, reference: Reference) -> None:
        self.reference: Reference = reference
        self.param: Message = reference.layer.proto.transform_param
        self.mean: np.ndarray | None = None
        both = self.param.HasField("mean_file") and self.param.mean_value
        self._expect(not both, "give mean_file or mean_value, not both", "mean_value")

    def shape(self, image: Shape) -> Shape:
        """The shape that an image [channels, height, width] has afterwards."""
        crop = self.param.crop_size
        self._expect(image[0] > 0, "an image needs at least one channel", "")
        fits = crop <= image[1] and crop <= image[2]
        self._expect(fits, f"{crop} is larger than the image, {image[1]} x {image[2]}", "crop_size")
        return (image[0], crop, crop) if crop else image

    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = self.shape(image.shape)[1:]
        training, rng = self.reference.phase == caffe_pb2.TRAIN, self.reference.rng
        room = (image.shape[1] - height, image.shape[2] - width)
        top, left = (int(rng.integers(r + 1)) if training else r // 2 for r in room)
        values = (image.astype(np.float32) - self._mean(image.shape))[:, top : top + height, left : left + width]
        if self.param.mirror and rng.integers(2):
            values = values[:, :, ::-1]
        return values * np.float32(self.param.scale)

    def _mean(self, shape: Shape) -> np.ndarray:
        if self.mean is None:
            self.mean = self._file_mean() if self.param.HasField("mean_file") else self._value_mean(shape[0])
        if self.param.HasField("mean_file"):
            self._expect(self.mean.shape == shape, f"the mean is {self.mean.shape}, the image {shape}", "mean_file")
        return self.mean

    def _file_mean(self) -> np.ndarray:
        try:
            return read_mean(located(self.reference, self.param.mean_file))
        except TranslatorError as error:
            raise self.reference.layer.error(str(error), "transform_param.mean_file") from None

    def _value_mean(self, channels: int) -> np.ndarray:
        values = list(self.param.mean_value) or [0.0]
        what = f"give one mean_value, or one for each of the {channels} channels, not {len(values)}"
        self._expect(len(values) in (1, channels), what, "mean_value")
        return np.array(values, np.float32).reshape(-1, 1, 1)

    def _expect(self, condition: bool, what: str, name: str) -> None:
        if not condition:
            raise self.reference.layer.error(what, f"transform_param.{name}" if name else "")

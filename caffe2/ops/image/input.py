"""Batches of pictures with labels, read from databases: decoded, brought to a size, cut out, varied, normalized."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, DType, EnforceNotMet, OutputCount, Site, op
from caffe2.ops.image import record, sampling
from caffe2.ops.image.decoding import Decoding
from caffe2.ops.image.sampling import Box
from caffe2.ops.io.records import Value
from caffe2.runtime.db.reader import DBReader

logger = logging.getLogger(__name__)

UNREADABLE = torch.from_numpy(np.zeros((224, 224, 3), np.uint8))  # torch would start threads, which no fork survives
"""Stands for a picture that cannot be decoded."""


def _pictures(
    reader: Any = None, *, batch_size: int = 0, crop: int = -1, color: bool = True, use_gpu_transform: bool = False
) -> list[Tensor | None]:
    return [None if use_gpu_transform else torch.empty(batch_size, crop, crop, 3 if color else 1, device="meta")]


@op("ImageInput: reader? -> data label *additional", gradient=NONE, host="reader", shape=_pictures, random=True)
class ImageInput(Decoding):
    """Pictures and labels from a database: data = (picture - mean) / std, blue first, cropped.

    A record is a TensorProtos of picture (an image file in a string, or bytes (H, W) or (H, W, C)), label, its weights
    for label types 3 and 4, a tensor for each additional output, and perhaps a box (top, left, height, width).

    reader: of a database, as CreateDB makes it; without it db and db_type say which.
    data: (batch_size, crop, crop, C), float32; with use_gpu_transform on a GPU (batch_size, C, crop, crop) of
        output_type.
    label: (batch_size), or (batch_size, num_labels), see label_type.
    additional: (batch_size, ...): further tensors of the records.
    batch_size: pictures a run.
    no_prefetch: batches are read when they are asked for, not one ahead.
    color: pictures of three channels, not of one.
    color_jitter: brightness, contrast and saturation are varied by chance.
    img_saturation, img_brightness, img_contrast: by how much at most.
    color_lighting: colors are varied along the principal components of ImageNet's colors.
    color_lighting_std: the standard deviation of that.
    scale_jitter_type: 1: a part of random size and shape is cut out (not with is_test); 0: none.
    label_type: 0: one number; 1: the places of the labels that hold; 2 and 5: a number for each label; 3: places and
        weights; 4: as 0.
    num_labels: how many labels there are, for all types but 0 and 4.
    scale: the length that the shorter side is brought to.
    minsize: the least length of the shorter side; shorter ones are brought to it.
    random_scale: (least, most): the length of the shorter side is drawn from there for each picture.
    warp: both sides are brought to `scale`.
    crop: height and width of what is cut out: anywhere, or at the center with is_test.
    mirror: every picture is mirrored with probability 1/2 (not with is_test).
    is_test: nothing is left to chance.
    mean, std: the mean and the standard deviation, one number for all channels.
    mean_per_channel, std_per_channel: the same for each channel, blue first; instead of those.
    use_caffe_datum: records are Caffe's Datum messages.
    use_gpu_transform: pictures are normalized on the GPU, without jitter.
    output_type: the element type of data with use_gpu_transform: float or float16.
    decode_threads: how many threads decode.
    max_decode_error_ratio: the share of pictures in a batch that may be unreadable; those become black.
    db, db_type: the path of the database and its kind, where there is no reader.
    output_sizes: how many numbers each additional tensor has in a record.
    bounding_ymin, bounding_xmin, bounding_height, bounding_width: the part of the picture to use where a record has no
        box of its own.
    """

    label_type: int = 0
    num_labels: int = 0
    color: bool = True
    color_jitter: bool = False
    img_saturation: float = 0.4
    img_brightness: float = 0.4
    img_contrast: float = 0.4
    color_lighting: bool = False
    color_lighting_std: float = 0.1
    scale_jitter_type: int = 0
    scale: int = -1
    minsize: int = -1
    random_scale: tuple[int, ...] = (-1, -1)
    warp: bool = False
    crop: int = -1
    mirror: bool = False
    is_test: bool = False
    mean: float = 0.0
    std: float = 1.0
    mean_per_channel: tuple[float, ...] = ()
    std_per_channel: tuple[float, ...] = ()
    bounding_ymin: int = -1
    bounding_xmin: int = -1
    bounding_height: int = -1
    bounding_width: int = -1
    use_caffe_datum: bool = False
    use_gpu_transform: bool = False
    output_type: DType = torch.float32
    decode_threads: int = 4
    db: str = ""
    db_type: str = "leveldb"
    output_sizes: tuple[int, ...] = ()
    max_decode_error_ratio: float = 1.0
    count: OutputCount

    def bind(self, site: Site) -> None:
        self._demand()
        self.box = Box(self.bounding_ymin, self.bounding_xmin, self.bounding_height, self.bounding_width)
        channels = 3 if self.color else 1
        means, deviations = self.mean_per_channel or (self.mean,), self.std_per_channel or (self.std,)
        self.means = torch.tensor(means).expand(3)[:channels]
        self.deviations = torch.tensor(deviations).expand(3)[:channels]
        self.planes = self.use_gpu_transform and self.device.type != "cpu"
        if not site.inputs and not self.db:
            raise EnforceNotMet("ImageInput: without a reader it needs the name of a database, db")
        self.own = None if site.inputs else DBReader(self.db_type, self.db)

    def _demand(self) -> None:
        low, high = self.random_scale if len(self.random_scale) == 2 else (0, -1)
        self.shorter = low if low != -1 and high != -1 else self.minsize
        side = max(self.scale, self.shorter)
        single = self.label_type in (record.SINGLE, record.WEIGHTED_SINGLE)
        counts = len(self.mean_per_channel) or 1, len(self.std_per_channel) or 1
        for wrong, why in (
            (self.batch_size < 1, f"batch_size is {self.batch_size}, not positive"),
            (self.decode_threads < 1, f"decode_threads is {self.decode_threads}, not positive"),
            (not 0 <= self.label_type <= record.EMBEDDING, f"label_type is {self.label_type}, not 0 to 5"),
            (self.use_caffe_datum and not single, "a Datum has a single label: label_type is 0 or 4"),
            (self.use_caffe_datum and self.count > 2, "a Datum has no additional outputs"),
            (not single and self.num_labels < 1, f"label_type {self.label_type} needs num_labels"),
            (high < low, f"random_scale is [least, most], not {list(self.random_scale)}"),
            ((self.scale > 0) == (self.shorter > 0), "give one of scale and minsize (or random_scale)"),
            (self.crop < 1, "crop is needed, and positive"),
            (side < self.crop, f"crop, {self.crop}, is more than the shorter side is brought to, {side}"),
            (counts not in ((1, 1), (3, 3)), f"{counts[0]} means and {counts[1]} deviations; 1 or 3 of each"),
            (self.output_sizes and len(self.output_sizes) != self.count - 2, "output_sizes has a size an output"),
        ):
            if wrong:
                raise EnforceNotMet(f"ImageInput: {why}")

    def __call__(self, reader: DBReader | None = None) -> list[Value]:
        return super().__call__(self.own if reader is None else reader)

    def read(self, source: DBReader) -> list[Value]:
        found = self.decoded(source, self.decode_threads)
        unreadable = sum(bad for *_, bad in found)
        if unreadable:
            logger.warning("%d of %d pictures cannot be decoded, and are black", unreadable, self.batch_size)
        if unreadable > self.max_decode_error_ratio * self.batch_size:
            raise EnforceNotMet(f"ImageInput: {unreadable} of {self.batch_size} pictures cannot be decoded")
        data = torch.stack([picture for picture, *_ in found])
        rows = [[label for _, label, _, _ in found], *zip(*(others for _, _, others, _ in found))]
        return [data, *(_stacked(column) for column in rows)]

    def _one(self, entry: tuple[bytes, bytes], seed: int) -> tuple[Tensor, np.ndarray, list[np.ndarray], bool]:
        key, content = entry
        if self.use_caffe_datum:
            found = record.of_datum(content, key)
        else:
            found = record.example(content, key, self.label_type, self.num_labels, self.count - 2)
        for wanted, other in zip(self.output_sizes or [1] * len(found.others), found.others):
            if other.size != wanted:
                raise EnforceNotMet(f"ImageInput: record {key!r} has {other.size} numbers for an output of {wanted}")
        try:
            picture, bad = record.pixels(found.picture, self.color), False
        except EnforceNotMet:
            picture, bad = UNREADABLE[:, :, : 3 if self.color else 1], True
        box = found.box if found.box is not None else self.box
        rng = np.random.default_rng(seed)
        return self._cut(box.of(picture) if box.within(picture) else picture, rng), found.label, found.others, bad

    def _cut(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """The picture as crop x crop values; whole numbers where they are normalized later."""
        part = None
        if self.scale_jitter_type == 1 and not self.is_test:
            part = sampling.somewhere(picture, self.crop, rng)
        part = self._scaled(picture, rng) if part is None else part
        room = [n - self.crop for n in part.shape[:2]]
        if min(room) < 0:
            raise EnforceNotMet(f"ImageInput: a picture is {part.shape[0]} x {part.shape[1]}, crop is {self.crop}")
        top, left = (r // 2 if self.is_test else int(rng.integers(r + 1)) for r in room)
        part = part[top : top + self.crop, left : left + self.crop]
        if self.mirror and not self.is_test and rng.integers(2):
            part = part.flip(1)
        if self.planes:
            return part
        values = part.float()
        if self.color and not self.is_test and self.color_jitter:
            values = sampling.jittered(values, self.img_saturation, self.img_brightness, self.img_contrast, rng)
        if self.color and not self.is_test and self.color_lighting:
            values = sampling.lit(values, self.color_lighting_std, rng)
        return (values - self.means) / self.deviations

    def _scaled(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        height, width = picture.shape[:2]
        side = self.scale if self.scale > 0 else self.shorter
        if self.shorter == self.random_scale[0] != -1:
            side = int(rng.integers(self.random_scale[0], self.random_scale[1] + 1))
        longer = int(np.float32(max(height, width)) * np.float32(side) / np.float32(min(height, width)))
        wanted = (side, side) if self.warp else (longer, side) if height > width else (side, longer)
        if (self.scale > 0 and wanted != (height, width)) or wanted[0] > height or wanted[1] > width:
            return sampling.resized(picture, *wanted)
        return picture

    def _placed(self, values: list[Value]) -> list[Value]:
        data, *rest = super()._placed(values)
        if self.planes:
            data = (data.permute(0, 3, 1, 2).float() - self.means.to(data.device).view(-1, 1, 1)) / self.deviations.to(
                data.device
            ).view(-1, 1, 1)
            data = data.to(self.output_type)
        return [data, *rest]


def _stacked(column: Any) -> Tensor:
    kinds = {(v.dtype.name, v.shape) for v in column}
    if len(kinds) > 1:
        raise EnforceNotMet(f"ImageInput: tensors of one output are not alike in a batch: {sorted(map(str, kinds))}")
    return torch.from_numpy(np.stack(column))

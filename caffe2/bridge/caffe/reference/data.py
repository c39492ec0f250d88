"""Layers without bottoms: what a net is fed with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.fillers import fill
from caffe2.bridge.caffe.reference.records import database, datum_image, decoded, hdf5_rows
from caffe2.bridge.caffe.reference.transform import Transformer, located


class Source(Reference):
    """A layer without bottoms; what it cannot make itself has to be given."""

    bottoms, tops = (0, 0), (1, None)

    def here(self) -> bool:
        return False

    def forward(self) -> Sequence[np.ndarray]:
        raise self.error("this layer's tops have to be given as inputs")


@layer("Input", field="input_param")
class Input(Source):
    """Blobs of given shapes, filled from outside."""

    def shapes(self) -> list[Shape]:
        given, tops = [tuple(shape.dim) for shape in self.param.shape], len(self.layer.tops)
        self.expect(len(given) > 0, "give a shape, here or as the input shape of the translation", "shape")
        self.expect(
            len(given) in (1, tops), f"give it once, or once for each of {tops} tops, not {len(given)}", "shape"
        )
        return given * tops if len(given) == 1 else given


@layer("DummyData", field="dummy_data_param")
class DummyData(Source):
    """Blobs of given shapes, filled by fillers."""

    def here(self) -> bool:
        return True

    def shapes(self) -> list[Shape]:
        p, tops = self.param, len(self.layer.tops)
        self.expect(len(p.data_filler) in (0, 1, tops), f"give 0, 1 or {tops}, not {len(p.data_filler)}", "data_filler")
        old = {name: tuple(getattr(p, name)) for name in ("num", "channels", "height", "width")}
        if any(old.values()):
            self.expect(not p.shape, "give shape, or num, channels, height and width, not both", "shape")
            for name, values in old.items():
                self.expect(len(values) in (1, tops), f"give it once, or once for each of {tops} tops", name)
            columns = [values * tops if len(values) == 1 else values for values in old.values()]
            return list(zip(*columns, strict=True))
        self.expect(len(p.shape) in (1, tops), f"give it once, or once for each of {tops} tops", "shape")
        shapes = [tuple(shape.dim) for shape in p.shape]
        return shapes * tops if len(shapes) == 1 else shapes

    def forward(self) -> list[np.ndarray]:
        fillers = list(self.param.data_filler) or [None]
        fillers = fillers * len(self.layer.tops) if len(fillers) == 1 else fillers
        try:
            tops = zip(fillers, self.layer.top_shapes, strict=True)
            return [fill(filler, shape, self.rng) for filler, shape in tops]
        except ValueError as error:
            raise self.error(str(error), "data_filler") from None


@layer("MemoryData", field="memory_data_param", tops=(2, 2))
class MemoryData(Source):
    """Images and labels put into the layer by a program."""

    def shapes(self) -> list[Shape]:
        p = self.param
        shape = (p.batch_size, p.channels, p.height, p.width)
        self.expect(
            math.prod(shape) > 0, "batch_size, channels, height and width must be given and positive", "batch_size"
        )
        return [shape, shape[:1]]


class Files(Source):
    """Layers that read files; where these are not here, the shapes stay unknown."""

    source = ""

    def shapes(self) -> list[Shape | None]:
        self.expect(bool(self.param.source), "must be given", "source")
        self.expect(self.param.batch_size > 0, "must be positive", "batch_size")
        self.source = located(self, self.param.source)
        return self.known() if self.here() else self.assumed()

    def here(self) -> bool:
        path = Path(self.source)
        return path.is_file() or path.is_dir()

    def assumed(self) -> list[Shape | None]:
        """The shapes as far as the parameters tell them."""
        return [None] * len(self.layer.tops)

    def known(self) -> list[Shape | None]:
        """The shapes, from the first record of the source."""
        return [None] * len(self.layer.tops)


class Images(Files):
    """Images with labels, transformed."""

    tops = (2, 2)

    def shapes(self) -> list[Shape | None]:
        self.transform = Transformer(self)
        return super().shapes()

    def known(self) -> list[Shape | None]:
        first = next(self.items(), None)
        if first is None:
            raise self.error(f"{self.source} has no records", "source")
        batch = self.param.batch_size
        return [(batch, *self.transform.shape(first[0].shape)), (batch,)][: len(self.layer.tops)]

    def assumed(self) -> list[Shape | None]:
        sizes, crop = self.sizes(), self.transform.param.crop_size
        sizes = (sizes[0] or 3, crop, crop) if crop else sizes  # cropped images are mostly photographs, in color
        batch = self.param.batch_size
        return [(batch, *sizes) if all(sizes) else None, (batch,)][: len(self.layer.tops)]

    def sizes(self) -> Shape:
        """Channels, height and width of an image; 0 for what the parameters do not tell."""
        values = len(self.transform.param.mean_value)
        gray, color = self.transform.param.force_gray, self.transform.param.force_color
        return 1 if gray else 3 if color else values if values > 1 else 0, 0, 0

    def items(self) -> Iterator[tuple[np.ndarray, int]]:
        """The images and labels of the source, once."""
        raise NotImplementedError

    def forward(self) -> list[np.ndarray]:
        if not self.here():
            return super().forward()
        stream = chain.from_iterable(self.items() for _ in repeat(None))
        images, labels = zip(*islice(stream, self.param.batch_size), strict=True)
        shapes = {image.shape for image in images}
        if len(shapes) > 1 and not self.transform.param.crop_size:
            raise self.error(f"images of different sizes in one batch: {sorted(shapes)[:2]}", "source")
        tops = [np.stack([self.transform(image) for image in images]), np.array(labels, np.float32)]
        return tops[: len(self.layer.tops)]


@layer("Data", field="data_param", tops=(1, 2))
class Data(Images):
    """Images of a data base of Datum records."""

    def items(self) -> Iterator[tuple[np.ndarray, int]]:
        return (datum_image(self, value) for value in database(self, self.source))


@layer("ImageData", field="image_data_param")
class ImageData(Images):
    """Images that a text file lists, a path and a label a line."""

    def shapes(self) -> list[Shape | None]:
        high, wide = self.param.new_height, self.param.new_width
        self.expect((high > 0) == (wide > 0), "give new_height and new_width, or none of them", "new_height")
        return super().shapes()

    def sizes(self) -> Shape:
        return 3 if self.param.is_color else 1, self.param.new_height, self.param.new_width

    def items(self) -> Iterator[tuple[np.ndarray, int]]:
        p = self.param
        size = (p.new_height, p.new_width) if p.new_height else None
        for line in Path(self.source).read_text("utf-8", "surrogateescape").splitlines():
            path, _, label = line.rpartition(" ")
            digits = label if label.lstrip("-").isdigit() else "0"
            yield decoded(self, located(self, p.root_folder + path), p.is_color, size), int(digits)


@layer("HDF5Data", field="hdf5_data_param")
class HDF5Data(Files):
    """Rows of the data sets, named like the tops, of the HDF5 files that a text file lists."""

    def shapes(self) -> list[Shape | None]:
        self.expect(not self.layer.proto.HasField("transform_param"), "HDF5Data transforms nothing", "")
        return super().shapes()

    def known(self) -> list[Shape | None]:
        self.files = Path(self.source).read_text("utf-8", "surrogateescape").split()
        self.expect(bool(self.files), f"{self.source} lists no file", "source")
        first = hdf5_rows(self, located(self, self.files[0]))
        return [(self.param.batch_size, *rows.shape[1:]) for rows in first]

    def forward(self) -> list[np.ndarray]:
        if not self.here():
            return super().forward()
        parts: list[list[np.ndarray]] = []
        left, names = self.param.batch_size, chain.from_iterable(repeat(self.files))
        while left > 0:
            parts.append([rows[:left] for rows in hdf5_rows(self, located(self, next(names)))])
            left -= len(parts[-1][0])
        try:
            return [np.concatenate(rows) for rows in zip(*parts, strict=True)]
        except ValueError as error:
            raise self.error(f"files of different shapes: {error}", "source") from None


@layer("WindowData", field="window_data_param", tops=(2, 2))
class WindowData(Files):
    """Windows of images, foreground and background by chance; they have to be given."""

    def here(self) -> bool:
        return False


@layer("DenseImageData", field="dense_image_data_param", tops=(2, 2))
class DenseImageData(Files):
    """SegNet's images with a label for every pixel; they have to be given."""

    def here(self) -> bool:
        return False


@layer("HDF5Output", field="hdf5_output_param", bottoms=(2, 2), tops=(0, 0))
class HDF5Output(Reference):
    """Writes its bottoms to a file; here, nothing."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        self.expect(x[:1] == y[:1], "data and labels must be equally many")
        return []

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return []

"""Caffe's data layers: batches out of databases, lists of images and HDF5 files; and HDF5 output."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, op
from caffe2.ops.caffe.image import Pictures, Size, decoded, resized
from caffe2.proto import caffe_pb2
from caffe2.runtime import db

TABLES = (".ldb", ".sst")


def _readable(path: str, keeper: Any) -> str:
    """A LevelDB to read: opening one writes to its folder, so another with links to its tables is opened instead."""
    scratch = tempfile.mkdtemp(prefix="leveldb-")
    weakref.finalize(keeper, shutil.rmtree, scratch, ignore_errors=True)
    for entry in os.scandir(path):
        target = os.path.join(scratch, entry.name)
        if entry.name.endswith(TABLES):
            os.symlink(os.path.abspath(entry.path), target)
        elif entry.is_file() and entry.name != "LOCK":
            shutil.copyfile(entry.path, target)
    return scratch


@op("CaffeData: mean? -> data label?", host="mean", shape=UNKNOWN, gradient=NONE)
class Data(Pictures):
    """Images and labels of a database of Caffe's Datum records in the order of their keys.

    An image is (image - mean) * scale, cropped.

    source, backend: the path of the database and its kind, lmdb or leveldb.
    force_color, force_gray: encoded images are decoded to three channels, or to one.
    rand_skip: so many records at most, drawn by chance, are left out at the beginning.
    """

    source: str
    backend: str = "lmdb"
    force_color: bool = False
    force_gray: bool = False
    rand_skip: int = 0

    _cursor: Any = None

    def following(self) -> tuple[Tensor, int]:
        if self._cursor is None:
            self._open()
        elif not self._cursor.valid():
            self._cursor.seek_to_first()
        value = self._cursor.value()
        self._cursor.next()
        return self._image(value)

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor = None
            self._database.close()

    def _open(self) -> None:
        if self.backend == "leveldb" and not os.path.isdir(self.source):
            raise EnforceNotMet(f"there is no leveldb at {self.source!r}")
        path = _readable(self.source, self) if self.backend == "leveldb" else self.source
        self._database = db.open_db(self.backend, path, db.Mode.read)
        self._cursor = self._database.new_cursor()
        if not self._cursor.valid():
            raise EnforceNotMet(f"the {self.backend} {self.source!r} has no records")
        for _ in range(self.chance(self.rand_skip) if self.rand_skip else 0):
            self._cursor.next()
            if not self._cursor.valid():
                self._cursor.seek_to_first()

    def _image(self, value: bytes) -> tuple[Tensor, int]:
        try:
            datum = caffe_pb2.Datum.FromString(bytes(value))
        except DecodeError:
            raise EnforceNotMet(f"a record of {self.source!r} is no Datum") from None
        if datum.encoded:
            return decoded(datum.data, True if self.force_color else False if self.force_gray else None), datum.label
        shape = (datum.channels, datum.height, datum.width)
        flat = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
        if min(shape) < 0 or flat.size != shape[0] * shape[1] * shape[2]:
            raise EnforceNotMet(f"a Datum of sizes {shape} has {flat.size} numbers")
        return torch.from_numpy(flat.reshape(shape).copy()), datum.label


@op("CaffeImageData: mean? -> data label", host="mean", shape=UNKNOWN, gradient=NONE)
class ImageData(Pictures):
    """Images and labels that a text file lists, a path and a number a line: (image - mean) * scale, cropped.

    source: the text file.
    root_folder: stands before every path.
    folder: where to look for files that are not found as they stand.
    new_height, new_width: the size to bring images to; 0 for as they are.
    is_color: images of three channels, or of one.
    shuffle: in a new order each time through.
    rand_skip: so many at most, drawn by chance, are left out at the beginning.
    """

    source: str
    root_folder: str = ""
    folder: str = ""
    new_height: int = 0
    new_width: int = 0
    is_color: bool = True
    shuffle: bool = False
    rand_skip: int = 0

    _order: Iterator[tuple[str, int]] | None = None

    def following(self) -> tuple[Tensor, int]:
        if self._order is None:
            self._order = self._endless()
        path, label = next(self._order)
        image = decoded(_located(self.root_folder + path, self.folder), self.is_color)
        size: Size = (self.new_height, self.new_width)
        return (resized(image, size) if all(size) else image), label

    def _endless(self) -> Iterator[tuple[str, int]]:
        lines = [line.rpartition(" ") for line in _lines(self.source) if line.strip()]
        if not lines:
            raise EnforceNotMet(f"{self.source!r} lists no images")
        items = [(path, int(label) if label.lstrip("-").isdigit() else 0) for path, _, label in lines]
        skipped = self.chance(self.rand_skip) if self.rand_skip else 0
        while True:
            order = torch.randperm(len(items), generator=self.generator).tolist() if self.shuffle else range(len(items))
            for k in order:
                if not skipped:
                    yield items[k]
                skipped = max(0, skipped - 1)


@op("CaffeHDF5Data: -> +outputs", shape=UNKNOWN, gradient=NONE)
class HDF5Data(Op):
    """Rows of data sets of the HDF5 files that a text file lists.

    outputs: one for each of datasets, (batch_size, ...).
    source: the text file.
    datasets: the names of the data sets.
    folder: where to look for files that are not found as they stand.
    batch_size: how many rows a run gives; behind the last the first follow.
    shuffle: files and rows in a new order each time through.
    """

    source: str
    datasets: tuple[str, ...]
    folder: str = ""
    batch_size: int = 1
    shuffle: bool = False
    generator: torch.Generator
    device: torch.device

    _rows: Iterator[tuple[np.ndarray, ...]] | None = None

    def __call__(self) -> tuple[Tensor, ...]:
        if self._rows is None:
            self._rows = self._endless()
        rows = [next(self._rows) for _ in range(self.batch_size)]
        try:
            return tuple(torch.from_numpy(np.stack(column)).to(self.device) for column in zip(*rows))
        except ValueError as error:
            raise EnforceNotMet(f"the files that {self.source!r} lists are of different shapes: {error}") from None

    def _endless(self) -> Iterator[tuple[np.ndarray, ...]]:
        files = [_located(name, self.folder) for line in _lines(self.source) for name in line.split()]
        if not files:
            raise EnforceNotMet(f"{self.source!r} lists no files")
        while True:
            for k in self._order(len(files)):
                columns = self._read(files[k])
                for row in self._order(len(columns[0])):
                    yield tuple(column[row] for column in columns)

    def _order(self, count: int) -> list[int]:
        return torch.randperm(count, generator=self.generator).tolist() if self.shuffle else list(range(count))

    def _read(self, path: str) -> list[np.ndarray]:
        try:
            with _h5py().File(path, "r") as file:
                columns = [np.asarray(file[name], np.float32) for name in self.datasets]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise EnforceNotMet(f"{path!r} cannot be read: {error}") from None
        lengths = {len(column) if column.ndim else 0 for column in columns}
        if len(lengths) != 1 or 0 in lengths:
            raise EnforceNotMet(f"{path!r}: the data sets must have the same number of rows, at least one")
        return columns


@op("CaffeHDF5Output: data label ->", gradient=NONE)
def hdf5_output(data: Tensor, label: Tensor, *, file_name: str) -> None:
    """Writes two tensors to a new HDF5 file, as the data sets "data" and "label".

    data, label: of any shape.
    file_name: the path of the file.
    """
    with _h5py().File(file_name, "w") as file:
        file["data"], file["label"] = data.cpu().numpy(), label.cpu().numpy()


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise EnforceNotMet("HDF5 files need the package h5py: pip install h5py") from None
    return h5py


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise EnforceNotMet(f"{path!r} cannot be read: {error.strerror}") from None


def _located(path: str, folder: str) -> str:
    beside = os.path.join(folder, path)
    return beside if folder and not os.path.exists(path) and os.path.exists(beside) else path

"""Weights files, `.caffemodel` of any generation and `.caffemodel.h5`: the blobs of every layer, by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.blobs import Blob, blob_of_message, read_blob
from caffe2.bridge.caffe.errors import FileError, Position, WireError
from caffe2.bridge.caffe.kinds import HDF5, open_binary_file, open_file
from caffe2.bridge.caffe.wire import BYTES, VARINT, Field, Reader

if TYPE_CHECKING:
    import h5py

MOST_LAYERS = 100_000
MOST_BLOBS = 1_000
DEEPEST_GROUP = 16


@dataclass(frozen=True)
class LayerWeights:
    """The blobs that a file stores for one layer."""

    name: str
    blobs: tuple[Blob, ...]


@dataclass
class Weights:
    """The layers of a weights file in its order; `partial` says that shared blobs may be left out, as HDF5 files do."""

    path: str = ""
    layers: list[LayerWeights] = field(default_factory=list)
    partial: bool = False

    def blobs(self, name: str) -> tuple[Blob, ...]:
        """The blobs of the layer called `name`, those of the last one where a file has several; () if there is none."""
        return next((layer.blobs for layer in reversed(self.layers) if layer.name == name), ())


def read_weights(path: str | os.PathLike) -> Weights:
    """The weights of a `.caffemodel` (V0, V1 or newest) or HDF5 file, mapped: no number is read before it is used.

    Raises:
        FileError: the file cannot be read or is of another kind, such as a web page, a Git LFS pointer or an archive.
        WireError: it is truncated or damaged.
    """
    name = os.fspath(path)
    if open_file(name)[: len(HDF5)] == HDF5:
        return _read_hdf5(name)
    reader = Reader(open_binary_file(name, "a .caffemodel"), name)
    weights = Weights(name, list(_layers(reader)))
    if not weights.layers:
        raise FileError("no layers in this file: it is no .caffemodel", position=Position(name))
    return weights


def weights_of_message(net: Message) -> Weights:
    """The weights of a NetParameter in memory, of any generation."""
    layers = [(layer.name, layer.blobs) for layer in net.layer]
    for old in net.layers:
        inner = old.layer if old.HasField("layer") else old
        layers.append((inner.name, inner.blobs))
    return Weights("", [LayerWeights(name, tuple(map(blob_of_message, blobs))) for name, blobs in layers])


@dataclass(frozen=True)
class _Numbers:
    """Which field numbers a generation of layers gives to its name and its blobs."""

    name: int
    blobs: int


_NEWEST, _V1, _V0 = _Numbers(1, 7), _Numbers(4, 6), _Numbers(1, 50)
_LAYERS = {100: _NEWEST, 2: _V1}


def _layers(reader: Reader) -> Iterator[LayerWeights]:
    count = 0
    for item in reader.fields():
        if item.number == 1 and item.wire == VARINT:
            raise FileError(_other_message(), position=Position(reader.path))
        if item.number in _LAYERS and item.wire == BYTES:
            count += 1
            if count > MOST_LAYERS:
                raise WireError(f"more than {MOST_LAYERS:,} layers", position=Position(reader.path))
            yield _layer(reader, item, _LAYERS[item.number])


def _other_message() -> str:
    return "this is another of Caffe's messages, perhaps a .solverstate or a mean file (.binaryproto), no .caffemodel"


def _layer(reader: Reader, layer: Field, numbers: _Numbers) -> LayerWeights:
    name, blobs = "", []
    for item in reader.fields(layer.start, layer.end):
        if item.wire != BYTES:
            continue
        if numbers is _V1 and item.number == 1:
            return _layer(reader, item, _V0)
        if item.number == numbers.name:
            name = reader.string(item)
        elif item.number == numbers.blobs:
            blobs.append(read_blob(reader, item.start, item.end))
            if len(blobs) > MOST_BLOBS:
                raise reader.damaged(item.start)
    return LayerWeights(name, tuple(blobs))


def open_hdf5(path: str) -> h5py.File:
    """An open HDF5 file.

    Raises:
        FileError: the package that reads it is not installed.
        WireError: it is damaged.
    """
    try:
        import h5py
    except ImportError:
        what = "this is an HDF5 file, and the package h5py is not installed; run: pip install h5py"
        raise FileError(what, position=Position(path)) from None
    try:
        return h5py.File(path, "r")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WireError(f"damaged HDF5 file: {error}", position=Position(path)) from None


def _read_hdf5(path: str) -> Weights:
    file = open_hdf5(path)
    try:
        group = file.get("data")
        if not hasattr(group, "keys"):
            what = 'this HDF5 file has no group "data": it is no weights file of Caffe\'s (a Keras model?)'
            raise FileError(what, position=Position(path))
        return Weights(path, list(_hdf5_layers(group, "")), partial=True)
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"damaged HDF5 file: {error}", position=Position(path)) from None


def _hdf5_layers(group: h5py.Group, prefix: str) -> Iterator[LayerWeights]:
    """The layers of a group; one inside another comes of a layer's name with a slash."""
    for key in group:
        child, name = group[key], f"{prefix}{key}"
        if not hasattr(child, "keys"):
            continue
        count = sum(1 for index in range(len(child)) if hasattr(child.get(str(index)), "shape"))
        if count or not len(child):
            yield LayerWeights(name, tuple(hdf5_blob(child, index) for index in range(count)))
        if len(child) > count and name.count("/") < DEEPEST_GROUP:
            yield from _hdf5_layers(child, f"{name}/")


def hdf5_blob(group: h5py.Group, index: int) -> Blob:
    """The blob that a group keeps as its data set of that number."""
    data = group[str(index)]
    dtype = np.dtype(np.float64 if data.dtype.itemsize > 4 else np.float32)

    def load() -> np.ndarray:
        try:
            return data[()].astype(dtype, copy=False).reshape(-1)
        except (OSError, RuntimeError, ValueError, TypeError) as error:
            raise WireError(f"damaged HDF5 file: {error}", position=Position(data.file.filename)) from None

    return Blob(tuple(map(int, data.shape)), int(data.size), dtype, load)

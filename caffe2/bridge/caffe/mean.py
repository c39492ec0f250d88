"""Mean images, `.binaryproto` as Caffe computes them or `.npy` as its Python users keep them."""

from __future__ import annotations

import os

import numpy as np

from caffe2.bridge.caffe.blobs import read_blob, shape_text
from caffe2.bridge.caffe.errors import FileError, Position, WireError
from caffe2.bridge.caffe.kinds import NUMPY, open_binary_file, open_file
from caffe2.bridge.caffe.wire import Reader


def read_mean(path: str | os.PathLike) -> np.ndarray:
    """The mean in a `.binaryproto` or `.npy` file, float32, shape [channels, height, width] (or what the .npy has).

    Raises:
        FileError: the file cannot be read, or is of another kind.
        WireError: it is truncated or damaged.
    """
    name = os.fspath(path)
    array = _read_npy(name) if open_file(name)[: len(NUMPY)] == NUMPY else _read_binaryproto(name)
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _read_npy(path: str) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise WireError(f"damaged .npy file: {error}", position=Position(path)) from None
    if array.dtype.kind not in "fiu":
        raise FileError(f"expected numbers, found {array.dtype}", position=Position(path))
    return array


def _read_binaryproto(path: str) -> np.ndarray:
    data = open_binary_file(path, "a mean file (.binaryproto or .npy)")
    blob = read_blob(Reader(data, path), 0, len(data))
    shape, place = blob.shape, Position(path)
    if not blob.size:
        raise FileError("no numbers in this file: it is no mean file (.binaryproto)", position=place)
    if not blob.complete():
        raise WireError(f"shape {shape_text(shape)} but {blob.size:,} numbers", position=place)
    if len(shape) == 4:
        if shape[0] != 1:
            raise FileError(f"a mean is one image, but this file has {shape[0]}", position=place)
        shape = shape[1:]
    return blob.array.reshape(shape)

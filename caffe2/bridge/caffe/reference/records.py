"""The records that data layers read: keys of a data base, rows of HDF5 files, lines of an image list."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference
from caffe2.proto import caffe_pb2


def database(reference: Reference, path: str) -> Iterator[bytes]:
    """The values of an LMDB or LevelDB data base, in the order of its keys.

    Raises:
        LayerError: the package that reads it is missing, or it cannot be read.
    """
    lmdb = reference.param.backend == caffe_pb2.DataParameter.LMDB
    try:
        yield from _lmdb(path) if lmdb else _leveldb(path)
    except ImportError as error:
        raise reference.error(
            f"reading it needs the package {error.name}; run: pip install {error.name}", "source"
        ) from None
    except Exception as error:
        if error.__class__.__module__.partition(".")[0] not in ("lmdb", "plyvel", "builtins"):
            raise
        raise reference.error(f"{path} cannot be read: {error}", "source") from None


def _lmdb(path: str) -> Iterator[bytes]:
    import lmdb

    with lmdb.open(path, readonly=True, lock=False, subdir=Path(path).is_dir()) as base, base.begin() as view:
        yield from (value for _, value in view.cursor())


def _leveldb(path: str) -> Iterator[bytes]:
    """LevelDB writes a log even to read, so a folder that cannot be written is read from a copy."""
    import plyvel

    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(path, Path(scratch) / "db", copy_function=shutil.copyfile)
        copy.chmod(0o700)
        with plyvel.DB(str(copy)) as base:
            yield from (value for _, value in base)


def datum_image(reference: Reference, value: bytes) -> tuple[np.ndarray, int]:
    """The image [channels, height, width] and label of a Datum, an encoded one decoded.

    Raises:
        LayerError: the record is no Datum, or has another count of numbers than its sizes say.
    """
    try:
        datum = caffe_pb2.Datum.FromString(value)
    except DecodeError:
        raise reference.error("a record is no Datum", "source") from None
    if datum.encoded:
        gray = reference.layer.proto.transform_param.force_gray
        return decoded(reference, datum.data, not gray), datum.label
    shape = (datum.channels, datum.height, datum.width)
    flat = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    if min(shape) < 0 or flat.size != shape[0] * shape[1] * shape[2]:
        raise reference.error(f"a Datum of sizes {shape} has {flat.size} numbers", "source")
    return flat.reshape(shape), datum.label


def decoded(reference: Reference, source: bytes | str, color: bool, size: Shape | None = None) -> np.ndarray:
    """An image file, or its bytes, as [channels, height, width] with channels blue, green, red, or gray.

    Raises:
        LayerError: Pillow is missing, or the image cannot be read.
    """
    try:
        import io

        from PIL import Image
    except ImportError:
        raise reference.error("reading images needs Pillow; run: pip install pillow", "source") from None
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image = image.convert("RGB" if color else "L")
            image = image.resize(size[::-1], Image.Resampling.BILINEAR) if size else image
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise reference.error(f"an image cannot be read: {error}", "source") from None
    return pixels[:, :, ::-1].transpose(2, 0, 1) if color else pixels[None]


def hdf5_rows(reference: Reference, path: str) -> list[np.ndarray]:
    """The data sets of an HDF5 file that the layer's tops name.

    Raises:
        LayerError: h5py is missing, the file cannot be read, lacks a data set, or they have different lengths.
    """
    try:
        import h5py
    except ImportError:
        raise reference.error("reading HDF5 needs the package h5py; run: pip install h5py", "source") from None
    try:
        with h5py.File(path, "r") as file:
            rows = [np.asarray(file[name], np.float32) for name in reference.layer.tops]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise reference.error(f"{path} cannot be read: {error}", "source") from None
    lengths = {len(array) if array.ndim else 0 for array in rows}
    if len(lengths) != 1 or 0 in lengths:
        raise reference.error(f"{path}: the data sets must have the same number of rows, at least one", "source")
    return rows

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
        param = reference.layer.proto.transform_param
        reference.expect(not (param.force_color and param.force_gray), "force_color and force_gray exclude each other")
        return decoded(
            reference, datum.data, True if param.force_color else False if param.force_gray else None
        ), datum.label
    shape = (datum.channels, datum.height, datum.width)
    flat = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    if min(shape) < 0 or flat.size != shape[0] * shape[1] * shape[2]:
        raise reference.error(f"a Datum of sizes {shape} has {flat.size} numbers", "source")
    return flat.reshape(shape), datum.label


def decoded(reference: Reference, source: bytes | str, color: bool | None, size: Shape | None = None) -> np.ndarray:
    """An image file, or its bytes, as [channels, height, width] with channels blue, green, red, or gray.

    Without `color` the file says which; `size` is the height and width to bring it to.

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
            gray = image.mode in ("1", "L", "I", "F", "I;16") if color is None else not color
            pixels = np.asarray(image.convert("L" if gray else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise reference.error(f"an image cannot be read: {error}", "source") from None
    planes = pixels[None] if gray else pixels[:, :, ::-1].transpose(2, 0, 1)
    return resized(planes, size) if size else planes


def resized(planes: np.ndarray, size: Shape) -> np.ndarray:
    """Pixels [channels, height, width] brought to another size bilinearly, centers on centers, as OpenCV does."""
    values = planes.astype(np.float32)
    for axis, length in zip((1, 2), size, strict=True):
        old = values.shape[axis]
        place = np.clip((np.arange(length) + 0.5) * (old / length) - 0.5, 0, old - 1)
        low = np.floor(place).astype(np.int64)
        part = (place - low).astype(np.float32).reshape(-1, *(1,) * (2 - axis))
        values = (1 - part) * values.take(low, axis) + part * values.take(np.minimum(low + 1, old - 1), axis)
    return np.rint(values).astype(planes.dtype)


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

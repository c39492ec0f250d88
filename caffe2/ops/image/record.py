"""Records of databases of pictures: a picture, its label, numbers that go with it, and where in it to look."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops.caffe.image import decoded
from caffe2.ops.image.sampling import GRAY, Box
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.runtime.errors import MessageError

SINGLE, SPARSE, DENSE, WEIGHTED_SPARSE, WEIGHTED_SINGLE, EMBEDDING = range(6)
"""Kinds of labels: a number, the numbers of those that hold, one number each, and so on; the argument label_type."""

HELD = {
    caffe2_pb2.TensorProto.FLOAT: ("float_data", np.float32),
    caffe2_pb2.TensorProto.INT32: ("int32_data", np.int32),
    caffe2_pb2.TensorProto.INT64: ("int64_data", np.int64),
    caffe2_pb2.TensorProto.UINT8: ("int32_data", np.uint8),
}
"""Where a TensorProto holds numbers of a type."""


class Example(NamedTuple):
    """What a record says. picture: uint8 [H, W, C]; the bytes of a file until it is decoded."""

    picture: Tensor | bytes
    label: np.ndarray
    others: list[np.ndarray]
    box: Box | None


def parsed(content: bytes, kind: type, key: bytes) -> caffe2_pb2.TensorProtos | caffe_pb2.Datum:
    """The message that a record holds. Raises MessageError where it holds another."""
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise MessageError(f"the record {key!r} is no serialized {kind.DESCRIPTOR.name}: {error}") from None


def numbers(proto: caffe2_pb2.TensorProto, what: str) -> np.ndarray:
    """The numbers that a tensor holds, as a vector."""
    if proto.data_type not in HELD:
        raise MessageError(f"{what} has the element type {proto.data_type}, which is none of numbers")
    field, dtype = HELD[proto.data_type]
    return np.array(getattr(proto, field)).astype(dtype)


def labelled(proto: caffe2_pb2.TensorProto, weights: np.ndarray | None, kind: int, count: int) -> np.ndarray:
    """The label: a scalar, or `count` numbers, of which a sparse one gives the places and, if weighted, the values."""
    given = numbers(proto, "the label")
    if kind in (SINGLE, WEIGHTED_SINGLE):
        if given.size != 1:
            raise MessageError(f"the label is one number; the record has {given.size}")
        return given[0]
    if kind in (DENSE, EMBEDDING):
        if given.size != count:
            raise MessageError(f"the label has num_labels, {count}, numbers; the record has {given.size}")
        return given
    if given.size and not 0 <= given.min() <= given.max() < count:
        raise EnforceNotMet(f"labels from {given.min()} to {given.max()} are not in 0 .. num_labels - 1, {count - 1}")
    label = np.zeros(count, given.dtype if weights is None else np.float32)
    if weights is not None and weights.size != given.size:
        raise MessageError(f"{given.size} labels have {weights.size} weights")
    label[given.astype(int)] = 1 if weights is None else weights
    return label


def example(content: bytes, key: bytes, kind: int, count: int, more: int) -> Example:
    """The example of a TensorProtos record: picture, label, its weights if any, `more` tensors, perhaps a box."""
    protos = parsed(content, caffe2_pb2.TensorProtos, key).protos
    first = 3 if kind in (WEIGHTED_SPARSE, WEIGHTED_SINGLE) else 2
    if len(protos) < first + more:
        raise MessageError(f"the record {key!r} has {len(protos)} tensors; {first + more} are wanted")
    weights = numbers(protos[2], "the weights") if kind == WEIGHTED_SPARSE else None
    box = None
    if len(protos) == first + more + 1:
        edges = numbers(protos[-1], "the box").tolist()
        if len(edges) != 4:
            raise MessageError(f"the box of record {key!r} has {len(edges)} numbers, not 4")
        box = Box(*map(int, edges))
    others = [numbers(p, "an additional tensor") for p in protos[first : first + more]]
    return Example(picture(protos[0], key), labelled(protos[1], weights, kind, count), others, box)


def picture(proto: caffe2_pb2.TensorProto, key: bytes) -> Tensor | bytes:
    if proto.data_type == caffe2_pb2.TensorProto.STRING and len(proto.string_data) == 1:
        return proto.string_data[0]
    if proto.data_type != caffe2_pb2.TensorProto.BYTE:
        raise MessageError(f"the picture of record {key!r} is neither an encoded file nor bytes")
    return _pixels(proto.byte_data, [*proto.dims[:2], proto.dims[2] if len(proto.dims) == 3 else 1], key)


def of_datum(content: bytes, key: bytes) -> Example:
    """The example of a record of Caffe's, a Datum, whose pixels lie plane by plane."""
    datum = parsed(content, caffe_pb2.Datum, key)
    label = np.int32(datum.label)
    if datum.encoded:
        return Example(datum.data, label, [], None)
    planes = _pixels(datum.data, [datum.channels, datum.height, datum.width], key)
    return Example(planes.permute(1, 2, 0), label, [], None)


def _pixels(content: bytes, shape: list[int], key: bytes) -> Tensor:
    if min(shape, default=0) < 1 or np.prod(shape) != len(content):
        raise MessageError(f"the picture of record {key!r} has sizes {shape} and {len(content)} bytes")
    return torch.from_numpy(np.frombuffer(content, np.uint8).reshape(shape).copy())


def pixels(picture: Tensor | bytes, color: bool) -> Tensor:
    """A picture, decoded, with three channels or with one. Raises EnforceNotMet for what is no image."""
    if isinstance(picture, bytes):
        return decoded(picture, color).permute(1, 2, 0)
    channels = picture.shape[2]
    if channels not in (1, 3):
        raise EnforceNotMet(f"a picture has 1 or 3 channels, not {channels}")
    if channels == (3 if color else 1):
        return picture
    if color:
        return picture.expand(-1, -1, 3)
    return (picture.float() @ GRAY)[..., None].round().to(torch.uint8)

"""Blobs as the bytes that Caffe2 stores, and back: BlobProto messages, large tensors in chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError

from caffe2.opdef import STRING, EnforceNotMet, did_you_mean
from caffe2.opdef.dtypes import BY_NUMBER, BY_TORCH
from caffe2.proto import caffe2_pb2
from caffe2.runtime import packed
from caffe2.runtime.blob import Int8Tensor, describe
from caffe2.runtime.device import torch_device
from caffe2.runtime.errors import MessageError, MissingBlob

CHUNK = 1_000_000
"""Elements of a tensor that one message holds, unless asked otherwise."""

FIELDS = {
    torch.float32: "float_data",
    torch.float64: "double_data",
    torch.int64: "int64_data",
}
"""Where a TensorProto holds elements of these types; those of all others are integers in int32_data."""

BITS = {torch.float16: torch.uint16}
"""Element types that are stored as the integers with the same bits."""


@dataclass(frozen=True)
class Format:
    """How values of a class are written to a BlobProto and read from one."""

    write: Callable[[Any, caffe2_pb2.BlobProto], None]
    read: Callable[[caffe2_pb2.BlobProto], Any]


_by_class: dict[type, tuple[str, Format]] = {}
_by_name: dict[str, Format] = {}


def stored_as(kind: type, names: str | tuple[str, ...], write: Callable[..., None], read: Callable[..., Any]) -> None:
    """Have values of a class stored under a type name of the original's; with several names, `write` sets the one."""
    names = (names,) if isinstance(names, str) else names
    form = Format(write, read)
    _by_class[kind] = names[0], form
    _by_name.update(dict.fromkeys(names, form))


def serialize(value: Any, name: str) -> bytes:
    """A blob's value as one serialized BlobProto."""
    ((_, message),) = messages(value, name, chunk=0)
    return message


def messages(value: Any, name: str, chunk: int = CHUNK) -> Iterator[tuple[str, bytes]]:
    """A blob's value as the entries of a database: keys, and serialized BlobProtos.

    A tensor is split into chunks of `chunk` elements, under the keys name#%0, name#%1 and so on; 0 leaves it whole.
    Raises what demand_storable raises.
    """
    if isinstance(value, (torch.Tensor, np.ndarray)):
        count = value.numel() if isinstance(value, torch.Tensor) else value.size
        step = chunk or count + 1
        for number, begin in enumerate(range(0, max(count, 1), step)):
            blob = caffe2_pb2.BlobProto(name=name, type="Tensor")
            blob.tensor.CopyFrom(tensor_proto(value, name, begin, min(begin + step, count)))
            yield f"{name}#%{number}", blob.SerializeToString()
        return
    demand_storable(value, name)
    wire_name, form = _by_class[type(value)]
    blob = caffe2_pb2.BlobProto(name=name, type=wire_name)
    form.write(value, blob)
    yield name, blob.SerializeToString()


def demand_storable(value: Any, name: str) -> None:
    """Raise MissingBlob for a blob that holds nothing, EnforceNotMet for a class that no format is known for."""
    if value is None:
        raise MissingBlob(f"the blob {name!r} holds nothing yet: there is nothing to store")
    if isinstance(value, torch.Tensor):
        if value.dtype not in BY_TORCH:
            raise EnforceNotMet(
                f"the blob {name!r}: elements of {value.dtype} cannot be stored; Cast it to float first"
            )
    elif not isinstance(value, np.ndarray) and type(value) not in _by_class:
        raise EnforceNotMet(f"the blob {name!r} holds a {type(value).__name__}, which cannot be stored")


def deserialize(content: bytes, device: torch.device | None = None) -> Any:
    """The value that a serialized BlobProto holds; tensors on `device`, else on the one that they were stored from.

    Raises MessageError for bytes that are none, or whose parts contradict each other.
    """
    blob = caffe2_pb2.BlobProto()
    try:
        blob.ParseFromString(content)
    except DecodeError as error:
        raise MessageError(f"{len(content)} bytes that are no serialized BlobProto: {error}") from None
    return from_proto(blob, device)


def from_proto(blob: caffe2_pb2.BlobProto, device: torch.device | None = None) -> Any:
    """The value that a BlobProto holds, as `deserialize`."""
    if blob.type == "Tensor":
        return tensor_value(blob.tensor, device)
    if blob.type not in _by_name:
        raise MessageError(f"the blob {blob.name!r} is stored as {blob.type!r}{did_you_mean(blob.type, _by_name)}")
    try:
        return _by_name[blob.type].read(blob)
    except (DecodeError, ValueError, IndexError, RuntimeError) as error:
        if isinstance(error, EnforceNotMet):
            raise
        raise MessageError(f"the blob {blob.name!r}, stored as {blob.type!r}, cannot be read: {error}") from error


def tensor_proto(
    value: torch.Tensor | np.ndarray, name: str | None = None, begin: int = 0, end: int | None = None
) -> caffe2_pb2.TensorProto:
    """The elements from `begin` to before `end`, counted flat, of a tensor of numbers, of strings or of objects.

    Objects are stored each as a BlobProto of its own, the element type undefined.
    """
    demand_storable(value, name or "")
    kind = value.dtype if isinstance(value, torch.Tensor) else STRING
    proto = caffe2_pb2.TensorProto(dims=value.shape, data_type=BY_TORCH[kind].number, name=name)
    flat = value.reshape(-1)[begin:end]
    if kind is STRING and all(isinstance(element, bytes) for element in flat):
        proto.string_data.extend(flat)
    elif kind is STRING:
        proto.data_type = caffe2_pb2.TensorProto.UNDEFINED
        proto.string_data.extend(serialize(element, "") for element in flat)
    else:
        bits = flat.view(BITS[kind]) if kind in BITS else flat
        packed.extend(proto, FIELDS.get(kind, "int32_data"), bits.cpu().numpy())
    proto.device_detail.device_type = caffe2_pb2.CPU
    if kind is not STRING and value.device.type == "cuda":
        proto.device_detail.device_type = caffe2_pb2.HIP if torch.version.hip else caffe2_pb2.CUDA
        proto.device_detail.device_id = value.device.index or 0
    proto.segment.begin, proto.segment.end = begin, begin + len(flat)
    return proto


def tensor_value(proto: caffe2_pb2.TensorProto, device: torch.device | None = None) -> torch.Tensor | np.ndarray:
    """The tensor of a TensorProto; the elements outside its segment are whatever memory holds."""
    return fill(proto, empty(proto, device))


def empty(proto: caffe2_pb2.TensorProto, device: torch.device | None = None) -> torch.Tensor | np.ndarray:
    """A tensor with the shape and type of a TensorProto, to be filled."""
    if any(d < 0 for d in proto.dims):
        raise MessageError(f"the tensor {proto.name!r} is stored with the shape {list(proto.dims)}")
    count = math.prod(proto.dims)
    if proto.data_type == caffe2_pb2.TensorProto.UNDEFINED and not count:
        return torch.empty(0)
    if proto.data_type == caffe2_pb2.TensorProto.UNDEFINED and len(proto.string_data) == count:
        return np.empty(tuple(proto.dims), dtype=object)
    if proto.data_type not in BY_NUMBER:
        raise MessageError(f"the tensor {proto.name!r} is stored with the element type {proto.data_type}")
    if not proto.HasField("segment"):
        _demand(proto, 0, count, _stored(proto))
    kind = BY_NUMBER[proto.data_type].torch
    try:
        if kind is STRING:
            return np.full(tuple(proto.dims), b"", dtype=object)
        return torch.empty(tuple(proto.dims), dtype=kind, device=device or torch_device(proto.device_detail))
    except (RuntimeError, MemoryError, ValueError, AssertionError) as error:
        raise MessageError(f"the tensor {proto.name!r} {list(proto.dims)} cannot be made: {error}") from error


def fill(proto: caffe2_pb2.TensorProto, target: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    """Write the elements of a TensorProto at the place of its segment in `target`; that."""
    whole = target.numel() if isinstance(target, torch.Tensor) else target.size
    begin, end = (proto.segment.begin, proto.segment.end) if proto.HasField("segment") else (0, whole)
    if not 0 <= begin <= end <= whole:
        raise MessageError(
            f"the tensor {proto.name!r} has {whole} elements, and those from {begin} to {end} are stored"
        )
    if begin == end:
        return target
    _demand(proto, begin, end, _stored(proto))
    if isinstance(target, np.ndarray):
        objects = proto.data_type == caffe2_pb2.TensorProto.UNDEFINED
        flat = target.reshape(-1)
        for place, content in enumerate(proto.string_data, begin):
            flat[place] = deserialize(content) if objects else content
        return target
    kind = target.dtype
    if proto.HasField("byte_data"):
        held = torch.frombuffer(bytearray(proto.byte_data), dtype=kind)
    else:
        numbers = packed.array(proto, FIELDS.get(kind, "int32_data"))
        held = torch.from_numpy(numbers.copy() if not numbers.flags.writeable else numbers)
        held = held.to(BITS.get(kind, kind)).view(kind)
    target.view(-1)[begin:end] = held.to(target.device)
    return target


def _stored(proto: caffe2_pb2.TensorProto) -> int:
    """How many elements a TensorProto holds."""
    if proto.data_type in (caffe2_pb2.TensorProto.STRING, caffe2_pb2.TensorProto.UNDEFINED):
        return len(proto.string_data)
    kind = BY_NUMBER[proto.data_type].torch
    if proto.HasField("byte_data") or proto.data_type == caffe2_pb2.TensorProto.BYTE:
        return len(proto.byte_data) // kind.itemsize
    return len(getattr(proto, FIELDS.get(kind, "int32_data")))


def _demand(proto: caffe2_pb2.TensorProto, begin: int, end: int, stored: int) -> None:
    if stored != end - begin:
        shape = ",".join(map(str, proto.dims))
        raise MessageError(f"the tensor {proto.name!r} [{shape}] needs {end - begin} elements, and {stored} are stored")


def _write_string(value: bytes, blob: caffe2_pb2.BlobProto) -> None:
    blob.content = value


def _write_int8(value: Int8Tensor, blob: caffe2_pb2.BlobProto) -> None:
    kind = BY_TORCH[value.data.dtype].number
    blob.qtensor.dims.extend(value.data.shape)
    blob.qtensor.precision, blob.qtensor.is_signed = 8, False
    blob.qtensor.scale, blob.qtensor.bias = float(np.float32(value.scale)), value.zero_point
    packed.extend(blob.qtensor, "data", value.data.cpu().numpy())
    blob.qtensor.name, blob.qtensor.data_type = blob.name, kind


def _read_int8(blob: caffe2_pb2.BlobProto) -> Int8Tensor:
    proto = blob.qtensor
    kind = BY_NUMBER[proto.data_type].torch
    data = torch.from_numpy(packed.array(proto, "data"))
    if data.numel() != math.prod(proto.dims):
        raise MessageError(f"the tensor {blob.name!r} {list(proto.dims)} is stored with {data.numel()} elements")
    if kind not in (torch.uint8, torch.int32):
        raise MessageError(f"the quantized tensor {blob.name!r} is stored with elements of {describe(kind)}")
    return Int8Tensor(data.to(kind).reshape(*proto.dims), proto.scale, int(proto.bias))


stored_as(bytes, "std::string", _write_string, lambda blob: blob.content)
stored_as(Int8Tensor, "Int8TensorCPU", _write_int8, _read_int8)

"""Maps from integers to integers.

map: a map, as CreateMap makes it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, DType, EnforceNotMet, op
from caffe2.proto import caffe2_pb2
from caffe2.runtime import serialize
from caffe2.runtime.errors import MessageError

NAMES = {torch.int32: "int32_t", torch.int64: "int64_t"}


class Map:
    """Integers by integers, each side of one element type."""

    def __init__(self, key: torch.dtype, value: torch.dtype) -> None:
        for kind in (key, value):
            if kind not in NAMES:
                raise EnforceNotMet(f"a map holds int32 or int64, not {kind}")
        self.key, self.value = key, value
        self.entries: dict[int, int] = {}

    def arrays(self) -> tuple[Tensor, Tensor]:
        """Keys and values, the newest first, as the original's hash tables keep small integers."""
        pairs = list(reversed(self.entries.items()))
        return torch.tensor([k for k, _ in pairs], dtype=self.key), torch.tensor(
            [v for _, v in pairs], dtype=self.value
        )


@op("CreateMap: -> map")
def create_map(*, key_dtype: DType = torch.int32, value_dtype: DType = torch.int32) -> Map:
    """An empty map from integers to integers.

    map: the map.
    key_dtype, value_dtype: int32 or int64.
    """
    return Map(key_dtype, value_dtype)


@op("KeyValueToMap: key value -> map", types="key value: index")
def key_value_to_map(keys: Tensor, values: Tensor) -> Map:
    """The map from each key to the value at its place; of a key that comes twice, to the first.

    key, value: (N), int32 or int64.
    """
    if keys.numel() != values.numel():
        raise EnforceNotMet(f"every key has one value: {keys.numel()} keys, {values.numel()} values")
    made = Map(keys.dtype, values.dtype)
    for k, v in zip(keys.reshape(-1).tolist(), values.reshape(-1).tolist()):
        made.entries.setdefault(k, v)
    return made


@op("MapToKeyValue: map -> key value", shape=UNKNOWN)
def map_to_key_value(held: Map) -> tuple[Tensor, Tensor]:
    """The keys of a map and their values.

    key, value: (N).
    """
    return held.arrays()


def _write(held: Map, blob: caffe2_pb2.BlobProto) -> None:
    blob.type = f"(std::unordered_map<{NAMES[held.key]}, {NAMES[held.value]}>)"
    tensors = caffe2_pb2.TensorProtos()
    for array in held.arrays():
        tensors.protos.append(serialize.tensor_proto(array))
    blob.content = tensors.SerializeToString()


def _read(blob: caffe2_pb2.BlobProto) -> Map:
    tensors = caffe2_pb2.TensorProtos.FromString(blob.content)
    if len(tensors.protos) != 2:
        raise MessageError(f"the map {blob.name!r} is stored with {len(tensors.protos)} tensors, not keys and values")
    return key_value_to_map(*map(serialize.tensor_value, tensors.protos))


serialize.stored_as(
    Map, tuple(f"(std::unordered_map<{k}, {v}>)" for k in NAMES.values() for v in NAMES.values()), _write, _read
)

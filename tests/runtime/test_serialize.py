"""Blobs against bytes that the original wrote: `recorded/blobs.minidb`, one of each kind, tensors in chunks of 4."""

from pathlib import Path

import numpy as np
import pytest
import torch

import caffe2.ops  # noqa: F401
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime import db, serialize
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.errors import MessageError, MissingBlob

RECORDED = Path(__file__).with_name("recorded") / "blobs.minidb"


def records() -> dict[str, bytes]:
    found, cursor = {}, db.open_db("minidb", str(RECORDED), db.Mode.read).new_cursor()
    while cursor.valid():
        found[cursor.key().decode()] = cursor.value()
        cursor.next()
    return found


WHOLE = [key for key in records() if "#%" not in key]
CHUNKED = sorted({key.partition("#%")[0] for key in records() if key.endswith("#%1")})


@pytest.mark.parametrize("name", WHOLE)
def test_bytes_and_back(name):
    content = records()[name]
    assert serialize.serialize(serialize.deserialize(content), name) == content


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks(name):
    parts = {key: content for key, content in records().items() if key.partition("#%")[0] == name}
    protos = [caffe2_pb2.BlobProto.FromString(content).tensor for content in parts.values()]
    value = serialize.empty(protos[0])
    for proto in protos:
        serialize.fill(proto, value)
    assert str(value.dtype)[6:] == {"bool": "bool"}.get(name, name)
    assert value.shape == (2, 3)
    assert dict(serialize.messages(value, name, chunk=4)) == parts


def test_values_of_the_original():
    value = {name: serialize.deserialize(records()[name]) for name in WHOLE}
    assert value["text"] == b"hell\0o"
    assert value["counter"].count == 7
    assert value["quantized"].data.tolist() == [97, 98, 99] and value["quantized"].zero_point == 3
    assert value["index"].items().tolist() == [5, 9]
    scalar = serialize.deserialize(records()["scalar#%0"])
    assert scalar.shape == () and scalar == 3


def test_bytes_for_integers():
    proto = caffe2_pb2.TensorProto(dims=[3], data_type=caffe2_pb2.TensorProto.FLOAT16)
    proto.byte_data = np.array([1, -2, 0.5], dtype=np.float16).tobytes()
    assert serialize.tensor_value(proto).tolist() == [1, -2, 0.5]


def test_what_cannot_be_stored():
    with pytest.raises(MissingBlob, match="'x' holds nothing"):
        serialize.serialize(None, "x")
    with pytest.raises(EnforceNotMet, match="'x' holds a set"):
        serialize.serialize(set(), "x")
    with pytest.raises(EnforceNotMet, match="bfloat16 cannot be stored"):
        serialize.serialize(torch.zeros(2, dtype=torch.bfloat16), "x")


def test_contradictions():
    proto = caffe2_pb2.TensorProto(name="x", dims=[2], data_type=1, float_data=[1.0])
    with pytest.raises(MessageError, match=r"'x' \[2\] needs 2 elements, and 1 are stored"):
        serialize.tensor_value(proto)
    proto.dims[0] = -2
    with pytest.raises(MessageError, match=r"shape \[-2\]"):
        serialize.tensor_value(proto)
    proto.dims[0] = 1
    proto.segment.begin, proto.segment.end = 0, 5
    with pytest.raises(MessageError, match="has 1 elements, and those from 0 to 5"):
        serialize.tensor_value(proto)
    with pytest.raises(MessageError, match="'std::unique_ptr<x>'"):
        serialize.from_proto(caffe2_pb2.BlobProto(name="x", type="std::unique_ptr<x>"))


def test_damaged_bytes_never_crash():
    rng = np.random.default_rng(0)
    outcomes = set()
    for content in records().values():
        for _ in range(60):
            damaged = bytearray(content[: rng.integers(len(content) // 2, len(content) + 1)])
            damaged[rng.integers(len(damaged))] = rng.integers(256)
            try:
                serialize.deserialize(bytes(damaged))
                outcomes.add("read")
            except EnforceNotMet:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_scales_are_stored_in_single_precision():
    value = serialize.deserialize(serialize.serialize(Int8Tensor(torch.zeros(1, dtype=torch.uint8), 0.1, 0), "q"))
    assert value.scale == np.float32(0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device_is_stored():
    content = serialize.serialize(torch.ones(2, device="cuda:0"), "x")
    assert serialize.deserialize(content).device == torch.device("cuda:0")
    assert serialize.deserialize(content, torch.device("cpu")).device.type == "cpu"

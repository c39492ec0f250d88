"""The messages against recorded bytes and text of the original, and as Python objects."""

import base64
import copy
import importlib
import json
import pickle
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from caffe2.proto import caffe2_legacy_pb2, caffe2_pb2, caffe_pb2, metanet_pb2, predictor_consts_pb2

RECORDED = [json.loads(line) for line in Path(__file__).with_name("recorded.jsonl").read_text().splitlines()]
MODULES = ["caffe2", "caffe2_legacy", "predictor_consts", "metanet", "hsm", "prof_dag", "torch", "caffe"]


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: f"{row['module']}.{row['message']}")
def test_recorded_bytes_and_text(row):
    cls = getattr(importlib.import_module(f"caffe2.proto.{row['module']}"), row["message"])
    content = base64.b64decode(row["bytes"])
    from_bytes, from_text = cls.FromString(content), text_format.Parse(row["text"], cls())
    assert from_bytes.SerializeToString() == content
    assert from_text.SerializeToString() == content
    assert text_format.MessageToString(from_bytes, as_one_line=True) == row["text"]


def test_every_message_is_recorded():
    ours = {
        (f"{stem}_pb2", name)
        for stem in MODULES
        for name in importlib.import_module(f"caffe2.proto.{stem}_pb2").DESCRIPTOR.message_types_by_name
    }
    assert {(row["module"], row["message"]) for row in RECORDED} == ours


def test_names_of_modules():
    assert caffe2_pb2.TensorProto.FLOAT == caffe2_pb2.TensorProto.DataType.Value("FLOAT") == 1
    assert caffe2_pb2.CUDA == caffe2_pb2.PROTO_CUDA == caffe2_pb2.DeviceTypeProto.Value("PROTO_CUDA") == 1
    assert caffe2_pb2.COMPILE_TIME_MAX_DEVICE_TYPES == 10
    assert caffe2_legacy_pb2.CAFFE_LEGACY_POOLING == 3
    assert predictor_consts_pb2.PredictorConsts().META_NET_DEF == "!!META_NET_DEF"
    assert caffe_pb2.V1LayerParameter.LayerType.Name(4) == "CONVOLUTION"
    assert caffe2_pb2.DESCRIPTOR.package == "caffe2"


def test_messages_of_one_file_hold_those_of_another():
    net = caffe2_pb2.NetDef(name="n")
    assert metanet_pb2.NetsMap(key="k", value=net).value == net


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    tensor = caffe2_pb2.TensorProto(dims=[2], segment=caffe2_pb2.TensorProto.Segment(begin=1))
    again = pickle.loads(pickle.dumps([tensor, tensor.segment, type(tensor.segment)], protocol))
    assert again == [tensor, tensor.segment, caffe2_pb2.TensorProto.Segment]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copy(copied):
    op = caffe2_pb2.OperatorDef(type="Relu", input=["x"])
    other = copied(op)
    other.input.append("y")
    assert (list(op.input), list(other.input)) == (["x"], ["x", "y"])


def test_unknown_fields_of_forks_survive():
    future = b"\xb2\x09\x03abc"  # field 150
    layer = caffe_pb2.LayerParameter(name="conv", type="Convolution").SerializeToString() + future
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter.FromString(layer)])
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()).layer[0].SerializeToString() == layer


def test_prototxt_of_each_generation():
    text = """
    layers { layer { name: "a" type: "conv" kernelsize: 3 } bottom: "x" top: "y" }
    layers { name: "b" type: POOLING pooling_param { pool: AVE } blobs_lr: 2. }
    layer { name: "c" type: "BatchNorm" include { phase: TEST } batch_norm_param { eps: 1e-3 } }
    """
    net = text_format.Parse(text, caffe_pb2.NetParameter())
    assert net.layers[0].layer.kernelsize == 3
    assert net.layers[1].type == caffe_pb2.V1LayerParameter.POOLING
    assert net.layer[0].include[0].phase == caffe_pb2.TEST


def test_bad_input_is_refused():
    with pytest.raises(DecodeError):
        caffe2_pb2.NetDef.FromString(b"\x0a\xff")
    with pytest.raises(text_format.ParseError, match="no_such_field"):
        text_format.Parse("no_such_field: 1", caffe2_pb2.NetDef())

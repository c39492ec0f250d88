"""Shapes and types of nets, before anything runs."""

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import OfflineTensor
from caffe2.runtime.shapes import from_map, from_workspace
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator

FLOAT, STRING, DOUBLE, INT = map(caffe2_pb2.TensorProto.DataType.Value, ("FLOAT", "STRING", "DOUBLE", "INT32"))


def known(found):
    return {s.name: (list(s.dims), s.data_type) for s in found.shapes if not s.unknown_shape}


def test_from_a_map():
    made = net("n", operator("FC", "x w b", "y"), operator("Relu", "y", "y"), operator("Relu", "nowhere", "z"))
    found = known(from_map([made], {"x": [2, 3], "w": [4, 3], "b": [4]}))
    assert found["y"] == ([2, 4], FLOAT) and "z" not in found
    assert known(from_map([net("n", operator("Relu", "x", "y"))], {"x": [0]}, {"x": DOUBLE}))["y"] == ([0], DOUBLE)


def test_from_a_workspace():
    workspace = Workspace()
    workspace.feed("x", np.zeros((2, 3), dtype=np.float32))
    workspace.feed("s", np.array([b"a"], dtype=object))
    workspace.feed("text", b"text")
    workspace.put("away", OfflineTensor((5, 2), torch.float32))
    workspace.cell("nothing")
    first = net("first", operator("Relu", "x", "y"), operator("Relu", "away", "there"), operator("Relu", "text", "t"))
    found = from_workspace([first, net("second", operator("Relu", "y", "z"))], workspace)
    assert known(found)["z"] == ([2, 3], FLOAT) and known(found)["there"] == ([5, 2], FLOAT)
    assert known(found)["s"] == ([1], STRING)
    assert not {"text", "t", "nothing"} & set(known(found))
    assert workspace.names() == ["away", "nothing", "s", "text", "x"]


def test_what_only_the_data_can_tell():
    made = net("n", operator("Unique", "x", "u"), operator("Relu", "u", "v"), operator("Nope", "x", "w"))
    found = from_map([made], {"x": [4]})
    assert known(found) == {"x": ([4], FLOAT)}
    assert {s.name for s in found.shapes if s.unknown_shape} == {"u", "v"}
    reshaped = from_map(
        [net("n", operator("Reshape", "x shape", "y old"))], {"x": [2, 3, 1], "shape": [1]}, {"shape": INT}
    )
    assert known(reshaped)["old"] == ([3], INT) and "y" not in known(reshaped)


def test_a_gradient_is_shaped_as_its_blob():
    op = operator("Python", "x", "x_grad")
    op.is_gradient_op = True
    assert known(from_map([net("n", op)], {"x": [2, 5]}))["x_grad"] == ([2, 5], FLOAT)


def test_the_terms_of_a_sum_tell_each_others_shape():
    made = net("n", operator("Unique", "x", "u"), operator("Sum", "u y", "s"), operator("Sum", "u u", "t"))
    assert known(from_map([made], {"x": [4], "y": [2]})).keys() == {"x", "y", "u", "s", "t"}


def test_contradictions(caplog):
    made = net("n", operator("FC", "x w b", "y"))
    assert not from_map([made], {"x": [2, 3], "w": [4, 5], "b": [4]}).shapes
    assert "net 'n' contradicts itself" in caplog.text and "x float32[2,3] on meta" in caplog.text
    with pytest.raises(EnforceNotMet, match=r"'x' is given the shape \[2, -1\]"):
        from_map([], {"x": [2, -1]})

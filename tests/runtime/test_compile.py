"""Compiled nets: the same numbers, and a clear refusal of what cannot be compiled."""

from __future__ import annotations

import numpy as np
import pytest

import caffe2.runtime.compile as compiled
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace


def chain(kind: str) -> caffe2_pb2.NetDef:
    net = caffe2_pb2.NetDef(name="chain", type=kind, external_input=["x"], external_output=["z"])
    net.op.add(type="Relu", input=["x"], output=["y"])
    net.op.add(type="LeakyRelu", input=["y"], output=["z"])
    return net


def test_steps_become_a_function_of_values_alone():
    workspace = Workspace()
    workspace.feed("x", np.array([-1, 2], np.float32))
    steps = workspace.bind_net(chain("simple")).steps
    inputs, outputs = compiled.boundary(steps)
    assert [c.name for c in inputs] == ["x"] and [c.name for c in outputs] == ["y", "z"]
    found = compiled.as_function(steps, inputs, outputs)(inputs[0].value)
    assert [f.tolist() for f in found] == [[0, 2], [0, 2]]
    assert outputs[0].value is None


@pytest.mark.parametrize("kind", compiled.CompiledNet.types)
def test_a_compiled_net_computes_what_a_simple_one_does(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled.torch, "compile", lambda function, mode: function)
    workspace = Workspace()
    workspace.feed("x", np.array([-1, 2], np.float32))
    net = workspace.create_net(chain(kind))
    net.run()
    workspace.feed("x", np.array([-3, 5], np.float32))
    net.run()
    assert workspace.fetch("z").tolist() == [0, 5]
    assert workspace.fetch("y").tolist() == [0, 2], "only the declared output is stored"

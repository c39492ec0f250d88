"""Operators that call Python functions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from caffe2.runtime.functions import functions
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator
from tests.sample import Sample, floats, samples


def double(inputs, outputs):
    for x, y in zip(inputs, outputs):
        y.reshape(x.shape)
        y.data[...] = 2 * x.data


def double_gradient(inputs, outputs):
    outputs[0].reshape(inputs[2].shape)
    outputs[0].data[...] = 2 * inputs[2].data


def double_capsule(inputs, outputs):
    outputs[0].feed(2 * torch.utils.dlpack.from_dlpack(inputs[-1].data))


def make_adder(amount, times=1):
    def add(inputs, outputs):
        outputs[0].feed(inputs[0].data + amount * times)

    return add


def registered(function, backward=None):
    token = functions.register(function)
    if backward is not None:
        functions.register_gradient(token, backward)
    return token


@samples("Python", "PythonGradient", "PythonDLPack", "PythonDLPackGradient")
def _(rng):
    plain, capsule = registered(double, double_gradient), registered(double_capsule, double_capsule)
    x = floats(rng, 2, 3)
    yield Sample("Python", (x,), {"token": plain}, outputs=1)
    yield Sample("Python", (), {"token": plain}, outputs=0, except_={"gradient": "it has no inputs"})
    yield Sample("PythonGradient", (x, x, x), {"token": plain}, outputs=1)
    yield Sample("PythonDLPack", (x,), {"token": capsule}, outputs=1)
    yield Sample("PythonDLPackGradient", (x, x, x), {"token": capsule}, outputs=1)


@pytest.fixture
def workspace():
    made = Workspace()
    made.feed("x", np.array([1.0, -2.0], dtype=np.float32))
    return made


def test_outputs_keep_what_is_not_written(workspace):
    workspace.feed("y", np.array([7.0, 8.0], dtype=np.float32))

    def write_one(inputs, outputs):
        outputs[0].data[0] = inputs[0].data[0]

    workspace.run_operator_once(operator("Python", "x", "y", token=registered(write_one)))
    assert workspace.fetch("y").tolist() == [1, 8]


def test_in_place_and_types(workspace):
    workspace.run_operator_once(operator("Python", "x", "x", token=registered(double)))
    assert workspace.fetch("x").tolist() == [2, -4]
    workspace.feed("s", np.array([b"a", b"b"], dtype=object))

    def upper(inputs, outputs):
        assert inputs[0].shape == (2,)
        outputs[0].feed(np.array([s.upper() for s in inputs[0].data], dtype=object))

    workspace.run_operator_once(operator("Python", "s", "t", token=registered(upper)))
    assert workspace.fetch("t").tolist() == [b"A", b"B"]


def test_builders_are_called_once_a_net(workspace):
    made = pickle.dumps((make_adder, (3.0,), {"times": 2}))
    with pytest.raises(EnforceNotMet, match="TRUST"):
        workspace.create_net(net("n", operator("Python", "x", "x", pickled_builder=made)))
    functions.trust(made)
    workspace.create_net(net("n", operator("Python", "x", "x", pickled_builder=made)))
    workspace.run_net("n", 2)
    assert workspace.fetch("x").tolist() == [13, 10]


def test_the_workspace_is_passed(workspace, monkeypatch):
    monkeypatch.setattr(functions, "show_workspace", lambda shown: shown)

    def look(inputs, outputs, ws):
        ws.feed("seen", ws.fetch("x"))

    workspace.run_operator_once(operator("Python", token=functions.register(look, takes_workspace=True)))
    assert workspace.fetch("seen").tolist() == [1, -2]


def test_errors_keep_their_class(workspace):
    def fail(inputs, outputs):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        workspace.run_net_once(net("n", operator("Python", "x", "", token=registered(fail))))
    if hasattr(caught.value, "__notes__"):
        assert "operator 0 of net 'n'" in caught.value.__notes__[0]


def test_functions_that_are_not_there(workspace):
    with pytest.raises(EnforceNotMet, match="registered in this process as 'nothing like it'"):
        workspace.run_operator_once(operator("Python", "x", "", token="nothing like it"))
    with pytest.raises(EnforceNotMet, match="needs the argument token"):
        workspace.run_operator_once(operator("Python", "x", ""))
    with pytest.raises(EnforceNotMet, match="no gradient of a Python function"):
        workspace.run_operator_once(operator("PythonGradient", "x", "", token=registered(double)))
    with pytest.raises(EnforceNotMet, match="needs a function, not a int"):
        functions.register(3)


def test_gradient_of_some_blobs():
    forward = operator("Python", "x1 x2", "y1 y2", token="f", grad_output_indices=[1], grad_input_indices=[0])
    (made,), of_inputs = gradient_ops(forward, [None, "y2_grad"])
    assert list(made.input) == ["x1", "x2", "y1", "y2", "y2_grad"]
    assert list(made.output) == ["x1_grad"] and of_inputs == ["x1_grad", None]
    with pytest.raises(NoGradient, match="grad_output_indices"):
        gradient_ops(forward, ["y1_grad", None])


def test_tokens_tell_the_function():
    first, second = functions.register(make_adder, name="mine"), functions.register(make_adder, name="mine")
    assert first == "mine:make_adder" and second == "mine:make_adder:1"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device(workspace):
    op = operator("Python", "x", "y", token=registered(double))
    op.device_option.device_type = 1
    workspace.find("x").value = workspace.find("x").value.cuda()
    workspace.run_operator_once(op)
    assert workspace.find("y").value.device.type == "cuda" and workspace.fetch("y").tolist() == [2, -4]

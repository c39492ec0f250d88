"""The checks of gradients and devices find what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python.device_checker import DeviceChecker
from caffe2.python.gradient_checker import GradientChecker, NetGradientChecker

X = np.array([[0.5, -1, 2], [3, -0.5, 1]], np.float32)


@pytest.fixture(autouse=True)
def fresh() -> None:
    workspace.ResetWorkspace()


def test_a_right_gradient_and_where_it_leaves_the_workspace() -> None:
    before = workspace.CurrentWorkspace()
    checker = GradientChecker(0.05, 0.005)
    right, grad, estimate = checker.CheckSimple(core.CreateOperator("Tanh", "x", "y"), [X.copy()], 0, [0])
    assert right and grad.shape == estimate.shape == X.shape
    assert workspace.CurrentWorkspace() == before and not workspace.HasBlob("x")


def test_a_sparse_gradient() -> None:
    op = core.CreateOperator("Gather", ["x", "i"], "y")
    checker = GradientChecker(0.05, 0.005)
    assert checker.CheckSimple(op, [X.copy(), np.array([1, 1], np.int32)], 0, [0])[0]


def test_a_wrong_gradient(capsys: pytest.CaptureFixture[str]) -> None:
    op = core.CreateOperator("Relu", "x", "y")
    wrong = core.CreateOperator("Copy", "y_grad", "x_grad")
    x = -np.abs(X)
    right, _, _ = GradientChecker(0.05, 0.005).CheckSimple(op, [x], 0, [0], grad_ops=[wrong])
    assert right  # y is 0 there, and so is the gradient handed through
    scaled = core.CreateOperator("Scale", "y_grad", "x_grad", scale=2.0)
    right, _, _ = GradientChecker(0.05, 0.005).CheckSimple(op, [-x], 0, [0], grad_ops=[scaled])
    assert not right and "Failed" in capsys.readouterr().out


def test_gradients_of_nets() -> None:
    net = core.Net("net")
    net.Mul(["x", "x"], "y")
    assert NetGradientChecker.Check(net, ["y"], {"x": X}, "x", threshold=0.05)[0] < 0.05
    other = core.Net("other")
    other.Sqr("x", "z")
    NetGradientChecker.CompareNets([net, other], [["y"], ["z"]], [0], ["x"], {"x": X}, threshold=1e-6)
    other.Scale("z", "z", scale=2.0)
    with pytest.raises(AssertionError, match="Different forward pass results for output id 0"):
        NetGradientChecker.CompareNets([net, other], [["y"], ["z"]], [0], ["x"], {"x": X})


def test_devices() -> None:
    cpu = caffe2_pb2.DeviceOption()
    checker = DeviceChecker(0.01, [cpu, cpu])
    assert checker.CheckSimple(core.CreateOperator("Relu", "x", "y"), [X], [0])
    random = core.CreateOperator("UniformFill", [], "y", shape=[100])
    assert not checker.CheckSimple(random, [], [0])
    net = core.Net("net")
    net.Sqr("x", "y")
    net.UniformFill([], "r", shape=[100])
    assert not checker.CheckNet(net.Proto(), {"x": X})
    assert checker.CheckNet(net.Proto(), {"x": X}, ignore=["r"])

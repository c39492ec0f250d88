"""The historical front end: graphs, models, initializers, single assignment."""

from __future__ import annotations

import copy

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from caffe2.bridge.onnx import ExportError, judge  # noqa: E402
from caffe2.opdef import EnforceNotMet  # noqa: E402
from caffe2.proto import caffe2_pb2  # noqa: E402
from caffe2.python import core  # noqa: E402
from caffe2.python.onnx import frontend  # noqa: E402
from caffe2.python.onnx.helper import (  # noqa: E402
    benchmark_caffe2_model,
    c2_native_run_net,
    c2_native_run_op,
    load_caffe2_net,
    save_caffe2_net,
)

FLOAT = onnx.TensorProto.FLOAT
RNG = np.random.default_rng(0)
X, W, B, S = (RNG.standard_normal(shape).astype(np.float32) for shape in ((4, 2), (3, 2), (3,), (1,)))
INFO = {"X": (FLOAT, X.shape)}


def nets(last: str = "Y") -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    net = caffe2_pb2.NetDef(name="n", external_input=["W", "X", "b", "s"], external_output=[last])
    net.op.append(core.CreateOperator("FC", ["X", "W", "b"], ["Y"]))
    net.op.append(core.CreateOperator("Add", ["Y", "s"], [last], broadcast=True))
    init = caffe2_pb2.NetDef(name="i", external_output=["W", "b", "s"])
    for name, value in (("W", W), ("b", B), ("s", S)):
        init.op.append(core.CreateOperator("GivenTensorFill", [], [name], values=value, shape=value.shape))
    return net, init


def test_a_model_has_every_external_input_and_versions_of_blobs() -> None:
    net, init = nets()
    model = frontend.caffe2_net_to_onnx_model(net, init, dict(INFO))
    assert [i.name for i in model.graph.input] == ["W", "X", "b", "s"]
    assert {t.name for t in model.graph.initializer} == {"W", "b", "s"}
    assert [o.name for o in model.graph.output] == ["Y_2"] == list(net.external_output)
    got = judge.run(model.SerializeToString(), {"X": X, "W": W, "b": B, "s": S})["Y_2"]
    np.testing.assert_allclose(got, X @ W.T + B + S, rtol=1e-5, atol=1e-6)


def test_single_assignment_leaves_what_is_written_once() -> None:
    net, _ = nets("Z")
    same = copy.deepcopy(net)
    frontend.ssa_rewrite(same, None, dict(INFO))
    assert same == net


def test_initializers() -> None:
    found = frontend.caffe2_init_net_to_initializer(nets()[1])
    assert [t.name for t in found] == ["W", "b", "s"]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(found[0]), W)


def test_a_fill_that_stands_for_an_input_goes() -> None:
    net, init = nets()
    init.op.append(core.CreateOperator("ConstantFill", [], ["X"], shape=[1]))
    graph = frontend.caffe2_net_to_onnx_graph(net, init, dict(INFO))
    assert "X" not in {t.name for t in graph.initializer} and len(init.op) == 3


def test_misuse() -> None:
    net, init = nets()
    with pytest.raises(RuntimeError, match="value info of inputs: X"):
        frontend.caffe2_net_to_onnx_model(net, init)
    with pytest.raises(ValueError, match="value_info"):
        frontend.caffe2_net_to_onnx_model(net, init, [("X", FLOAT)])
    init.op.append(core.CreateOperator("XavierFill", [], ["q"], shape=[1, 1]))
    with pytest.raises(EnforceNotMet, match="not by XavierFill"):
        frontend.caffe2_net_to_onnx_model(net, init, dict(INFO))
    lost = caffe2_pb2.NetDef(name="n", external_input=["X"], external_output=["Y"])
    lost.op.append(core.CreateOperator("Unique", ["X"], ["Y"]))
    with pytest.raises(ExportError, match="operator 0, Unique"):
        frontend.caffe2_net_to_onnx_model(lost, None, {"X": (onnx.TensorProto.INT64, (3,))})


def test_one_operator() -> None:
    op = core.CreateOperator("PRelu", ["X", "S"], ["Y"])
    nodes, constants = frontend.Caffe2Frontend.caffe2_op_to_onnx_node(op, {"X": (2, 3, 4), "S": (3,), "Y": (2, 3, 4)})
    assert [n.op_type for n in nodes] == ["Reshape", "PRelu"] and len(constants) == 1


def test_running_apart(tmp_path) -> None:
    net, init = nets("Z")
    ws, outputs = c2_native_run_net(init, net, [X])
    np.testing.assert_allclose(outputs[0], X @ W.T + B + S, rtol=1e-5, atol=1e-6)
    assert outputs.Z is outputs[0] and ws.HasBlob("W")
    _, outputs = c2_native_run_op(core.CreateOperator("Relu", ["x"], ["y"]), {"x": X})
    np.testing.assert_array_equal(outputs["y"], np.maximum(X, 0))
    with pytest.raises(EnforceNotMet, match="2 values for the 1 inputs x"):
        c2_native_run_op(core.CreateOperator("Relu", ["x"], ["y"]), [X, X])
    save_caffe2_net(net, tmp_path / "net.pb", output_txt=True)
    assert load_caffe2_net(tmp_path / "net.pb") == net and (tmp_path / "net.pbtxt").exists()
    init.op.append(core.CreateOperator("GivenTensorFill", [], ["X"], values=X, shape=X.shape))
    assert benchmark_caffe2_model(init, net, 0, 1, False) > 0

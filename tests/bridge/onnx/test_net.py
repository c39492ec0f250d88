"""Whole nets: names, constants, open batches, versions of the operators, files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.onnx import ExportError, Graph, export, filled, judge, save, to_model
from caffe2.bridge.onnx.single import single_assignment
from caffe2.opdef import EnforceNotMet, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import floats

onnx = pytest.importorskip("onnx")
FLOAT = np.dtype(np.float32)
RNG = np.random.default_rng(1)
W, B = floats(RNG, 3, 4), floats(RNG, 3)
X = floats(RNG, 2, 4)


def op(kind: str, inputs: str, outputs: str, **args: object) -> caffe2_pb2.OperatorDef:
    made = caffe2_pb2.OperatorDef(type=kind, input=inputs.split(), output=outputs.split())
    made.arg.extend(make_argument(name, value) for name, value in args.items())
    return made


def net(*ops: caffe2_pb2.OperatorDef, outputs: str = "y") -> caffe2_pb2.NetDef:
    return caffe2_pb2.NetDef(name="n", op=ops, external_output=outputs.split())


def expected(made: caffe2_pb2.NetDef, blobs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    workspace = Workspace()
    for name, value in blobs.items():
        workspace.feed(name, value)
    workspace.run_net_once(made)
    return {name: workspace.fetch(name) for name in made.external_output}


def agree(graph: Graph, made: caffe2_pb2.NetDef, fed: dict[str, np.ndarray], params: dict[str, np.ndarray]) -> None:
    model = to_model(graph)
    onnx.checker.check_model(model, full_check=True)
    got, want = judge.run(model.SerializeToString(), fed), expected(made, fed | params)
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5)


LAYERS = net(
    op("FC", "x w b", "y"), op("Relu", "y", "y"), op("Add", "y b", "y", broadcast=1), op("Softmax", "y", "y", axis=1)
)


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_blobs_written_in_place_keep_their_last_name(opset: int) -> None:
    graph = export(LAYERS, {"x": (FLOAT, X.shape)}, {"w": W, "b": B}, opset=opset)
    assert list(graph.outputs) == ["y"] and [o for node in graph.nodes for o in node.outputs] == [
        "y_1",
        "y_2",
        "y_3",
        "y",
    ]
    agree(graph, LAYERS, {"x": X}, {"w": W, "b": B})


def test_single_assignment_numbers_what_an_input_is_called() -> None:
    made = single_assignment(net(op("Relu", "x", "x"), op("Copy", "x", "x_1"), outputs="x x_1"))
    assert [list(o.output) for o in made.op] == [["x_2"], ["x_1"]] and list(made.op[1].input) == ["x_2"]
    assert list(made.external_output) == ["x_2", "x_1"]


def test_what_every_run_gives_is_a_constant() -> None:
    made = net(
        op("ConstantFill", "", "two", shape=(1,), value=2.0),
        op("Mul", "two two", "four"),
        op("Mul", "x four", "y", broadcast=1),
        op("Copy", "four", "z"),
        op("Exp", "x", "unread"),
        outputs="y z",
    )
    graph = export(made, {"x": (FLOAT, X.shape)})
    assert [node.kind for node in graph.nodes] == ["Mul", "Identity"]
    agree(graph, made, {"x": X}, {})


def test_an_open_batch_is_of_any_size() -> None:
    made = net(
        op("Reshape", "x", "r old", shape=(0, 2, 2)),
        op("ChannelShuffle", "r", "s", group=2),
        op("FC", "s w b", "y"),
    )
    graph = export(made, {"x": (FLOAT, X.shape)}, {"w": W, "b": B}, dynamic_batch=True)
    assert graph.inputs["x"][1] == ("N", 4) and graph.outputs["y"][1] == ("N", 3)
    agree(graph, made, {"x": floats(RNG, 5, 4)}, {"w": W, "b": B})


def test_an_open_batch_is_one_for_all_inputs() -> None:
    made = net(op("BatchMatMul", "a b", "y", broadcast=1))
    sizes = {"a": (FLOAT, (2, 3, 4)), "b": (FLOAT, (1, 4, 5))}
    with pytest.raises(EnforceNotMet, match="batches of 1, 2"):
        export(made, sizes, dynamic_batch=True)
    assert export(made, sizes).outputs == {"y": (FLOAT, (2, 3, 5))}


def test_all_that_cannot_be_written_is_listed_at_once() -> None:
    made = net(op("Unique", "i", "u"), op("Relu", "x", "r"), op("Dropout", "r", "y m", ratio=0.5))
    with pytest.raises(ExportError) as caught:
        export(made, {"x": (FLOAT, X.shape), "i": (np.dtype(np.int32), (3,))})
    assert [(p.index, p.op.type) for p in caught.value.problems] == [(0, "Unique"), (2, "Dropout")]
    assert "operator 2, Dropout: r -> y m" in str(caught.value) and "set is_test to 1" in str(caught.value)


def test_an_output_that_no_node_gives_is_refused_where_it_is_read() -> None:
    made = net(op("TopK", "x", "v i flat", k=2), outputs="flat")
    with pytest.raises(ExportError, match="its output flat is not written"):
        export(made, {"x": (FLOAT, X.shape)})


def test_inputs_are_described_and_hold_numbers() -> None:
    with pytest.raises(EnforceNotMet, match="type and shape of 'w', 'b' are not known"):
        export(LAYERS, {"x": (FLOAT, X.shape)})
    with pytest.raises(EnforceNotMet, match="input x is of type object"):
        export(LAYERS, {"x": (np.dtype(object), X.shape)})
    with pytest.raises(EnforceNotMet, match="opset is 9"):
        export(LAYERS, {"x": (FLOAT, X.shape)}, {"w": W, "b": B}, opset=9)


def test_large_constants_go_to_a_file_of_their_own(tmp_path: Path) -> None:
    init = net(op("GaussianFill", "", "w", shape=(3, 4)), op("UniformFill", "", "b", shape=(3,)), outputs="w b")
    params = filled(init)
    graph = export(LAYERS, {"x": (FLOAT, X.shape)}, params)
    graph.constants |= {"none": np.zeros((0, 3), np.float32), "one": np.asarray(True)}
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    assert save(graph, small) == [small]
    assert save(graph, large, limit=8) == [large, tmp_path / "large.onnx.data"]
    assert (tmp_path / "large.onnx.data").stat().st_size == sum(v.nbytes for v in graph.constants.values())
    onnx.checker.check_model(str(large), full_check=True)
    for path in (small, large):
        np.testing.assert_allclose(judge.run(path, {"x": X})["y"], expected(LAYERS, {"x": X, **params})["y"], rtol=1e-5)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    graph = export(LAYERS, {"x": (FLOAT, X.shape)}, {"w": W, "b": B})
    graph.nodes.reverse()
    save(graph, tmp_path / "m.onnx")
    with pytest.raises(EnforceNotMet, match="is no valid model"):
        judge.check(tmp_path / "m.onnx")
    with pytest.raises(EnforceNotMet, match="does not run the model"):
        judge.run(tmp_path / "m.onnx", {"x": X[0]})


def test_the_reference_evaluator_judges_too() -> None:
    graph = export(LAYERS, {"x": (FLOAT, X.shape)}, {"w": W, "b": B})
    got = judge.run(to_model(graph).SerializeToString(), {"x": X}, "onnx.reference")["y"]
    np.testing.assert_allclose(got, expected(LAYERS, {"x": X, "w": W, "b": B})["y"], rtol=1e-5)

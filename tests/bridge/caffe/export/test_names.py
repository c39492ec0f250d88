"""Blobs keep their names where Caffe lets them, layers get one each, and shared parameters are shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from caffe2.bridge.caffe import read_net
from caffe2.bridge.caffe.export.names import single_assignment
from tests.bridge.caffe.export.nets import net, numbers, written

MATRIX = (3, 4)


def wires(made) -> list[tuple[str, str, str]]:
    """Type, bottoms and tops of every layer but the inputs."""
    return [(p.type, " ".join(p.bottom), " ".join(p.top)) for p in made.proto.layer if p.type != "Input"]


def test_in_place_where_the_operator_is(tmp_path: Path) -> None:
    predict = net(("Tanh", "x", "y", {}), ("Relu", "y", "y", {}), ("Dropout", "y", "y", {"is_test": 1}))
    made, _ = written(predict, {}, tmp_path, input_shapes={"x": MATRIX})
    assert wires(made) == [("TanH", "x", "y"), ("ReLU", "y", "y"), ("Dropout", "y", "y")]
    assert [p.name for p in made.proto.layer] == ["x", "y", "y_relu", "y_dropout"]


def test_an_input_written_over(tmp_path: Path) -> None:
    made, _ = written(net(("Relu", "x", "x", {})), {}, tmp_path, input_shapes={"x": MATRIX})
    assert wires(made) == [("ReLU", "x", "x")] and made.predict.external_output == ["x"] and not made.notes


def test_what_others_read_is_not_written_over(tmp_path: Path) -> None:
    predict = net(("Tanh", "x", "y", {}), ("Relu", "y", "y", {}), ("Sum", "x y", "z", {}))
    predict.op[1].input[:] = ["y"]
    read_twice = net(("Tanh", "x", "y", {}), ("Abs", "y", "a", {}), ("Relu", "y", "y", {}), ("Sum", "a y", "z", {}))
    made, _ = written(read_twice, {}, tmp_path, input_shapes={"x": MATRIX})
    assert wires(made) == [
        ("TanH", "x", "y__0"),
        ("AbsVal", "y__0", "a"),
        ("ReLU", "y__0", "y"),
        ("Eltwise", "a y", "z"),
    ]
    made, _ = written(predict, {}, tmp_path, input_shapes={"x": MATRIX})
    assert wires(made)[1] == ("ReLU", "y", "y")


def test_statistics_of_two_layers_are_no_learned_parameters(tmp_path: Path) -> None:
    params = {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": np.abs(numbers(4)) + 1}
    args = {"is_test": 1}
    predict = net(("SpatialBN", "x s b m v", "x", args), ("Relu", "x", "x", {}), ("SpatialBN", "x s b m v", "x", args))
    made, layers = written(predict, params, tmp_path, input_shapes={"x": (2, 4, 3, 3)})
    assert layers == ["BatchNorm", "Scale", "ReLU", "BatchNorm", "Scale"]
    assert {blob for wire in wires(made) for blob in wire[1:]} == {"x"}
    assert [p.lr_mult for p in made.proto.layer[1].param] == [0, 0, 0]


def test_rows_of_several_axes_in_place(tmp_path: Path) -> None:
    predict = net(("Tanh", "x", "y", {}), ("Softmax", "y", "y", {"axis": 1}))
    made, _ = written(predict, {}, tmp_path, input_shapes={"x": (2, 4, 3, 3)})
    assert [wire[0] for wire in wires(made)] == ["TanH", "Reshape", "Softmax", "Reshape"]


def test_sums_are_never_in_place(tmp_path: Path) -> None:
    """In place, Caffe's sum loses its first bottom."""
    predict = net(("Tanh", "x", "y", {}), ("Sum", "y x", "y", {}), ("Abs", "y", "y", {}))
    made, _ = written(predict, {}, tmp_path, input_shapes={"x": MATRIX})
    assert wires(made) == [("TanH", "x", "y__0"), ("Eltwise", "y__0 x", "y__1"), ("AbsVal", "y__1", "y")]


def test_an_input_that_ends_as_another_blob(tmp_path: Path) -> None:
    predict = net(("Abs", "x", "x", {}), ("Sum", "x x", "x", {}))
    made, _ = written(predict, {}, tmp_path, input_shapes={"x": MATRIX})
    assert made.proto.layer[-1].top == made.predict.external_output == ["x__1"]
    assert made.notes == ["blob 'x', which the net writes over, is called 'x__1' in the end"]


def test_names_that_are_taken() -> None:
    predict = net(("Abs", "x", "y", {}), ("Abs", "y", "y", {}), ("Abs", "y", "y__0", {}))
    made, origins = single_assignment(predict, {"x"})
    assert [op.output[0] for op in made.op] == ["y__1", "y", "y__0"] and origins == {"y__1": "y"}


def test_layers_are_called_after_their_parameters(tmp_path: Path) -> None:
    params = {"ip_w": numbers(2, 4), "ip_b": numbers(2), "other": numbers(2, 4)}
    predict = net(("FC", "x ip_w ip_b", "y", {}), ("FC", "x other ip_b", "z", {}), ("Sum", "y z", "s", {}))
    made, _ = written(predict, params, tmp_path, input_shapes={"x": MATRIX})
    assert [layer.name for layer in made.proto.layer] == ["x", "ip", "z", "s"]


def test_parameters_of_two_layers_are_shared(tmp_path: Path) -> None:
    params = {"w": numbers(4, 4), "b": numbers(4), "c": numbers(4)}
    predict = net(("FC", "x w b", "y", {}), ("FC", "y w c", "z", {}))
    made, _ = written(predict, params, tmp_path, input_shapes={"x": MATRIX})
    assert [[p.name for p in layer.param] for layer in made.proto.layer[1:]] == [["w", ""], ["w", ""]]
    read = read_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert read.layers[2].params[0].root is read.layers[1].params[0]


def test_weights_of_other_types_become_floats(tmp_path: Path) -> None:
    params = {"w": numbers(2, 4).astype(np.float64), "b": numbers(2).astype(np.float64)}
    predict = net(("FC", "x w b", "y", {}))
    made, _ = written(predict, params, tmp_path, inputs={"x": numbers(*MATRIX).astype(np.float64)})
    assert any("float64" in note for note in made.notes)
    assert all(array.dtype == np.float32 for arrays in made.weights for array in arrays)

"""Solvers that Caffe refuses, and nets that cannot be trained: all that is wrong, at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe2.bridge.caffe import UntranslatableError
from caffe2.bridge.caffe.training import LearningNet, read_training
from caffe2.proto import caffe_pb2

DATA = """layer { name: "d" type: "Input" top: "x" top: "y" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
"""
FC = """layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}"
  inner_product_param {{ num_output: 3 }} {2} }}
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "%s" bottom: "y" top: "loss" }\n'
GOOD = DATA + FC.format("ip", "x", "") + LOSS % "ip"
PLAIN = 'base_lr: 0.1 lr_policy: "fixed" '


def solver(text: str, net: str = GOOD) -> caffe_pb2.SolverParameter:
    param = text_format.Parse(text, caffe_pb2.SolverParameter())
    if net:
        text_format.Parse(net, param.net_param)
    return param


def learning(net: str) -> LearningNet:
    return LearningNet(read_training(solver(PLAIN, net)).train)


@pytest.mark.parametrize(
    ("text", "net", "fields"),
    [
        ("", GOOD, ["base_lr", "lr_policy"]),
        (PLAIN, "", ["net"]),
        (PLAIN + 'train_net: "n"', GOOD, ["net_param"]),
        (PLAIN + 'test_net: "n"', GOOD, ["test_iter"]),
        (PLAIN + "test_iter: 1", GOOD, ["test_interval"]),
        (PLAIN + "test_iter: 1 test_interval: 1 test_state {} test_state {}", GOOD, ["test_state"]),
        (PLAIN + "test_iter: 0 test_interval: 1", GOOD, ["test_iter"]),
        ('base_lr: 1 lr_policy: "step" gamma: -1', GOOD, ["gamma", "stepsize"]),
        ('base_lr: 1 lr_policy: "sigmoid" gamma: 1', GOOD, ["stepsize"]),
        ('base_lr: 1 lr_policy: "inv" gamma: -1', GOOD, []),
        (PLAIN + 'type: "AdaGrad" momentum: 0.9', GOOD, ["momentum"]),
        (PLAIN + 'type: "RMSProp" rms_decay: 1 momentum: 1', GOOD, ["momentum", "rms_decay"]),
        (PLAIN + 'type: "LARS"', GOOD, ["type"]),
        (PLAIN + 'regularization_type: "L3" iter_size: 0 average_loss: 0', GOOD,
         ["regularization_type", "iter_size", "average_loss"]),
        (PLAIN + "max_iter: -1 display: -1 snapshot: -1", GOOD, ["max_iter", "display", "snapshot"]),
    ],
)  # fmt: skip
def test_what_caffe_refuses(text: str, net: str, fields: list[str]) -> None:
    if not fields:
        assert read_training(solver(text, net)).train.layers
        return
    with pytest.raises(UntranslatableError) as told:
        read_training(solver(text, net))
    assert [problem.field for problem in told.value.problems] == fields


@pytest.mark.parametrize(
    ("net", "layers"),
    [
        (DATA + FC.format("ip", "x", ""), [""]),
        (DATA + FC.format("a", "x", "") + 'layer { name: "t" type: "Threshold" bottom: "a" top: "t" }'
         + FC.format("b", "t", "") + LOSS % "b", ["t"]),
        (DATA + FC.format("a", "x", "") + 'layer { name: "m" type: "ArgMax" bottom: "a" top: "m" }'
         + FC.format("b", "m", "") + LOSS % "b", ["m"]),
    ],
    ids=["no loss", "threshold", "argmax"],
)  # fmt: skip
def test_nets_that_learn_nothing(net: str, layers: list[str]) -> None:
    with pytest.raises(UntranslatableError) as told:
        learning(net).check()
    assert [problem.layer for problem in told.value.problems] == layers


@pytest.mark.parametrize("how", ["param { lr_mult: 0 } param { lr_mult: 0 }", ""])
def test_what_is_not_trained_may_stand_before_a_layer_without_gradient(how: str) -> None:
    net = DATA + FC.format("a", "x", how) + 'layer { name: "t" type: "Threshold" bottom: "a" top: "t" }\n'
    net += FC.format("b", "t", "" if how else "propagate_down: false") + LOSS % "b"
    learning(net).check()


def test_parameters_are_counted_as_caffe_does() -> None:
    """In the order of the layers, shared ones once, those that are not trained too."""
    shared = 'param { name: "w" } param { name: "b" }'
    net = learning(
        DATA + 'layer { name: "n" type: "BatchNorm" bottom: "x" top: "n" }\n'
        + FC.format("a", "n", shared) + FC.format("b", "a", shared) + LOSS % "b"
    )  # fmt: skip
    assert [(p.blob, p.trained) for p in net.params] == [
        ("n_mean", False), ("n_var", False), ("n_factor", False), ("a_w", True), ("a_b", True),
    ]  # fmt: skip


def test_values_written_in_place_keep_names_of_their_own() -> None:
    net = DATA + FC.format("a", "x", "") + 'layer { name: "r" type: "ReLU" bottom: "a" top: "a" }\n'
    net += 'layer { name: "s" type: "Sigmoid" bottom: "a" top: "a" }\n' + LOSS % "a"
    made = learning(net)
    assert [tuple(op.output)[0] for op in made.made.ops[:3]] == ["a_1", "a_2", "a"]
    assert made.outputs == {"loss": 1.0} and made.loss == "total_loss"


def test_nets_are_looked_for_beside_the_solver(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(GOOD)
    (tmp_path / "solver.prototxt").write_text(PLAIN + 'net: "net.prototxt" test_iter: 1 test_interval: 5')
    made = read_training(tmp_path / "solver.prototxt", max_iter=7)
    assert made.param.max_iter == 7 and made.prefix == str(tmp_path / "solver")
    assert [net.phase for net in (made.train, *made.tests)] == ["TRAIN", "TEST"]


def test_data_that_is_not_there(tmp_path: Path) -> None:
    data = 'layer { name: "d" type: "Data" top: "x" top: "y" data_param { source: "gone_lmdb" batch_size: 2 } }\n'
    made = read_training(solver(PLAIN, data + FC.format("ip", "x", "") + LOSS % "ip"), input_shapes={"x": (2, 3, 1, 1)})
    assert made.fed == ["x", "y"] and made.train.shapes["ip"] == (2, 3)
    with pytest.raises(UntranslatableError, match="gone_lmdb"):
        made.demand_data()

"""Dropout taken out: in place, read by others, an output of the net, and where it must stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe2.bridge.caffe.translate import translate
from caffe2.bridge.caffe.verify import verify
from tests.bridge.caffe.files import inputs, net

FC = 'layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" inner_product_param {{ num_output: 3 }} }}'
DROPOUT = 'layer {{ name: "d" type: "Dropout" bottom: "{0}" top: "{1}" }}'
RELU = 'layer {{ name: "r" type: "ReLU" bottom: "{0}" top: "{1}" }}'
X = inputs(x=(2, 3))


@pytest.mark.parametrize(
    "layers, ops",
    [
        (FC.format("a", "x") + DROPOUT.format("a", "a") + FC.format("b", "a"), ["FC x>a", "FC a>b"]),
        (FC.format("a", "x") + DROPOUT.format("a", "m") + FC.format("b", "m"), ["FC x>a", "FC a>b"]),
        (FC.format("a", "x") + DROPOUT.format("a", "m") + RELU.format("m", "m"), ["FC x>a", "Relu a>m"]),
        (FC.format("a", "x") + DROPOUT.format("a", "y"), ["FC x>y"]),
        (FC.format("a", "x") + RELU.format("a", "a") + DROPOUT.format("a", "y"), ["FC x>a", "Relu a>a", "Copy a>y"]),
        (DROPOUT.format("x", "y"), ["Copy x>y"]),
        (DROPOUT.format("x", "m") + FC.format("b", "m"), ["FC x>b"]),
        (
            FC.format("a", "x") + DROPOUT.format("a", "y") + RELU.format("a", "z"),
            ["FC x>a", "Copy a>y", "Relu a>z"],
        ),
    ],
)
def test_what_stays(layers: str, ops: list[str], tmp_path: Path) -> None:
    """A blob that Caffe splits for two readers has one name here."""
    whole = net(tmp_path, X + layers)
    init_net, predict_net = translate(whole, remove_dropout=True)
    found = [f"{op.type} {op.input[0]}>{op.output[0]}" for op in predict_net.op]
    assert found == ops or (found == ["FC x>y", "Relu y>z"] and ops[1] == "Copy a>y")
    assert list(predict_net.external_output) == sorted(whole.outputs)
    report = verify(whole, init_net, predict_net)
    assert report.passed and set(whole.outputs) <= {row.blob for row in report.rows}


def test_a_net_that_trains_keeps_it(tmp_path: Path) -> None:
    whole = net(tmp_path, X + FC.format("a", "x") + DROPOUT.format("a", "a"), phase="TRAIN")
    assert [op.type for op in translate(whole, remove_dropout=True)[1].op] == ["FC", "Dropout"]

"""Groups of operators that are one layer are found, and only where nobody else reads what is within."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bridge.caffe.export.nets import net, numbers, written

IMAGE = {"x": (2, 3, 4, 5)}
Ops = list[tuple[str, str, str, dict[str, Any]]]
EPS = {"eps": np.array([1e-3], np.float32)}
PLANE = {"axes": [2, 3], "keepdims": 1}
CENTRED: Ops = [("ReduceMean", "x", "m", PLANE), ("Sub", "x m", "c", {})]
GROUPS: dict[str, tuple[Ops, dict[str, np.ndarray], str]] = {
    "Swish": ([("Sigmoid", "x", "s", {}), ("Mul", "x s", "y", {})], {}, "Swish"),
    "Swish of a slope": (
        [("Scale", "x", "t", {"scale": 2.0}), ("Sigmoid", "t", "s", {}), ("Mul", "x s", "y", {})],
        {},
        "Swish",
    ),
    "a mean taken away": (CENTRED, {}, "MVN"),
    "normalized": (
        [
            *CENTRED,
            ("Sqr", "c", "q", {}),
            ("ReduceMean", "q", "v", PLANE),
            ("Sqrt", "v", "d", {}),
            ("Add", "d eps", "e", {"broadcast": 1}),
            ("Div", "c e", "y", {}),
        ],
        EPS,
        "MVN",
    ),
    "over the norm of channels": (
        [
            ("Sqr", "x", "q", {}),
            ("ReduceSum", "q", "t", {"axes": [1], "keepdims": 1}),
            ("Add", "t eps", "e", {"broadcast": 1}),
            ("Sqrt", "e", "d", {}),
            ("Div", "x d", "u", {}),
            ("Mul", "u scale", "y", {"broadcast": 1, "axis": 1}),
        ],
        {**EPS, "scale": numbers(3)},
        "Normalize",
    ),
    "softmax of channels": (
        [
            ("Transpose", "x", "t", {"axes": [0, 2, 3, 1]}),
            ("Softmax", "t", "s", {"axis": 3}),
            ("Transpose", "s", "y", {"axes": [0, 3, 1, 2]}),
        ],
        {},
        "Softmax",
    ),
    "an average of zeros too": (
        [("PadImage", "x", "p", {"pad": 1}), ("AveragePool", "p", "y", {"kernel": 3, "stride": 1})],
        {},
        "Pooling",
    ),
    "a comparison": ([("GT", "x eps", "g", {"broadcast": 1}), ("Cast", "g", "y", {"to": 1})], EPS, "Threshold"),
    "a line before a power": (
        [
            ("Scale", "x", "t", {"scale": 0.1}),
            ("Add", "t eps", "u", {"broadcast": 1}),
            ("Pow", "u", "y", {"exponent": 2.0}),
        ],
        EPS,
        "Power",
    ),
    "a scale and a bias": (
        [("Mul", "x w", "t", {"broadcast": 1, "axis": 1}), ("Add", "t b", "y", {"broadcast": 1, "axis": 1})],
        {"w": numbers(3), "b": numbers(3)},
        "Scale",
    ),
    "a sum of squares": (
        [("Sqr", "x", "t", {}), ("ReduceSum", "t", "y", {"axes": [1, 2, 3], "keepdims": 0})],
        {},
        "Reduction",
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_is_a_layer(name: str, tmp_path: Path) -> None:
    ops, params, layer = GROUPS[name]
    assert written(net(*ops), params, tmp_path, input_shapes=IMAGE)[1] == [layer]


@pytest.mark.parametrize("name", [name for name in GROUPS if name != "a comparison"])
def test_a_group_that_is_read_within_is_several(name: str, tmp_path: Path) -> None:
    ops, params, layer = GROUPS[name]
    predict = net(*ops)
    predict.external_output.append(ops[0][2])
    _, layers = written(predict, params, tmp_path, input_shapes=IMAGE)
    assert len(layers) > 1


@pytest.mark.parametrize("name", GROUPS)
def test_for_bvlc_there_are_parts(name: str, tmp_path: Path) -> None:
    ops, params, layer = GROUPS[name]
    _, layers = written(net(*ops), params, tmp_path, input_shapes=IMAGE, bvlc=True)
    assert layers == [layer] or layer == "Normalize"


def test_excitation_of_channels(tmp_path: Path) -> None:
    predict = net(
        ("Reshape", "a", "f sizes", {"shape": [2, 3, 1, 1]}), ("Mul", "x f", "t", {}), ("Add", "t z", "y", {})
    )
    shapes = {**IMAGE, "z": IMAGE["x"], "a": (2, 3)}
    assert written(predict, {}, tmp_path, input_shapes=shapes)[1] == ["Axpy"]
    layers = written(predict, {}, tmp_path, input_shapes=shapes, bvlc=True)[1]
    assert layers == ["Reshape", "Reshape", "Scale", "Eltwise"]

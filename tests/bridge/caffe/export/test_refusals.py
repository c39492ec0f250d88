"""What Caffe cannot express is refused, all of it at once, with the place, the reason and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe2.bridge.caffe.errors import NetError
from caffe2.bridge.caffe.export import InexpressibleError, export
from caffe2.bridge.caffe.export.site import Obstacle
from caffe2.python import caffe_translator
from tests.bridge.caffe.export.nets import net, numbers

IMAGE = {"x": (2, 4, 7, 7)}
W = {"w": numbers(3, 4, 3, 3)}


def obstacles(*ops: tuple[str, str, str, dict[str, Any]], **options: Any) -> tuple[Obstacle, ...]:
    """What is wrong with a net."""
    params = options.pop("params", {})
    with pytest.raises(InexpressibleError) as caught:
        export(params, net(*ops), **{"input_shapes": IMAGE, **options})
    return caught.value.obstacles


def test_everything_is_listed_at_once(tmp_path: Path) -> None:
    predict = net(
        ("Conv", "x w", "c", {"kernel": 3, "stride": 2, "dilation": 2, "pads": [0, 0, 1, 1]}),
        ("Erf", "c", "e", {}),
        ("Relu", "e", "r", {}),
        ("Cos", "r", "y", {"name": "turn"}),
    )
    files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    with pytest.raises(InexpressibleError) as caught:
        caffe_translator.write_caffe(W, predict, *files, input_shapes={"x": (2, 4, 8, 8)})
    found = caught.value.obstacles
    assert [(o.index, o.type, o.blob, o.argument) for o in found] == [
        (0, "Conv", "c", "pads"),
        (1, "Erf", "e", ""),
        (3, "Cos", "y", ""),
    ]
    assert "3 part(s)" in str(caught.value) and "'turn'" in str(found[2])
    assert "pad both sides alike" in str(found[0]) and not any(tmp_path.iterdir())


REFUSED = {
    "images with channels last": ("MaxPool", "x", "y", {"kernel": 2, "order": "NHWC"}, "order"),
    "uneven padding": ("MaxPool", "x", "y", {"kernel": 3, "stride": 2, "pads": [0, 0, 2, 2]}, "pads"),
    "padding that mirrors": ("PadImage", "x", "y", {"pad": 1, "mode": "reflect"}, "mode"),
    "chance": ("Dropout", "x", "y mask", {"ratio": 0.5}, "is_test"),
    "a comparison": ("GT", "x w", "y", {"broadcast": 1}, ""),
    "a scale that is no whole number": (
        "ResizeNearest",
        "x",
        "y",
        {"height_scale": 1.5, "width_scale": 2.0},
        "height_scale",
    ),
    "middle axes": ("ReduceL1", "x", "y", {"axes": [1]}, "axes"),
    "a loss of every row": ("LabelCrossEntropy", "p i", "y", {}, ""),
    "columns": ("BatchGather", "x i", "y", {}, "axis"),
    "an adjusted deconvolution": ("ConvTranspose", "x k", "y", {"kernel": 3, "stride": 2, "adj": 1}, "adj"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_caffe_has_not(case: str) -> None:
    kind, blobs, outputs, args, argument = REFUSED[case]
    params = {"w": numbers(1), "i": np.array([0, 1]), "k": numbers(4, 2, 3, 3), "p": numbers(2, 3)}
    given = {"p": numbers(2, 3)} if "p" in blobs.split() else None
    params.pop("p" if given else "", None)
    shapes = None if given else IMAGE
    (found,) = obstacles((kind, blobs, outputs, args), params=params, inputs=given, input_shapes=shapes)
    assert (found.index, found.type, found.argument) == (0, kind, argument) and found.what


def test_parameters_that_are_computed() -> None:
    (found,) = obstacles(("Conv", "x v", "y", {"kernel": 3}), input_shapes={**IMAGE, "v": (3, 4, 3, 3)})
    assert "'v' is computed or fed" in found.what


def test_whole_numbers_that_are_computed_with() -> None:
    (found,) = obstacles(("Cast", "x", "i", {"to": 2}), ("Cast", "i", "y", {"to": 1}))
    assert "whole numbers" in found.what and found.index == 1


def test_layers_of_forks_where_they_are_not_wanted() -> None:
    (found,) = obstacles(("Transpose", "x", "y", {"axes": [0, 2, 3, 1]}), bvlc=True)
    assert "BVLC" in found.what and "SSD" in found.what


REFUSED_BY_CAFFE = {
    "even": ("LRN", "y", {"size": 4}, "must be odd"),
    "more than there are": ("TopK", "y i", {"k": 8, "axis": 1}, "8 is more than the 4 numbers"),
}


@pytest.mark.parametrize("case", REFUSED_BY_CAFFE)
def test_what_caffe_refuses(case: str) -> None:
    kind, outputs, args, what = REFUSED_BY_CAFFE[case]
    (found,) = obstacles((kind, "x", outputs, args))
    assert found.type == kind and what in found.what


def test_gradients() -> None:
    (found,) = obstacles(("ReluGradient", "x x", "y", {}))
    assert found.what == "Caffe derives gradients itself" and found.advice == "give the net without them"


def test_an_operator_that_does_not_run() -> None:
    (found,) = obstacles(("Conv", "x w", "y", {"kernel": 3}), params={"w": numbers(3, 5, 3, 3)})
    assert "does not run" in found.what and "Conv:" not in found.what


def test_inputs_without_shapes() -> None:
    with pytest.raises(NetError, match="input 'x' is not known"):
        export({}, net(("Relu", "x", "y", {})))
    with pytest.raises(NetError, match="no input is called 'z'"):
        export({}, net(("Relu", "x", "y", {})), input_shapes={"x": (1,), "z": (1,)})
    with pytest.raises(NetError, match="no operators"):
        export({}, type(net(("Relu", "x", "y", {})))())

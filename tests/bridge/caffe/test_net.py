"""Nets as Caffe makes them: which layers take part, how they hang together, whose weights they get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import LayerError, NetError, UntranslatableError, WeightsError, read_net
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import blob, inputs, net, write

X = inputs(x=(2, 3, 4, 4))
RELU = 'layer { name: "%s" type: "ReLU" bottom: "x" top: "%s" %s }\n'
CONV = 'layer { name: "%s" type: "Convolution" bottom: "x" top: "%s" %s '
CONV += "convolution_param { num_output: 2 kernel_size: 3 } }"


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN }", True),
        ("include { min_level: 2 }", True),
        ("include { min_level: 3 }", False),
        ("include { max_level: 1 }", False),
        ('include { stage: "a" stage: "b" }', True),
        ('include { stage: "a" stage: "z" }', False),
        ('include { not_stage: "b" }', False),
        ('include { stage: "z" } include { stage: "own" }', True),
        ('exclude { stage: "a" not_stage: "b" }', True),
    ],
)
def test_rules(tmp_path: Path, rules: str, kept: bool) -> None:
    text = X + 'state { stage: "own" phase: TRAIN level: 9 }' + RELU % ("r", "y", rules)
    found = net(tmp_path, text, level=2, stages=("a", "b"))
    assert ("y" in found.shapes) == kept
    assert found.layers[0].proto.phase == caffe_pb2.TEST


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (RELU % ("r", "y", "include { } exclude { }"), 'layer "r", exclude: give include rules or exclude rules'),
        (RELU.replace('"x"', '"z"') % ("r", "y", ""), 'unknown bottom blob "z" \\(bottom 0\\)'),
        (RELU % ("r", "y", "") + RELU % ("s", "y", ""), 'top blob "y" is also made by layer "r"'),
        (RELU % ("r", "y", "") + RELU % ("s", "x", ""), 'overwrites "x" in place, which other layers read'),
        (RELU % ("r", "x", "loss_weight: 1") + RELU % ("s", "x", ""), "in place"),
        (RELU % ("r", "y", "propagate_down: true propagate_down: true"), "propagate_down"),
        (RELU % ("r", "y", "param { lr_mult: 1 }"), r"1 param fields for 0 parameter\(s\)"),
        (
            CONV % ("a", "a", 'param { name: "w" lr_mult: 1 }') + CONV % ("b", "b", 'param { name: "w" lr_mult: 2 }'),
            "lr_mult",
        ),
    ],
)
def test_wiring_that_caffe_refuses(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(NetError, match=what):
        net(tmp_path, X + text)


def test_the_shape_of_a_net(tmp_path: Path) -> None:
    loss = inputs(label=(2,)) + 'layer { type: "SoftmaxWithLoss" name: "loss" bottom: "i" bottom: "label" }'
    inner = 'layer { name: "i" type: "InnerProduct" bottom: "x" top: "i" inner_product_param { num_output: 5 } }'
    found = net(
        tmp_path,
        'name: "n" ' + X + RELU % ("r", "x", "") + inner + loss + RELU % ("s", "b", "") + RELU % ("t", "a", ""),
    )
    assert found.name == "n" and found.inputs == {"x": (2, 3, 4, 4), "label": (2,)}
    assert found.outputs == ["a", "b"]
    assert found.shapes["i"] == (2, 5)
    assert [(p.shape, p.filler.type) for p in found.layers[2].params] == [((5, 48), "constant"), ((5,), "constant")]
    assert found.layers[4].tops == ("(automatic)",) and found.layers[4].loss_weights == (1.0,)
    assert (
        found.layers[2].param.num_output == 5
        and found.layers[2].position_of("inner_product_param.num_output").line == 3
    )


def test_input_shapes_can_be_given(tmp_path: Path) -> None:
    found = net(tmp_path, X + RELU % ("r", "y", ""), input_shapes={"x": (1, 3, 9, 9)})
    assert found.shapes["y"] == (1, 3, 9, 9)
    with pytest.raises(NetError, match="no input is called 'z'"):
        net(tmp_path, X, input_shapes={"z": (1,)})


def test_data_that_is_elsewhere_leaves_shapes_unknown_until_given(tmp_path: Path) -> None:
    data = 'layer { type: "Data" name: "d" top: "x" top: "l" data_param { source: "nowhere" batch_size: 8 } }'
    text = data + CONV % ("c", "y", "")
    weights = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="c", blobs=[blob((2, 3, 3, 3), [1] * 54)])])
    found = net(tmp_path, text, weights)
    assert found.shapes == {"x": None, "l": (8,), "y": None}
    assert found.layers[1].params[0].shape == (2, 3, 3, 3)
    found = net(tmp_path, text, input_shapes={"x": (4, 3, 9, 9)})
    assert found.shapes == {"x": (4, 3, 9, 9), "l": (4,), "y": (4, 2, 7, 7)}


def test_shared_parameters(tmp_path: Path) -> None:
    text = (
        X
        + CONV % ("a", "a", 'param { name: "w" } param { lr_mult: 2 }')
        + CONV % ("b", "b", 'param { name: "w" lr_mult: 3 }')
    )
    found = net(tmp_path, text)
    (w, bias), (again, other) = found.layers[1].params, found.layers[2].params
    assert again.owner is w and again.root is w and w.owner is None and other.owner is None
    assert w.lr_mult == again.lr_mult == 3 and bias.lr_mult == 2


def test_weights_go_by_name(tmp_path: Path) -> None:
    def stored(name: str, value: float, *shapes: tuple[int, ...]):
        blobs = [blob(shape, [value] * int(np.prod(shape))) for shape in shapes]
        return caffe_pb2.LayerParameter(name=name, blobs=blobs)

    shapes = (2, 3, 3, 3), (2,)
    text = X + CONV % ("a", "a", "") + CONV % ("b", "b", "")
    weights = caffe_pb2.NetParameter(layer=[stored("a", 1, *shapes), stored("zzz", 2, (7,)), stored("a", 3, *shapes)])
    found = net(tmp_path, text, weights)
    assert found.layers[1].params[0].blob.array[0, 0, 0, 0] == 3
    assert found.layers[2].params[0].blob is None
    assert [note.split(": ")[1] for note in found.notes] == ["zzz", "b"]
    with pytest.raises(WeightsError, match=r'layer "a", blobs: .* has 1 blob\(s\) for this layer, which takes 2'):
        net(tmp_path, text, caffe_pb2.NetParameter(layer=[stored("a", 1, (2, 3, 3, 3))]))
    with pytest.raises(WeightsError, match=r"the shape 2 3 3 2 \(36\), but the layer takes 2 3 3 3 \(54\)"):
        net(tmp_path, text, caffe_pb2.NetParameter(layer=[stored("a", 1, (2, 3, 3, 2), (2,))]))


def test_blobs_in_the_prototxt_itself(tmp_path: Path) -> None:
    blobs = "blobs { shape { dim: 2 } data: 1 data: 2 } parameter_param { shape { dim: 2 } }"
    own = f'layer {{ name: "p" type: "Parameter" top: "p" {blobs} }}'
    found = net(tmp_path, own)
    assert found.layers[0].params[0].blob.array.tolist() == [1, 2] and not found.layers[0].proto.blobs
    with pytest.raises(WeightsError):
        net(tmp_path, own.replace("dim: 2", "dim: 3", 1))


def test_everything_unknown_is_listed_at_once(tmp_path: Path) -> None:
    text = (
        X
        + 'layer { name: "p" type: "Python" bottom: "x" top: "p" python_param { module: "os" } }\n'
        + 'layer { name: "f" type: "Foo" bottom: "x" top: "f" }\n'
        + RELU % ("r", "y", "foo: 1 loss_param { class_weighting: 2 }")
        + RELU % ("t", "q", "bar: 1 include { phase: TRAIN }")
    )
    found = net(tmp_path, text)
    assert [(p.layer, p.field) for p in found.problems] == [
        ("p", ""),
        ("f", ""),
        ("r", "foo"),
        ("r", "loss_param.class_weighting"),
    ]
    with pytest.raises(UntranslatableError, match="4 part") as caught:
        found.require()
    assert "Python layers run code" in str(caught.value) and 'net.prototxt:4:53: layer "r" (ReLU), foo' in str(
        caught.value
    )
    with pytest.raises(UntranslatableError, match="3 part"):
        found.require(types={"Python"})
    found.require(types={"Python", "Foo", "ReLU"})


def test_a_net_in_memory(tmp_path: Path) -> None:
    given = caffe_pb2.NetParameter(input=["x"], input_dim=[2, 3, 4, 4])
    given.layers.add(name="r", type=caffe_pb2.V1LayerParameter.RELU, bottom=["x"], top=["y"])
    found = read_net(given)
    assert found.shapes["y"] == (2, 3, 4, 4) and len(given.layers) == 1


def test_an_absurd_size_is_refused_before_it_is_held(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="not possible"):
        net(tmp_path, inputs(x=(99999, 99999, 99999)))
    with pytest.raises(LayerError, match="axes"):
        net(tmp_path, inputs(x=(1,) * 33))
    with pytest.raises(LayerError, match="parameter 0"):
        net(tmp_path, X + CONV.replace("num_output: 2", "num_output: 200000000") % ("c", "y", ""))


def test_hdf5_weights_may_leave_out_shared_ones(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_group("data/a").create_dataset("0", data=np.ones((2, 3, 3, 3), np.float32))
        file["data/a"].create_dataset("1", data=np.zeros(2, np.float32))
        file.create_group("data/b")
    shared = 'param { name: "w" } param { name: "v" }'
    text = X + CONV % ("a", "a", shared) + CONV % ("b", "b", shared)
    found = read_net(write(tmp_path, text), tmp_path / "w.h5")
    assert found.layers[2].params[0].root.blob.array.sum() == 54

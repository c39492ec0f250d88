"""Older generations come out as Caffe's own upgrade makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe2.bridge.caffe import UpgradeError, load_prototxt, load_solver, read_prototxt
from tests.bridge.caffe.files import RECORDED, write

CASES = ["Net_TestAllParams_input_proto", "PaddingLayer_TestImageNet_input_proto", "data_transform_v1"]


@pytest.mark.parametrize("case", CASES)
def test_as_recorded(case: str) -> None:
    new = load_prototxt(RECORDED / case / "upgraded.prototxt")
    assert load_prototxt(RECORDED / case / "input.prototxt") == new


def test_recorded_nets_of_every_generation() -> None:
    found = [path.parent for path in RECORDED.glob("*/upgraded.prototxt") if (path.parent / "deploy.prototxt").exists()]
    assert len(found) >= 3
    for folder in found:
        assert load_prototxt(folder / "deploy.prototxt") == load_prototxt(folder / "upgraded.prototxt"), folder.name


def test_every_step_is_noted_and_places_survive() -> None:
    source = read_prototxt(RECORDED / "PaddingLayer_TestImageNet_input_proto" / "input.prototxt")
    assert source.notes[0].startswith("upgraded from the V0 format")
    assert 'padding layer "pad2" became pad 2 of "conv2"' in source.notes
    conv2 = [layer.name for layer in source.net.layer].index("conv2")
    lines = Path(source.path).read_text().splitlines()
    assert "kernelsize: 5" in lines[source.position(conv2, "convolution_param.kernel_size").line - 1]
    assert "layers {" in lines[source.position(conv2, "convolution_param.nothing").line - 1]


INPUT = 'input: "a" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 '


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('layers { name: "a" } layer { name: "b" }', "in one file"),
        ('input: "a" input: "b" input_dim: 1', "give four for each"),
        ('input: "a" input: "b" input_shape { dim: 1 }', "give one for each"),
        ('layers { layer { name: "l" type: "foo" } }', 'layer "l", type: the V0 format has no layer type "foo"'),
        ('layers { layer { name: "l" type: "relu" } bottom: "b" }', 'unknown bottom blob "b"'),
        (
            INPUT + 'layers { layer { type: "padding" pad: 1 } bottom: "a" top: "p" }'
            'layers { layer { name: "r" type: "relu" } bottom: "p" }',
            'a padding layer feeds type "relu"',
        ),
    ],
)
def test_what_caffe_refuses_to_upgrade(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UpgradeError, match=what):
        load_prototxt(write(tmp_path, text))


def test_fields_that_a_v0_type_does_not_take_are_noted(tmp_path: Path) -> None:
    source = read_prototxt(write(tmp_path, INPUT + 'layers { layer { name: "r" type: "relu" group: 2 } bottom: "a" }'))
    assert any("dropped group" in note for note in source.notes)


def test_inputs_without_shape_are_ignored(tmp_path: Path) -> None:
    source = read_prototxt(write(tmp_path, 'input: "a"'))
    assert not source.net.input and not source.net.layer and "ignored 1 input" in source.notes[0]


def test_solver_types(tmp_path: Path) -> None:
    solver = load_solver(write(tmp_path, "solver_type: ADAGRAD"))
    assert solver.type == "AdaGrad" and not solver.HasField("solver_type")
    with pytest.raises(UpgradeError, match="keep type"):
        load_solver(write(tmp_path, 'solver_type: SGD type: "SGD"'))

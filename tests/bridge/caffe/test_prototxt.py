"""The text that Caffe's parser takes, and the places of what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from caffe2.bridge.caffe import (
    FileError,
    TextError,
    TranslatorError,
    UntranslatableError,
    load_prototxt,
    read_prototxt,
    read_solver,
)
from caffe2.bridge.caffe.forks import fork_fields
from caffe2.bridge.caffe.tokens import tokens
from tests.bridge.caffe.files import write


def load(folder: Path, text: str | bytes):
    return load_prototxt(write(folder, text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("scale: 0.5f", 0.5),
        ("scale: 1.F", 1),
        ("scale: -.5e0", -0.5),
        ("scale: - 2", -2),
        ("scale: 1E-1;", 0.1),
        ("scale: -inf,", -math.inf),
        ("scale: INFINITY", math.inf),
        ("scale: 7", 7),
        ("scale: 1e400", math.inf),
    ],
)
def test_spellings_of_floats(tmp_path: Path, text: str, value: float) -> None:
    layer = load(tmp_path, f"layer {{ power_param {{ {text} }} }}").layer[0]
    assert layer.power_param.scale == pytest.approx(value)


@pytest.mark.parametrize("text", ["true", "True", "t", "1", "0x1", "01"])
def test_spellings_of_true(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, f"layer {{ mvn_param {{ across_channels: {text} }} }}").layer[0].mvn_param.across_channels


def test_strings_join_and_escape(tmp_path: Path) -> None:
    net = load(tmp_path, r"""name: "a" 'b' "\x41\101\n\"\\" """)
    assert net.name == 'abAA\n"\\'


def test_names_that_are_no_utf8_are_escaped(tmp_path: Path) -> None:
    assert load(tmp_path, b'name: "\xc4\xe3" # \xff\n').name == "\\xc4\\xe3"


def test_lists_angles_colons_and_separators(tmp_path: Path) -> None:
    text = 'layer: [ { bottom: ["a", "b"], top: [] }, < name: "x"; > ] layer < eltwise_param: { coeff: [1, -2] } >'
    net = load(tmp_path, "\ufeff" + text)
    assert [list(layer.bottom) for layer in net.layer] == [["a", "b"], [], []]
    assert list(net.layer[2].eltwise_param.coeff) == [1, -2]


def test_enumerations_by_number(tmp_path: Path) -> None:
    assert (
        load(tmp_path, "layer { pooling_param { pool: 1 pad: 010 kernel_size: 0x3 } }").layer[0].pooling_param.pad == 8
    )


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (
            'layer { name: "c" type: "C" pooling_param {\n  pool: SUM } }',
            "2:9",
            'layer "c", pooling_param.pool: takes MAX',
        ),
        ('layer { name: "c" mvn_param { eps: 010 } }', "1:36", "decimal"),
        ('layer { name: "c" mvn_param { across_channels: TRUE } }', "1:48", "true or false, not TRUE"),
        ("layer { convolution_param { pad: -1 } }", "1:34", "non-negative integer"),
        ("layer { convolution_param { pad: 4294967296 } }", "1:34", "out of range"),
        ("layer { convolution_param { num_output: 1 num_output: 2 } }", "1:43", "twice"),
        ("layer { relu_param { } relu_param { } }", "1:24", "twice"),
        ('layer { name: ["a"] }', "1:9", "one value, not a list"),
        ("layer { name: foo }", "1:15", "in quotes"),
        ("layer { 1: 2 }", "1:9", "a field's name"),
        ("layer { } }", "1:11", 'found "}"'),
        ('layer {\n name: "n"\n', "3:1", 'layer "n": expected "}" for the "{" of line 1'),
        ("layer { clip_param { min: 0 } }", "1:20", "clip_param.max: a required field"),
        ('name: "a\nb"', "1:7", "does not end on its line"),
        ('name: "\\q"', "1:7", "escape"),
        ("name: 'a' input_dim: 08", "1:22", "octal"),
        ("input_dim: 1name: 'a'", "1:12", "blank between"),
        ("input_dim: 1 \x01", "1:14", "not allowed"),
        ("input_dim: 1 ü", "1:14", "not allowed"),
        ("layer " * 3, "1:7", "expected"),
        ("layer: 3", "1:8", "message in braces"),
        ("name { }", "1:6", "not a message"),
        ("name: -'a'", "1:8", "expected a value"),
        ("a {" * 200, "1:303", "nested deeper"),
    ],
)
def test_refusals_say_where(tmp_path: Path, text: str, place: str, what: str) -> None:
    with pytest.raises(TextError) as caught:
        load(tmp_path, text)
    assert f"net.prototxt:{place}: " in str(caught.value)
    assert what in str(caught.value)
    assert place == f"{caught.value.position.line}:{caught.value.position.column}"


def test_unknown_fields_are_listed_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'layer { name: "p" type: "Pooling"\n pooling_param { kernal_size: 2 }\n foo { bar: 1 } }')
    assert [problem.field for problem in read_prototxt(path).problems] == ["pooling_param.kernal_size", "foo"]
    with pytest.raises(
        UntranslatableError, match=r'2:18: layer "p" \(Pooling\), pooling_param.kernal_size.*kernel_size'
    ):
        load_prototxt(path)


def test_fields_of_forks_are_kept(tmp_path: Path) -> None:
    text = 'type: "Permute" permute_param { order: [0, 2, 1] } convolution_param { pad: 1 hole: 2 }'
    layer = load(tmp_path, f"layer {{ {text} }}").layer[0]
    assert list(fork_fields(layer).permute_param.order) == [0, 2, 1]
    assert fork_fields(layer).convolution_param.hole == 2
    again = type(layer).FromString(layer.SerializeToString())
    assert fork_fields(again).permute_param.order[1] == 2 and list(again.convolution_param.pad) == [1]


def test_v1_types_of_forks(tmp_path: Path) -> None:
    net = load(tmp_path, "layers { type: CONVOLUTION3D convolution_param { num_output: 2 kernel_depth: 3 } }")
    assert net.layer[0].type == "Convolution3D"
    assert fork_fields(net.layer[0]).convolution_param.kernel_depth == 3


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "[" * 200_000, "1" * 200_000, '"' + "\\" * 100_001, "a:1" * 9999, "a<" * 9999]
)
def test_long_nonsense_is_refused_quickly(tmp_path: Path, text: str) -> None:
    with pytest.raises(TranslatorError):
        load(tmp_path, text)


def test_columns_count_characters() -> None:
    assert [(token.text, token.line, token.column) for token in tokens('a\n\t"ü" b', "")][1:3] == [
        ('"ü"', 2, 2),
        ("b", 2, 6),
    ]


def test_nets_and_solvers_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="a solver, not a net"):
        load(tmp_path, 'net: "n.prototxt" base_lr: 0.1')
    with pytest.raises(FileError, match="a net, not a solver"):
        read_solver(write(tmp_path, "layer { }"))


def test_snapshot_prefix_as_caffe_sets_it(tmp_path: Path) -> None:
    assert read_solver(write(tmp_path, "base_lr: 1", "s.prototxt")).snapshot_prefix() == str(tmp_path / "s")
    folder = write(tmp_path, f'snapshot_prefix: "{tmp_path}" eval_type: "detection"', "s.prototxt")
    solver = read_solver(folder)
    assert solver.snapshot_prefix() == str(tmp_path / "s")
    assert "eval_type" in solver.notes[0]


def test_the_engines_of_intels_fork_say_nothing_of_the_arithmetic(tmp_path: Path) -> None:
    text = 'layer { name: "c" type: "Convolution" engine: "MKLDNN" convolution_param { engine: MKL2017 num_output: 2 }}'
    found = load_prototxt(write(tmp_path, text)).layer[0].convolution_param
    assert found.num_output == 2 and not found.HasField("engine")
    with pytest.raises(TextError, match="takes DEFAULT, CAFFE, CUDNN, not MKL2018"):
        load_prototxt(write(tmp_path, text.replace("MKL2017", "MKL2018")))

"""The translator's command, writing ONNX models."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe2.python import _translator_command, _translator_onnx
from caffe2.python.caffe_translator import main
from tests.bridge.caffe.files import RECORDED

onnx = pytest.importorskip("onnx")
NET = [str(RECORDED / "batchnorm_3_params_upgrade" / name) for name in ("deploy.prototxt", "weights.caffemodel")]


def test_a_model_is_written_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([*NET, "--out", str(tmp_path), "--onnx", "m.onnx", "--onnx_opset", "18"]) == 0
    said = capsys.readouterr().out
    assert f"wrote {tmp_path / 'm.onnx'}" in said and "what the translated net computes" in said
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 18


def test_an_open_batch_is_compared_at_two_sizes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([*NET, "--out", str(tmp_path), "--onnx", "m.onnx", "--onnx_dynamic_batch"]) == 0
    assert capsys.readouterr().out.count("max |diff| ") == 3  # with the one of Caffe's blobs
    assert onnx.load(tmp_path / "m.onnx").graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_a_net_of_one_batch_leaves_no_open_model(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'input: "x" input_dim: 2 input_dim: 3 input_dim: 1 input_dim: 1 layer { name: "r" type: "Reshape" bottom: "x"'
        ' top: "y" reshape_param { shape { dim: 3 dim: 2 } } }'
    )
    assert main([str(net), "--verify", "--out", str(tmp_path), "--onnx", "m.onnx", "--onnx_dynamic_batch"]) == 2
    assert "leave --onnx_dynamic_batch out" in capsys.readouterr().err and not (tmp_path / "m.onnx").exists()


def test_a_difference_is_an_exit_status_of_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = _translator_onnx.compare
    monkeypatch.setattr(
        _translator_onnx, "compare", lambda *a: [r.__class__(r.name, r.shape, 1.0, False) for r in compare(*a)]
    )
    assert main([*NET, "--out", str(tmp_path), "--onnx", "m.onnx"]) == 1


def test_what_onnx_cannot_say_is_an_exit_status_of_2(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    net = RECORDED / "Accuracy__ignore" / "deploy.prototxt"
    assert main([str(net), "--out", str(tmp_path), "--onnx", "m.onnx"]) == 2
    assert "CaffeAccuracy" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_an_opset_that_is_not_known(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([*NET, "--out", str(tmp_path), "--onnx", "m.onnx", "--onnx_opset", "999"]) == 2
    assert "opset is 999" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert _translator_command.main([*NET, "--out", str(tmp_path), "--onnx", "m.onnx"]) == 2
    assert "pip install caffe2[onnx]" in capsys.readouterr().err

"""The command and the functions of the Caffe translator, those of the original included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import caffe_translator, utils, workspace
from caffe2.python.caffe_translator import TranslatorRegistry

TEXT = """name: "tiny" input: "x" input_dim: 2 input_dim: 3 input_dim: 1 input_dim: 1
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "r" type: "ReLU" bottom: "fc" top: "fc" relu_param { negative_slope: 0.5 } }
"""
W, B, X = np.array([[1, 0, 0], [0, -1, 0]]), np.array([0, 1]), np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
Y = [[0, 0], [3, -1.5]]


def model() -> caffe_pb2.NetParameter:
    blobs = [caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=v.shape), data=v.ravel()) for v in (W, B)]
    return caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="fc", type="InnerProduct", blobs=blobs)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "net.prototxt").write_text(TEXT)
    (tmp_path / "net.caffemodel").write_bytes(model().SerializeToString())
    return str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")


@pytest.fixture
def registered() -> Iterator[None]:
    held = dict(TranslatorRegistry.registry_)
    yield
    TranslatorRegistry.registry_.clear()
    TranslatorRegistry.registry_.update(held)


def run(init_net: caffe2_pb2.NetDef, predict_net: caffe2_pb2.NetDef) -> np.ndarray:
    workspace.ResetWorkspace()
    workspace.RunNetOnce(init_net)
    workspace.FeedBlob("x", X)
    workspace.RunNetOnce(predict_net)
    return workspace.FetchBlob("fc")


def test_files_become_nets(files) -> None:
    assert run(*caffe_translator.translate_files(*files)).tolist() == Y


def test_another_input_shape(files) -> None:
    init_net, _ = caffe_translator.translate_files(*files, input_shapes={"x": (7, 3, 1, 1)})
    workspace.ResetWorkspace()
    workspace.RunNetOnce(init_net)
    assert workspace.FetchBlob("x").shape == (7, 3, 1, 1)


def test_translate_model_as_the_original_does(files) -> None:
    net = caffe_translator.load_prototxt(files[0])
    predict_net, params = caffe_translator.TranslateModel(net, model(), is_test=True)
    assert {p.name: utils.Caffe2TensorToNumpyArray(p).tolist() for p in params.protos} == {
        "fc_w": W.tolist(),
        "fc_b": B.tolist(),
    }
    init_net = caffe_translator.ConvertTensorProtosToInitNet(params, "x")
    assert [op.type for op in init_net.op] == ["GivenTensorFill", "GivenTensorFill", "ConstantFill"]
    assert run(init_net, predict_net).tolist() == Y


def test_missing_weights_are_named(files) -> None:
    net = caffe_translator.load_prototxt(files[0])
    with pytest.raises(RuntimeError, match="fc_w"):
        caffe_translator.TranslateModel(net, caffe_pb2.NetParameter(), is_test=True)


def test_a_layer_of_ones_own(files, registered) -> None:
    @TranslatorRegistry.Register("Doubled")
    def _(layer, pretrained_blobs, is_test, **kwargs):
        op = caffe_translator.BaseTranslate(layer, "Scale")
        caffe_translator.AddArgument(op, "scale", 2.0)
        return op, []

    text = Path(files[0]).read_text() + 'layer { name: "own" type: "Doubled" bottom: "fc" top: "twice" }'
    Path(files[0]).write_text(text)
    run(*caffe_translator.translate_files(*files))
    assert workspace.FetchBlob("twice").tolist() == [[2 * v for v in row] for row in Y]


def test_a_layer_without_a_translator_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="Unheard"):
        TranslatorRegistry.TranslateLayer(caffe_pb2.LayerParameter(name="a", type="Unheard"), [], True)


def test_the_command_writes_verified_nets_and_a_page(files, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    words = [*files, "--out", str(out), "--report", str(tmp_path / "r.html"), "--input_dims", "1", "3", "1", "1"]
    assert caffe_translator.main(words) == 0
    told = capsys.readouterr().out
    assert "verified" in told and "ReLU" in told
    assert "<svg" in (tmp_path / "r.html").read_text()
    nets = [caffe2_pb2.NetDef.FromString((out / n).read_bytes()) for n in ("init_net.pb", "predict_net.pb")]
    assert run(*nets).tolist() == Y
    assert (out / "predict_net.pbtxt").exists()


def test_the_command_says_what_is_wrong(files, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.prototxt").write_text(TEXT.replace("num_output: 2", "num_output: 0"))
    assert caffe_translator.main([str(tmp_path / "bad.prototxt")]) == 2
    told = capsys.readouterr().err
    assert "fc" in told and "bad.prototxt" in told
    assert caffe_translator.main([str(tmp_path / "none.prototxt")]) == 2


def test_a_divergence_is_exit_status_one(files, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("caffe2.bridge.caffe.verify.TOLERANCE", -1.0)
    assert caffe_translator.main([*files, "--out", str(tmp_path / "o")]) == 1
    assert "first divergence: blob fc" in capsys.readouterr().out


def test_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        caffe_translator.main(["-h"])
    assert ended.value.code == 0 and "examples:" in capsys.readouterr().out

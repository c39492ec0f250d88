"""The files that are written, in a program and by the command to_caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe2.bridge.caffe import TranslatorError, read_net, read_weights
from caffe2.bridge.caffe.export import prototxt
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import _to_caffe, caffe_translator, core
from caffe2.python._translator_command import main
from tests.bridge.caffe.export.nets import net, numbers

SHAPE = (2, 3, 5, 5)


def nets() -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    """An init net and a predict net of two layers."""
    init = caffe2_pb2.NetDef()
    for name, array in {"conv_w": numbers(4, 3, 3, 3), "conv_b": numbers(4)}.items():
        init.op.append(core.CreateOperator("GivenTensorFill", [], [name], shape=array.shape, values=array.ravel()))
    return init, net(
        ("Conv", "x conv_w conv_b", "conv", {"kernel": 3}), ("Transpose", "conv", "y", {"axes": [0, 2, 3, 1]})
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with both nets in it."""
    monkeypatch.chdir(tmp_path)
    for name, made in zip(("init_net.pb", "predict_net.pb"), nets()):
        (tmp_path / name).write_bytes(made.SerializeToString())
    return tmp_path


COMMAND = ["to_caffe", "init_net.pb", "predict_net.pb", "--prototxt", "o.prototxt", "--caffemodel", "o.caffemodel"]
SHAPED = ["--input", "x", *map(str, SHAPE)]


def test_the_command(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([*COMMAND, *SHAPED]) == 0
    told = capsys.readouterr().out
    assert "wrote o.prototxt (3 layers)" in told and "verified" in told and "note: Permute layers are those of" in told
    assert [layer.type for layer in read_net("o.prototxt", "o.caffemodel").layers] == [
        "Input",
        "Convolution",
        "Permute",
    ]


def test_text_nets_and_inputs_of_a_users_own(folder: Path) -> None:
    (folder / "net.pbtxt").write_text(text_format.MessageToString(nets()[1]))
    np.savez(folder / "inputs.npz", x=numbers(*SHAPE))
    words = [word.replace("predict_net.pb", "net.pbtxt") for word in COMMAND]
    assert main([*words, "--inputs", "inputs.npz", "--no-verify"]) == 0


def test_a_blob_that_differs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def damaged(made, path, weights):
        made.weights[1][1][:] += 1
        _write(made, path, weights)

    _write = _to_caffe.write
    monkeypatch.setattr(_to_caffe, "write", damaged)
    monkeypatch.setattr(_to_caffe, "export", _owning(_to_caffe.export))
    assert main([*COMMAND, *SHAPED]) == 1
    assert "first divergence: blob conv" in capsys.readouterr().out


def _owning(export):
    def call(*args, **options):
        made = export(*args, **options)
        made.weights = [[array.copy() for array in arrays] for arrays in made.weights]
        return made

    return call


WRONG = {
    "a shape that is missing": (COMMAND, "shape of the input 'x' is not known"),
    "a shape of words": ([*COMMAND, "--input", "x", "one"], "a shape is whole numbers"),
    "a file that is missing": (["to_caffe", "no.pb", "predict_net.pb"], "No such file"),
    "no net": (["to_caffe", "text.pb", "predict_net.pb"], "this is no NetDef"),
    "no arrays": ([*COMMAND, "--inputs", "text.pb"], "no .npz file"),
    "a fork's layer": ([*COMMAND, *SHAPED, "--bvlc"], "BVLC's Caffe has no Permute layer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str, folder: Path, capsys: pytest.CaptureFixture) -> None:
    words, what = WRONG[case]
    (folder / "text.pb").write_text("this is text")
    assert main(words) == 2
    assert what in capsys.readouterr().err and not (folder / "o.prototxt").exists()


def test_messages(tmp_path: Path) -> None:
    made = caffe_translator.to_caffe(*nets(), input_shapes={"x": SHAPE})
    whole = made.message()
    assert [len(layer.blobs) for layer in whole.layer] == [0, 2, 0] and not any(p.blobs for p in made.proto.layer)
    assert list(whole.layer[1].blobs[0].shape.dim) == [4, 3, 3, 3]
    caffe_translator.write_caffe(*nets(), tmp_path / "o.prototxt", tmp_path / "o.caffemodel", input_shapes={"x": SHAPE})
    stored = caffe_pb2.NetParameter.FromString((tmp_path / "o.caffemodel").read_bytes())
    assert [layer.blobs for layer in stored.layer] == [layer.blobs for layer in whole.layer]
    assert (tmp_path / "o.prototxt").read_text() == prototxt(made)
    read = read_weights(tmp_path / "o.caffemodel")
    np.testing.assert_array_equal(read.blobs("conv")[0].array, numbers(4, 3, 3, 3))


def test_a_field_of_a_fork_stands_in_the_text() -> None:
    text = prototxt(caffe_translator.to_caffe(*nets(), input_shapes={"x": SHAPE}))
    assert "  permute_param {\n    order: 0\n    order: 2\n" in text


def test_nets_of_other_kinds(tmp_path: Path) -> None:
    init, predict = nets()
    as_bytes = caffe_translator.to_caffe(init.SerializeToString(), core.Net(predict), input_shapes={"x": SHAPE})
    assert len(as_bytes.proto.layer) == 3
    with pytest.raises(TranslatorError, match="not a int"):
        caffe_translator.to_caffe(init, 3)


def test_random_parameters_are_those_that_were_tried(tmp_path: Path) -> None:
    init = caffe2_pb2.NetDef()
    init.op.append(core.CreateOperator("XavierFill", [], ["w"], shape=[4, 5]))
    init.op.append(core.CreateOperator("ConstantFill", [], ["b"], shape=[4]))
    predict = net(("FC", "x w b", "y", {}))
    files = tmp_path / "o.prototxt", tmp_path / "o.caffemodel"
    assert caffe_translator.write_caffe(init, predict, *files, input_shapes={"x": (2, 5)}).report.passed

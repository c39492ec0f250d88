"""Weights files of every generation, read in place; files that are something else, named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import (
    FileError,
    TranslatorError,
    WireError,
    load_prototxt,
    read_mean,
    read_snapshot,
    read_weights,
)
from caffe2.bridge.caffe.weights import weights_of_message
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import blob, write

VALUES = np.arange(6, dtype=np.float32)


def one(folder: Path, data: bytes):
    weights = read_weights(write(folder, data, "w.caffemodel"))
    assert len(weights.layers) == 1
    return weights.layers[0]


def test_newest(tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="c", type="C", blobs=[blob((2, 3), VALUES)])])
    layer = one(tmp_path, net.SerializeToString())
    assert layer.name == "c"
    array = layer.blobs[0].array
    assert array.dtype == np.float32 and np.array_equal(array, VALUES.reshape(2, 3))
    assert not array.flags.writeable and not array.flags.owndata


def test_v1_with_old_sizes_and_doubles(tmp_path: Path) -> None:
    old = caffe_pb2.BlobProto(num=1, channels=1, height=2, width=3, double_data=VALUES)
    net = caffe_pb2.NetParameter(layers=[caffe_pb2.V1LayerParameter(name="c", blobs=[old])])
    (found,) = one(tmp_path, net.SerializeToString()).blobs
    assert found.shape == (1, 1, 2, 3) and found.dtype == np.float64 and found.complete()
    assert found.fits((2, 3)) and found.fits((1, 2, 3)) and not found.fits((3, 2)) and not found.fits((6,))
    assert np.array_equal(found.reshaped((2, 3)).array, VALUES.reshape(2, 3))


def test_v0(tmp_path: Path) -> None:
    inner = caffe_pb2.V0LayerParameter(name="c", type="conv", blobs=[caffe_pb2.BlobProto(width=6, data=VALUES)])
    net = caffe_pb2.NetParameter(layers=[caffe_pb2.V1LayerParameter(layer=inner)])
    layer = one(tmp_path, net.SerializeToString())
    assert layer.name == "c" and layer.blobs[0].shape == (0, 0, 0, 6) and not layer.blobs[0].complete()


def tagged(number: int, data: bytes) -> bytes:
    assert len(data) < 128 and number < 16
    return bytes([number << 3 | 2, len(data)]) + data


def layered(*blobs: bytes) -> bytes:
    body = tagged(1, b"c") + b"".join(tagged(7, data) for data in blobs)
    return b"\xa2\x06" + bytes([len(body)]) + body


def test_numbers_unpacked_and_in_pieces(tmp_path: Path) -> None:
    single = b"".join(b"\x2d" + value.tobytes() for value in VALUES[:4])
    packed = tagged(5, VALUES[4:].tobytes())
    shape = tagged(7, b"\x08\x02\x08\x03")
    pieces = one(tmp_path, layered(single + shape + packed, single[:10] + shape)).blobs
    assert np.array_equal(pieces[0].array, VALUES.reshape(2, 3))
    assert pieces[1].size == 2 and pieces[1].load().tolist() == [0, 1]


def test_five_old_sizes_of_c3d(tmp_path: Path) -> None:
    sizes = b"\x08\x01\x10\x01\x18\x01\x20\x06\x38\x01"
    (found,) = one(tmp_path, layered(sizes + tagged(5, VALUES.tobytes()))).blobs
    assert found.shape == (1, 1, 1, 1, 6) and found.fits((6,))


def test_a_message_in_memory_gives_the_same() -> None:
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="c", blobs=[blob((2, 3), VALUES)])])
    assert np.array_equal(weights_of_message(net).blobs("c")[0].array, VALUES.reshape(2, 3))
    assert weights_of_message(net).blobs("d") == ()


def test_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    body = b"\xf8\x07\x05" + layered(tagged(7, b"\x08\x06") + tagged(5, VALUES.tobytes())) + tagged(15, b"what")
    assert np.array_equal(one(tmp_path, body).blobs[0].array, VALUES)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n<html><head>", "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 243862414\n",
            "243,862,414 bytes.*git lfs pull",
        ),
        (gzip.compress(b"x", mtime=0), "gunzip"),
        (b"PK\x03\x04....", "zip"),
        (b"Rar!\x1a\x07\x00", "RAR"),
        (b"<?xml version='1.0'?><Error>", "XML"),
        (b'{"error": 404}', "JSON"),
        (b'name: "x"\nlayer {\n', "is it the prototxt"),
        (b"\x80\x02ctorch", "pickle"),
        (b"../.git/annex/objects/Xk/2f/SHA256E-s5--0f.caffemodel/SHA256E-s5--0f.caffemodel\n", "git annex get"),
        (b"\x08\x07\x12\x07pytorch\x1a\x032.1:\x02\n\x00", "an ONNX model"),
        (b"\n\x2b\n\x05input\x12\x0bPlaceholder*\x00", "a TensorFlow graph"),
        (b"\x1c\0\0\0TFL3\0", "TensorFlow Lite"),
    ],
)
def test_other_files_are_named(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(FileError, match=what):
        read_weights(write(tmp_path, data, "w.caffemodel"))


def test_binary_given_for_text_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is it the .caffemodel"):
        load_prototxt(write(tmp_path, layered(b"") + b"\x00"))
    with pytest.raises(FileError, match="no such file"):
        load_prototxt(tmp_path / "nothing")
    with pytest.raises(FileError, match="folder"):
        read_weights(tmp_path)
    with pytest.raises(FileError, match="label map"):
        load_prototxt(write(tmp_path, 'item { name: "none" label: 0 display_name: "background" }'))
    with pytest.raises(FileError, match="prototxt: this file is empty"):
        load_prototxt(write(tmp_path, b""))
    with pytest.raises(FileError, match="UTF-16"):
        load_prototxt(write(tmp_path, "layer { }".encode("utf-16")))


def test_a_download_cut_short_at_any_byte_is_said(tmp_path: Path) -> None:
    data = layered(tagged(7, b"\x08\x06") + tagged(5, VALUES.tobytes()))
    for size in range(1, len(data)):
        with pytest.raises(TranslatorError) as caught:
            read_weights(write(tmp_path, data[:size], "w.caffemodel"))
        assert isinstance(caught.value, WireError) and "w.caffemodel" in str(caught.value), size


def test_another_message_is_no_caffemodel(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="solverstate"):
        read_weights(write(tmp_path, caffe_pb2.SolverState(iter=3).SerializeToString(), "w.caffemodel"))


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.caffemodel.h5", "w") as file:
        for name, value in (("c", VALUES), ("inception/1x1", VALUES[:2])):
            file.create_group(f"data/{name}").create_dataset("0", data=value)
        file.create_group("data/relu")
    weights = read_weights(tmp_path / "w.caffemodel.h5")
    assert weights.partial and {layer.name: len(layer.blobs) for layer in weights.layers} == {
        "c": 1,
        "inception/1x1": 1,
        "relu": 0,
    }
    assert np.array_equal(weights.blobs("c")[0].array, VALUES)
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        file.create_group("model_weights")
    with pytest.raises(FileError, match="Keras"):
        read_weights(tmp_path / "keras.h5")


def test_means(tmp_path: Path) -> None:
    old = caffe_pb2.BlobProto(num=1, channels=1, height=2, width=3, data=VALUES)
    assert np.array_equal(read_mean(write(tmp_path, old.SerializeToString(), "m")), VALUES.reshape(1, 2, 3))
    np.save(tmp_path / "m.npy", VALUES.astype(np.float64).reshape(3, 2, 1))
    assert read_mean(tmp_path / "m.npy").dtype == np.float32
    old.width = 4
    with pytest.raises(WireError, match="6 numbers"):
        read_mean(write(tmp_path, old.SerializeToString(), "m"))
    old.num, old.width = 2, 3
    with pytest.raises(TranslatorError):
        read_mean(write(tmp_path, old.SerializeToString(), "m"))


def test_solver_snapshots(tmp_path: Path) -> None:
    state = caffe_pb2.SolverState(
        iter=7, learned_net="n.caffemodel", current_step=2, history=[blob((2, 3), VALUES)] * 2
    )
    found = read_snapshot(write(tmp_path, state.SerializeToString(), "s"))
    assert (found.iter, found.learned_net, found.current_step) == (7, "n.caffemodel", 2)
    assert np.array_equal(found.history[1].array, VALUES.reshape(2, 3))
    with pytest.raises(FileError, match="no .solverstate"):
        read_snapshot(write(tmp_path, layered(b""), "s"))
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["iter"], file["current_step"], file["learned_net"] = 7, 2, "n.caffemodel"
        file["history/0"] = VALUES
    assert read_snapshot(tmp_path / "s.h5").history[0].array.tolist() == VALUES.tolist()
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["iter"] = 7
    with pytest.raises(WireError, match="no solver snapshot"):
        read_snapshot(tmp_path / "s.h5")

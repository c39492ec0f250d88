"""OpenCV's Caffe importer as a second opinion."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from caffe2.bridge.caffe import NetError, read_net
from caffe2.bridge.caffe.noise import noise
from caffe2.bridge.caffe.opencv import opinions
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import blob, inputs, write

TEXT = inputs(data=(1, 3, 8, 8)) + (
    'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
    "convolution_param { num_output: 2 kernel_size: 3 } }"
    'layer { name: "r" type: "ReLU" bottom: "c" top: "c" } layer { name: "p" type: "Softmax" bottom: "c" top: "p" }'
)


def files(folder: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    blobs = [blob((2, 3, 3, 3), rng.standard_normal(54)), blob((2,), [0.5, -0.5])]
    stored = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="c", type="Convolution", blobs=blobs)])
    return write(folder, TEXT), write(folder, stored.SerializeToString(), "w.caffemodel")


def test_it_agrees(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    net = read_net(*files(tmp_path))
    (found,) = opinions(net, tmp_path / "w.caffemodel", noise(net))
    assert found.blob == "p" and found.passed and "agrees" in str(found)
    net.layers[1].params[1].blob = None
    (found,) = opinions(net, tmp_path / "w.caffemodel", noise(net))
    assert not found.passed and "DIFFERS" in str(found)


def test_what_opencv_cannot_read_is_said(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    net = read_net(*files(tmp_path))
    write(tmp_path, TEXT.replace("Softmax", "Mine"))
    with pytest.raises(NetError, match=r"OpenCV 4\S+ cannot run it"):
        opinions(net, tmp_path / "w.caffemodel", noise(net))


@pytest.mark.parametrize(
    "module, what",
    [(None, "not installed"), (SimpleNamespace(__version__="5.0.0", dnn=SimpleNamespace()), "5.0.0 reads no Caffe")],
)
def test_without_a_fitting_opencv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: SimpleNamespace | None, what: str
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", module)
    net = read_net(*files(tmp_path))
    with pytest.raises(NetError, match=what):
        opinions(net, tmp_path / "w.caffemodel", noise(net))

"""Caffe's layers become Caffe2's operators and layers again: the files written compute what the first ones did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import Net, read_net, reference
from caffe2.bridge.caffe.export import CaffeNet, InexpressibleError, export, proof, write
from caffe2.bridge.caffe.translate import translate
from tests.bridge.caffe.files import RECORDED, inputs
from tests.bridge.caffe.reference.test_recorded import STATES
from tests.bridge.caffe.test_translate_layers import IN_PLACE, MANY, ONE, TOPS, drawn, weighted

Shapes = dict[str, tuple[int, ...]]
AS_THEY_WERE = {
    *("AbsVal Accuracy ArgMax Axpy BatchReindex BNLL Clip Concat ContrastiveLoss Deconvolution".split()),
    *("DetectionOutput Dropout ELU EuclideanLoss HingeLoss Im2col InfogainLoss InstanceNorm Interp LRN LSTM".split()),
    *("MultinomialLogisticLoss Normalize Permute Pooling Pooling3D Power PReLU PriorBox Proposal".split()),
    *("PSROIPooling Reduction ReLU RNN ROIPooling Scale ShuffleChannel Sigmoid SigmoidCrossEntropyLoss".split()),
    *("Slice SmoothL1Loss Softmax SoftmaxWithLoss Swish TanH Threshold Tile Upsample".split()),
}
"""Types that come back as one layer of that type, for some of the layers tried."""


def layer_net(folder: Path, kind: str, shapes: Shapes, text: str, top: str = "y") -> Net:
    """A net of one layer with weights."""
    bottoms = "".join(f'bottom: "{name}" ' for name in shapes)
    tops = "".join(f'top: "{top}{k or ""}" ' for k in range(TOPS.get((kind, text), 1)))
    return weighted(folder, inputs(**shapes) + f'layer {{ name: "l" type: "{kind}" {bottoms} {tops} {text} }}')


def returned(net: Net, given: dict[str, np.ndarray], folder: Path) -> tuple[CaffeNet, Net]:
    """The net made of a net's operators; its files are proven, and its outputs are the first net's."""
    made = export(*translate(net), inputs=given)
    files = folder / "back.prototxt", folder / "back.caffemodel"
    write(made, *files)
    report = proof(made, *files)
    assert report.passed, report.table()
    back = read_net(*files)
    want, got = reference.run(net, given), reference.run(back, made.inputs)
    assert set(net.outputs) <= set(got)
    for name in net.outputs:
        assert got[name].shape == want[name].shape or got[name].size == 1, name
        top = np.abs(want[name][np.isfinite(want[name])]).max(initial=0)
        np.testing.assert_allclose(got[name].reshape(want[name].shape), want[name], rtol=1e-4, atol=1e-4 * top + 1e-7)
    return made, back


SEEN: set[str] = set()


@pytest.mark.parametrize("kind, shape, text", ONE, ids=[f"{kind}-{text}" for kind, _, text in ONE])
def test_one_bottom(tmp_path: Path, kind: str, shape: tuple[int, ...], text: str) -> None:
    _tried(tmp_path, kind, {"x": shape}, text)


@pytest.mark.parametrize("kind, shapes, text", MANY, ids=[f"{kind}-{text}" for kind, _, text in MANY])
def test_several_bottoms(tmp_path: Path, kind: str, shapes: Shapes, text: str) -> None:
    _tried(tmp_path, kind, shapes, text)


def _tried(folder: Path, kind: str, shapes: Shapes, text: str) -> None:
    given = {name: drawn(name, shape) for name, shape in shapes.items()}
    made, _ = returned(layer_net(folder, kind, shapes, text), given, folder)
    if [layer.type for layer in made.proto.layer if layer.type != "Input"] == [kind]:
        SEEN.add(kind)


def test_most_types_come_back_as_they_were() -> None:
    """After the tests above; one of them alone sees few types."""
    missing = AS_THEY_WERE - SEEN
    assert not missing or len(SEEN) < len(AS_THEY_WERE) // 2, missing


@pytest.mark.parametrize("kind, shapes, text", IN_PLACE, ids=[f"{kind}-{text}" for kind, _, text in IN_PLACE])
def test_in_place(tmp_path: Path, kind: str, shapes: Shapes, text: str) -> None:
    given = {name: drawn(name, shape) for name, shape in shapes.items()}
    net = layer_net(tmp_path, kind, shapes, text, top="x")
    made = export(*translate(net), inputs=given)
    files = tmp_path / "back.prototxt", tmp_path / "back.caffemodel"
    write(made, *files)
    assert proof(made, *files).passed
    got = reference.run(read_net(*files), given)
    last = made.predict.external_output[0]
    np.testing.assert_allclose(got[last], reference.run(net, given)["x"], rtol=1e-4, atol=1e-5)


CASES = sorted(path.name for path in RECORDED.iterdir() if (path / "weights.caffemodel").exists())


@pytest.mark.parametrize("case", CASES)
def test_recorded_nets(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(RECORDED / case)
    net = read_net("deploy.prototxt", "weights.caffemodel", **STATES.get(case, {}))
    given = dict(np.load("input.npz")) if Path("input.npz").exists() else {}
    try:
        made, _ = returned(net, given, tmp_path)
    except InexpressibleError as error:
        assert any("mean image" in obstacle.what for obstacle in error.obstacles), error
    else:
        assert made.proto.name == (net.name or "predict")

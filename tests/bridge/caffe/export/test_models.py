"""Whole models, built with brew or by hand, become Caffe's, and the files compute the same, blob by blob."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import read_net
from caffe2.python import brew, caffe_translator, core, model_helper, workspace

ModelHelper = model_helper.ModelHelper
ORDER = {"order": "NCHW"}


def conv_relu(m: ModelHelper, x: str, name: str, before: int, after: int, kernel: int, **args: int) -> str:
    brew.conv(m, x, name, before, after, kernel, **args)
    return brew.relu(m, name, name)


def lenet(m: ModelHelper) -> tuple[int, ...]:
    brew.conv(m, "data", "conv1", 1, 4, 5)
    brew.max_pool(m, "conv1", "pool1", kernel=2, stride=2)
    brew.conv(m, "pool1", "conv2", 4, 6, 5)
    brew.max_pool(m, "conv2", "pool2", kernel=2, stride=2)
    brew.fc(m, "pool2", "fc3", 6 * 4 * 4, 10)
    brew.relu(m, "fc3", "fc3")
    brew.fc(m, "fc3", "pred", 10, 10)
    brew.softmax(m, "pred", "softmax")
    return 2, 1, 28, 28


def mlp(m: ModelHelper) -> tuple[int, ...]:
    brew.fc(m, "data", "h1", 6, 8)
    brew.tanh(m, "h1", "t1")
    brew.dropout(m, "t1", "d1", is_test=1)
    brew.fc(m, "d1", "h2", 8, 5)
    m.net.Sigmoid("h2", "probability")
    return 3, 6


def resnet(m: ModelHelper) -> tuple[int, ...]:
    def block(x: str, name: str, before: int, after: int, stride: int) -> str:
        for k, (channels, step) in enumerate(((before, stride), (after, 1)), 1):
            brew.conv(
                m, x if k == 1 else f"{name}_1", f"{name}_c{k}", channels, after, 3, stride=step, pad=1, no_bias=1
            )
            brew.spatial_bn(m, f"{name}_c{k}", f"{name}_{k}", after, is_test=True)
            brew.relu(m, f"{name}_1", f"{name}_1") if k == 1 else None
        short = x
        if stride > 1:
            brew.conv(m, x, f"{name}_short_c", before, after, 1, stride=stride, no_bias=1)
            short = brew.spatial_bn(m, f"{name}_short_c", f"{name}_short", after, is_test=True)
        brew.sum(m, [f"{name}_2", short], f"{name}_sum")
        return brew.relu(m, f"{name}_sum", f"{name}_sum")

    conv_relu(m, "data", "conv1", 3, 4, 3, pad=1)
    x = block("conv1", "one", 4, 4, 1)
    x = block(x, "two", 4, 8, 2)
    brew.average_pool(m, x, "gap", global_pooling=1)
    brew.fc(m, "gap", "fc", 8, 5)
    return 2, 3, 9, 9


def alexnet(m: ModelHelper) -> tuple[int, ...]:
    conv_relu(m, "data", "conv1", 3, 8, 11, stride=4)
    brew.lrn(m, "conv1", "norm1", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    brew.max_pool(m, "norm1", "pool1", kernel=3, stride=2)
    brew.group_conv(m, "pool1", "conv2", 8, 8, 5, pad=2, group=2)
    brew.relu(m, "conv2", "conv2")
    brew.lrn(m, "conv2", "norm2", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    brew.max_pool(m, "norm2", "pool2", kernel=3, stride=2)
    conv_relu(m, "pool2", "conv3", 8, 6, 3, pad=1)
    brew.fc(m, "conv3", "fc6", 6 * 3 * 3, 12)
    brew.relu(m, "fc6", "fc6")
    brew.dropout(m, "fc6", "fc6", ratio=0.5, is_test=1)
    brew.fc(m, "fc6", "fc7", 12, 7)
    brew.softmax(m, "fc7", "prob")
    return 1, 3, 67, 67


def squeezenet(m: ModelHelper) -> tuple[int, ...]:
    def fire(x: str, name: str, before: int) -> str:
        conv_relu(m, x, f"{name}/squeeze1x1", before, 2, 1)
        conv_relu(m, f"{name}/squeeze1x1", f"{name}/expand1x1", 2, 3, 1)
        conv_relu(m, f"{name}/squeeze1x1", f"{name}/expand3x3", 2, 3, 3, pad=1)
        return brew.concat(m, [f"{name}/expand1x1", f"{name}/expand3x3"], f"{name}/concat", order="NCHW")

    conv_relu(m, "data", "conv1", 3, 4, 3, stride=2)
    brew.max_pool(m, "conv1", "pool1", kernel=3, stride=2)
    fire("pool1", "fire2", 4)
    fire("fire2/concat", "fire3", 6)
    brew.dropout(m, "fire3/concat", "drop", is_test=1)
    conv_relu(m, "drop", "conv10", 6, 5, 1)
    brew.average_pool(m, "conv10", "pool10", global_pooling=1)
    brew.softmax(m, "pool10", "prob")
    return 1, 3, 33, 33


def googlenet(m: ModelHelper) -> tuple[int, ...]:
    def inception(x: str, name: str, before: int) -> str:
        conv_relu(m, x, f"{name}/1x1", before, 3, 1)
        conv_relu(m, x, f"{name}/3x3_reduce", before, 2, 1)
        conv_relu(m, f"{name}/3x3_reduce", f"{name}/3x3", 2, 4, 3, pad=1)
        conv_relu(m, x, f"{name}/5x5_reduce", before, 2, 1)
        conv_relu(m, f"{name}/5x5_reduce", f"{name}/5x5", 2, 2, 5, pad=2)
        brew.max_pool(m, x, f"{name}/pool", kernel=3, stride=1, pad=1)
        conv_relu(m, f"{name}/pool", f"{name}/pool_proj", before, 2, 1)
        parts = [f"{name}/{part}" for part in ("1x1", "3x3", "5x5", "pool_proj")]
        return brew.concat(m, parts, f"{name}/output", order="NCHW")

    conv_relu(m, "data", "conv1/7x7_s2", 3, 6, 7, stride=2, pad=3)
    m.net.MaxPool("conv1/7x7_s2", "pool1/3x3_s2", kernel=3, stride=2, legacy_pad=3)
    brew.lrn(m, "pool1/3x3_s2", "pool1/norm1", size=5, alpha=1e-4, beta=0.75, bias=1.0)
    inception("pool1/norm1", "inception_3a", 6)
    inception("inception_3a/output", "inception_3b", 11)
    m.net.AveragePool("inception_3b/output", "pool5", kernel=4, stride=1)
    brew.fc(m, "pool5", "loss3/classifier", 11 * 5 * 5, 6)
    brew.softmax(m, "loss3/classifier", "prob")
    return 1, 3, 32, 32


MODELS: list[Callable[[ModelHelper], tuple[int, ...]]] = [lenet, mlp, resnet, alexnet, squeezenet, googlenet]


def built(build: Callable[[ModelHelper], tuple[int, ...]]) -> tuple[core.Net, core.Net, tuple[int, ...]]:
    """The init net, the predict net and the shape of the input of a model."""
    m = ModelHelper(name=build.__name__, arg_scope=ORDER)
    shape = build(m)
    m.net.AddExternalOutput(core.BlobReference(m.net.Proto().op[-1].output[0]))
    return m.param_init_net, m.net, shape


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_a_model_goes_to_caffe_and_comes_back(build: Callable, tmp_path: Path) -> None:
    init, predict, shape = built(build)
    workspace.ResetWorkspace()
    workspace.RunNetOnce(init)
    params = {name: workspace.FetchBlob(name) for name in workspace.Blobs()}
    files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    made = caffe_translator.write_caffe(params, predict, *files, input_shapes={"data": shape})
    assert made.report.passed, made.report.table()
    assert not any("fork" in note or "layers are those of" in note for note in made.notes)
    image = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    workspace.FeedBlob("data", image)
    workspace.RunNetOnce(predict)
    last = predict.Proto().external_output[0]
    want = workspace.FetchBlob(str(last))
    back_init, back = caffe_translator.translate_files(*files)
    workspace.ResetWorkspace()
    workspace.RunNetOnce(back_init)
    workspace.FeedBlob("data", image)
    workspace.RunNetOnce(back)
    np.testing.assert_allclose(workspace.FetchBlob(str(last)), want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_layers_are_named_after_their_parameters_and_blobs(build: Callable) -> None:
    init, predict, shape = built(build)
    made = caffe_translator.to_caffe(init, predict, input_shapes={"data": shape})
    names = [layer.name for layer in made.proto.layer]
    assert not [name for name, count in Counter(names).items() if count > 1]
    blobs = {op.output[0] for op in predict.Proto().op}
    learned = [layer.name for layer in made.proto.layer if layer.type in ("Convolution", "InnerProduct")]
    assert learned and set(learned) <= blobs
    tops = {top for layer in made.proto.layer for top in layer.top}
    assert blobs <= tops and tops <= {*blobs, "data"}


def test_a_prototxt_of_the_newest_generation(tmp_path: Path) -> None:
    init, predict, shape = built(lenet)
    files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    made = caffe_translator.write_caffe(init, predict, *files, input_shapes={"data": shape}, verify=True)
    assert made.report.passed and {row.blob for row in made.report.rows} >= {"conv1", "pool1", "fc3", "softmax"}
    text = files[0].read_text()
    assert '"\nlayer {\n  name: "data"\n  type: "Input"\n  top: "data"\n' in text
    assert text.startswith('name: "lenet')
    net = read_net(*files)
    assert [layer.name for layer in net.layers][:4] == ["data", "conv1", "pool1", "conv2"]
    assert net.layers[1].params[0].shape == (4, 1, 5, 5) and not net.notes

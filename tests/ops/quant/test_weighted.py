"""Quantized layers with weights, and weights packed for them: samples, and comparison with real arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from caffe2.opdef import EnforceNotMet
from caffe2.ops.quant.pack import QuantScheme, fb_gemm_pack
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.ops.quant.values import bias_of, bytes_of, nearest, real
from tests.sample import Sample, floats, samples

OUT = {"Y_scale": 0.4, "Y_zero_point": 110}
SCHEMES = ("MIN_MAX_QUANTIZATION", "P99_QUANTIZATION", "L2_MIN_QUANTIZATION", "L2_MIN_QUANTIZATION_APPROX")


@samples("Int8Conv", "Int8ConvRelu")
def _(rng):
    x, bias = bytes_of(rng, 1, 4, 5, 4), bias_of(rng, 6, 0.002)
    for group, args in ((1, {"kernel": 3, "pad": 1}), (2, {"kernel": 2, "stride": 2}), (1, {"kernel": 1})):
        filters = bytes_of(rng, 6, args["kernel"], args["kernel"], 4 // group, scale=0.02, zero_point=131)
        yield [x, filters, bias], OUT | args | {"group": group, "order": "NHWC"}
    yield [x, filters], OUT | args | {"order": "NHWC"}


@samples("Int8ConvTranspose")
def _(rng):
    x, filters = bytes_of(rng, 1, 3, 4, 2), bytes_of(rng, 2, 2, 2, 3, scale=0.02, zero_point=131)
    yield [x, filters, bias_of(rng, 3, 0.002)], OUT | {"kernel": 2, "stride": 2, "order": "NHWC"}


@samples("Int8FC", "Int8FCRelu")
def _(rng):
    w = bytes_of(rng, 3, 8, scale=0.02, zero_point=131)
    for x in (bytes_of(rng, 2, 8), bytes_of(rng, 2, 2, 4), bytes_of(rng, 0, 8)):
        for name in ("Int8FC", "Int8FCRelu"):
            yield Sample(name, (x, w, bias_of(rng, 3, 0.002)), OUT, outputs=1)


@samples("Int8BatchMatMul")
def _(rng):
    yield [bytes_of(rng, 2, 3, 4), bytes_of(rng, 2, 4, 2)], OUT
    yield [bytes_of(rng, 2, 4, 3), bytes_of(rng, 2, 2, 4)], OUT | {"trans_a": 1, "trans_b": 1}


@samples("Int8FCPackWeight")
def _(rng):
    yield Sample("Int8FCPackWeight", (floats(rng, 3, 4), floats(rng, 3)), {"in_scale": 0.1}, outputs=2)
    yield Sample("Int8FCPackWeight", (floats(rng, 3, 4),), {"quantize_channelwise": 1}, outputs=1)


@samples("Int8ConvPackWeight")
def _(rng):
    yield [floats(rng, 4, 3, 3, 2)], {"group": 2, "quantize_groupwise": 1}


@samples("FbGemmPack", "FbGemmPackTranspose")
def _(rng):
    yield [floats(rng, 3, 4)], {}


@samples("FbFCPacked")
def _(rng):
    opaque = {"compile": "the packed weights are an object", "wire": "packed weights are not stored"}
    for x in (floats(rng, 2, 4), floats(rng, 2, 2, 2)):
        inputs = (x, fb_gemm_pack(torch.from_numpy(floats(rng, 3, 4))), floats(rng, 3))
        yield Sample("FbFCPacked", inputs, except_=opaque)


@samples("Int8QuantSchemeBlobFill")
def _(rng):
    for kind in SCHEMES:
        yield [], {"quantization_kind": kind}


@samples("Int8GenQuantParams")
def _(rng):
    for kind in SCHEMES:
        yield [floats(rng, 50), QuantScheme(kind, False)], {}
    yield [floats(rng, 0), QuantScheme(kind, True)], {}


@pytest.mark.parametrize("relu", ["", "Relu"])
def test_convolutions_are_those_of_real_arithmetic(run, rng, relu):
    x, w = bytes_of(rng, 2, 6, 5, 3), bytes_of(rng, 4, 3, 3, 3, scale=0.01, zero_point=128)
    b = bias_of(rng, 4, 0.001)
    y = run("Int8Conv" + relu, x, w, b, kernel=3, pad=1, stride=2, order="NHWC", **OUT)
    image, filters = (torch.from_numpy(real(t)).permute(0, 3, 1, 2) for t in (x, w))
    want = F.conv2d(image, filters, torch.from_numpy(real(b)), 2, 1).permute(0, 2, 3, 1).numpy()
    want = np.maximum(want, 0) if relu else want
    assert np.abs(y.data.numpy().astype(int) - nearest(want, 0.4, 110)).max() <= 1


@pytest.mark.parametrize("relu", ["", "Relu"])
def test_fully_connected_layers_are_those_of_real_arithmetic(run, rng, relu):
    x, w, b = bytes_of(rng, 3, 40), bytes_of(rng, 5, 40, scale=0.01, zero_point=128), bias_of(rng, 5, 0.001)
    y = run("Int8FC" + relu, x, w, b, outputs=1, **OUT)
    want = real(x) @ real(w).T + real(b)
    want = np.maximum(want, 0) if relu else want
    assert np.abs(y.data.numpy().astype(int) - nearest(want, 0.4, 110)).max() <= 1


def test_weights_that_change_are_packed_anew():
    rng, workspace = np.random.default_rng(0), Workspace()
    workspace.feed("x", bytes_of(rng, 2, 4))
    workspace.feed("b", bias_of(rng, 3, 0.01))
    found = []
    net = caffe2_pb2.NetDef(name="fc")
    net.op.add(type="Int8FC", input=["x", "w", "b"], output=["y"]).arg.add(name="Y_scale", f=0.4)
    workspace.feed("w", bytes_of(rng, 3, 4))
    workspace.create_net(net)
    for _ in range(2):
        workspace.run_net("fc")
        found.append(workspace.fetch("y").data.clone())
        workspace.feed("w", bytes_of(rng, 3, 4))
    assert not torch.equal(*found)


def test_packed_half_precision_weights(run, rng):
    x, w, b = floats(rng, 3, 4), floats(rng, 4, 5), floats(rng, 5)
    y = run("FbFCPacked", x, run("FbGemmPackTranspose", w), b)
    np.testing.assert_allclose(y, x @ w.astype(np.float16).astype(np.float32) + b, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused(run, rng):
    with pytest.raises(EnforceNotMet, match="columns"):
        run("Int8FC", bytes_of(rng, 2, 4), bytes_of(rng, 3, 5), bias_of(rng, 3, 0.01), outputs=1)
    with pytest.raises(EnforceNotMet, match="packed"):
        run("FbFCPacked", floats(rng, 2, 4), floats(rng, 3, 4), floats(rng, 3))
    with pytest.raises(EnforceNotMet, match="quantization_kind"):
        run("Int8QuantSchemeBlobFill", quantization_kind="GUESS")
    with pytest.raises(EnforceNotMet, match="Int8QuantSchemeBlobFill"):
        run("Int8GenQuantParams", floats(rng, 3), floats(rng, 1))


def test_a_layer_takes_weights_packed_before_it(rng):
    workspace = Workspace()
    for name, value in (("w", floats(rng, 3, 4)), ("x", bytes_of(rng, 2, 4)), ("b", bias_of(rng, 3, 0.002))):
        workspace.feed(name, value)
    workspace.run_operator_once(caffe2_pb2.OperatorDef(type="Int8FCPackWeight", input=["w"], output=["packed"]))
    layer = Sample("Int8FC", (0, 0, 0), OUT).definition()
    layer.input[:], layer.output[:] = ["x", "packed", "b"], ["y"]
    workspace.run_operator_once(layer)
    assert workspace.fetch("y").data.shape == (2, 3)

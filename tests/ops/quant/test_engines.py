"""Ordinary operators with the engine DNNLOWP."""

from __future__ import annotations

import numpy as np
import pytest

import tests.ops.quant.test_basic
import tests.ops.quant.test_pointwise
import tests.ops.quant.test_spatial
import tests.ops.quant.test_weighted  # noqa: F401  (these declare samples)
from caffe2.ops.quant.engines import ALIKE
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.workspace import Workspace
from tests.ops.quant.values import bytes_of
from tests.sample import floats, samples_of


def ran(definition, *inputs):
    workspace = Workspace()
    for name, value in zip(definition.input, inputs):
        workspace.feed(name, value)
    definition.engine = "DNNLOWP"
    workspace.run_operator_once(definition)
    return workspace.fetch(definition.output[0])


@pytest.mark.parametrize("name", ALIKE)
def test_they_do_what_their_namesakes_do(name):
    sample = samples_of(f"Int8{name}")[0]
    definition = sample.definition()
    want = ran(definition, *sample.inputs)
    definition.type = name
    if name == "Concat":
        definition.output.append("sizes")
    got = ran(definition, *sample.inputs)
    assert isinstance(got, Int8Tensor) and np.array_equal(got.data, want.data)
    assert (got.scale, got.zero_point) == (want.scale, want.zero_point)


def test_layers_on_floats_give_what_is_nearly_theirs(rng):
    x, w, b = floats(rng, 4, 16), floats(rng, 5, 16), floats(rng, 5)
    fc = caffe2_pb2.OperatorDef(type="FC", input=["x", "w", "b"], output=["y"])
    fc.arg.add(name="dequantize_output", i=1)
    np.testing.assert_allclose(ran(fc, x, w, b), x @ w.T + b, atol=0.3)


@pytest.mark.parametrize("name, function", [("Sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("Tanh", np.tanh)])
def test_tables_of_what_follows(run, rng, name, function):
    x = floats(rng, 50) * 3
    quantize = caffe2_pb2.OperatorDef(type="Quantize", input=["x"], output=["y"])
    quantize.arg.add(name="followed_by", s=name.encode())
    found = ran(caffe2_pb2.OperatorDef(type=name, input=["x"], output=["y"]), ran(quantize, x))
    np.testing.assert_allclose(run("Int8Dequantize", found), function(x), atol=0.03)


def test_what_moves_or_bounds_bytes_keeps_their_scale(rng):
    x = bytes_of(rng, 1, 2, 4, 4, scale=0.05, zero_point=30)
    for name in ("Int8Relu", "Int8MaxPool", "Int8ChannelShuffle"):
        definition = caffe2_pb2.OperatorDef(type=name, input=["x"], output=["y"])
        definition.arg.add(name="Y_scale", f=0.1)
        definition.arg.add(name="kernel", i=2)
        found = ran(definition, x)
        assert (found.scale, found.zero_point) == (pytest.approx(0.05), 30)


@pytest.mark.parametrize("order, shape", [("", (1, 4, 4, 4)), ("NCHW", (1, 4, 4, 4)), ("NHWC", (1, 2, 4, 8))])
def test_channels_are_concatenated(rng, order, shape):
    x = bytes_of(rng, 1, 2, 4, 4, scale=0.05, zero_point=30)
    definition = caffe2_pb2.OperatorDef(type="Int8Concat", input=["x", "x"], output=["y"])
    if order:
        definition.arg.add(name="order", s=order.encode())
    assert ran(definition, x, x).data.shape == shape

"""Activations: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops, lookup
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import floats, samples

PLAIN = "Relu Sigmoid Tanh Softplus Softsign Swish Mish"
ARGUMENTS = {
    "ReluN": {"n": 1.5},
    "LeakyRelu": {"alpha": 0.3},
    "ThresholdedRelu": {"alpha": 0.4},
    "Elu": {"alpha": 0.7},
    "Selu": {"alpha": 1.3, "scale": 1.1},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Gelu": {"fast_gelu": 1},
}


@samples(*PLAIN.split())
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 4, 0)], {}


@samples(*(f"{name}Gradient" for name in PLAIN.split() if name not in ("Swish", "Mish")), "GeluGradient")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}


@samples("SwishGradient", "MishGradient")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 2, 3)], {}


for _name, _args in ARGUMENTS.items():

    @samples(_name)
    def _(rng, args=_args):
        yield [floats(rng, 2, 3)], {}
        yield [floats(rng, 5, 2, 2)], args

    if _name != "Gelu":

        @samples(f"{_name}Gradient")
        def _(rng, args=_args):
            yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}
            yield [floats(rng, 7), floats(rng, 7)], args


@samples("Logit")
def _(rng):
    yield [rng.uniform(0.1, 0.9, (3, 2)).astype(np.float32)], {}
    yield [rng.uniform(-0.2, 1.2, 20).astype(np.float32)], {"eps": 0.1}


@samples("LogitGradient")
def _(rng):
    yield [rng.uniform(0.1, 0.9, (3, 2)).astype(np.float32), floats(rng, 3, 2)], {"eps": 0.01}


@samples("Glu")
def _(rng):
    yield [floats(rng, 2, 6)], {}
    yield [floats(rng, 2, 4, 3)], {"dim": 1}


def prelus(rng):
    yield floats(rng, 2, 3, 4), floats(rng, 3), {}
    yield floats(rng, 2, 4, 4, 3), floats(rng, 3), {"order": "NHWC"}
    yield floats(rng, 2, 3), floats(rng, 1), {"order": "NHWC"}
    yield floats(rng, 2, 3, 2, 2), floats(rng, 1), {}


@samples("PRelu")
def _(rng):
    for x, slope, args in prelus(rng):
        yield [x, slope], args


@samples("PReluGradient")
def _(rng):
    for x, slope, args in prelus(rng):
        yield [x, x, x, slope], args


def test_relu_keeps_no_negative_zero_surprise(run):
    assert np.array_equal(run("Relu", np.array([-0.0, -1.0, 2.0], np.float32)), [0, 0, 2])


def test_gradient_shapes_must_agree(run):
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("ReluGradient", np.ones((10, 1), np.float32), np.ones(10, np.float32))


@pytest.mark.parametrize("name, args", [("ReluN", {"n": 0.0}), ("Selu", {"scale": 1.0}), ("Logit", {"eps": 0.5})])
def test_arguments_out_of_range_are_refused(run, name, args):
    with pytest.raises(EnforceNotMet, match=str(next(iter(args.values())))):
        run(name, np.ones(3, np.float32), **args)


def test_slopes_must_match_the_channels(run):
    with pytest.raises(EnforceNotMet, match="Slope has 4"):
        run("PRelu", np.ones((2, 3, 5), np.float32), np.ones(4, np.float32))


@pytest.mark.parametrize("name, inputs", [("Softsign", ["x"]), ("PRelu", ["x", "w"])])
def test_no_gradient_of_what_was_overwritten(name, inputs):
    with pytest.raises(NoGradient, match="overwrites"):
        gradient_ops(caffe2_pb2.OperatorDef(type=name, input=inputs, output=["x"]), ["x_grad"])


@pytest.mark.parametrize("name", ["Relu", "Sigmoid", "Tanh", "ReluGradient"])
def test_written_over_an_input_storage_is_kept(name):
    workspace = Workspace()
    op = caffe2_pb2.OperatorDef(type=name, input=["y", "x"][-lookup(name).header.inputs.least :], output=["x"])
    for blob in op.input:
        workspace.feed(blob, np.linspace(-1, 1, 5, dtype=np.float32))
    held = workspace.require("x").value
    workspace.run_operator_once(op)
    assert workspace.require("x").value is held and held.tolist() != np.linspace(-1, 1, 5, dtype=np.float32).tolist()


def test_the_slope_of_elu_at_zero_is_one(run):
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    assert run("EluGradient", zero, one, alpha=0.3).tolist() == [1, 1]

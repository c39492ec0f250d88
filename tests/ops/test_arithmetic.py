"""Arithmetic of two tensors: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops, make_argument
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, floats, samples


def pairs(rng):
    """Pairs that broadcast, as floats away from zero, with the arguments that say how."""
    yield floats(rng, 2, 3), floats(rng, 2, 3), {}
    yield floats(rng, 2, 3, 4), floats(rng, 3, 1), {}
    yield floats(rng, 3, 1), floats(rng, 2, 1, 4), {}
    yield floats(rng, 2, 3, 4), floats(rng, 3, 4), {"broadcast": 1}
    yield floats(rng, 2, 3, 4), floats(rng, 3), {"broadcast": 1, "axis": 1}
    yield floats(rng, 2, 3, 2, 2), floats(rng, 3), {"broadcast": 1, "axis_str": "C"}
    yield floats(rng, 2, 3), floats(rng, 1, 1), {"broadcast": 1}
    yield floats(rng, 2, 0), floats(rng, 1, 1), {}


@samples("Add", "Sub", "Mul", "Div")
def _(rng):
    for a, b, args in pairs(rng):
        yield [a, b], args
    for name in ("Add", "Sub", "Mul", "Div"):
        yield Sample(name, (np.array([5, 7]), np.array([-2, 2])), except_={"gradient": "integers have none"})


for _name in ("Add", "Sub", "Mul"):

    @samples(f"{_name}Gradient")
    def _(rng):
        for a, b, args in pairs(rng):
            wide = np.broadcast_shapes(a.shape, b.shape) if "broadcast" not in args else a.shape
            yield [floats(rng, *wide), a, b], args


@samples("DivGradient")
def _(rng):
    dc, b, c = floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 2, 3)
    yield [dc, b * c, b, c], {}
    yield [b, c, dc], {}
    yield [floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 2), floats(rng, 2, 3)], {"broadcast": 1, "axis": 0}


@samples("SumReduceLike")
def _(rng):
    yield [floats(rng, 2, 3, 4), floats(rng, 3)], {"axis": 1}
    yield [floats(rng, 2, 3, 4), floats(rng, 4)], {}
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {}
    yield [floats(rng, 2, 3), floats(rng, 1)], {}


@samples("Pow")
def _(rng):
    x = rng.uniform(0.5, 2, (2, 3)).astype(np.float32)
    yield [x], {"exponent": 3.0}
    yield [x], {"exponent": 0.5}
    yield [x, floats(rng, 2, 3)], {}
    yield [x, floats(rng, 3)], {"broadcast": 1}
    yield [x, floats(rng, 2)], {"broadcast": 1, "axis": 0}


@samples("Scale")
def _(rng):
    yield [floats(rng, 2, 3)], {"scale": 2.5}
    yield [floats(rng, 0)], {}


@samples("ScaleBlobs")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 4)], {"scale": 0.5}


@samples("SquareRootDivide")
def _(rng):
    yield Sample("SquareRootDivide", (floats(rng, 3, 2), np.array([4, 0, 2], np.float32)), differentiate=(0,))
    yield [floats(rng, 3, 2, 2), np.array([4, 0, 2], np.int32)], {}


def test_older_broadcasting_keeps_the_shape_of_a(run):
    with pytest.raises(EnforceNotMet, match="keeps the shape"):
        run("Add", np.ones((2, 1), np.float32), np.ones(3, np.float32), broadcast=1)
    with pytest.raises(EnforceNotMet, match="within"):
        run("Add", np.ones(3, np.float32), np.ones((2, 3), np.float32), broadcast=1)
    with pytest.raises(EnforceNotMet, match="axis"):
        run("Add", np.ones((2, 3), np.float32), np.ones(3, np.float32), broadcast=1, axis=1, axis_str="C")


def test_element_types_do_not_mix(run):
    with pytest.raises(EnforceNotMet, match="one element type"):
        run("Add", np.ones(2, np.float32), np.ones(2, np.int32))


def test_integers_divide_towards_zero(run):
    assert run("Div", np.array([-7, 7]), np.array([2, 2])).tolist() == [-3, 3]


def test_power_without_exponent_is_refused(run):
    with pytest.raises(EnforceNotMet, match="exponent"):
        run("Pow", np.ones(2, np.float32))


def test_gradient_of_a_power_computed_in_place_divides_the_exponent():
    forward = caffe2_pb2.OperatorDef(type="Pow", input=["x"], output=["x"], arg=[make_argument("exponent", 4.0)])
    (power, _, scale), _ = gradient_ops(forward, ["x_grad"])
    assert power.arg[0].f == 0.75 and scale.arg[0].f == 4


def test_square_roots_of_negative_numbers_are_refused(run):
    with pytest.raises(EnforceNotMet, match="-2"):
        run("SquareRootDivide", np.ones((2, 3), np.float32), np.array([1, -2], np.float32))

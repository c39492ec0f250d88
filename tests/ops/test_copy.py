"""Copies, casts and checks: samples, and what is particular."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops, make_argument
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, floats, samples

SAME = {"gradient": "it acts on gradients only, so it does not agree with its forward pass"}


@samples("Copy", "CopyCPUToGPU", "CopyGPUToCPU", "CopyFromCPUInput", "EnsureCPUOutput")
def _(rng):
    yield [floats(rng, 2, 3)], {}


@samples("CopyOnDeviceLike")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 1)], {}


@samples("Cast")
def _(rng):
    whole = {"gradient": "whole numbers have no gradient"}
    yield Sample("Cast", (floats(rng, 2, 3),), {"to": "int32", "from_type": "float"}, except_=whole)
    yield Sample("Cast", (floats(rng, 2),), {"to": 12, "from_type": 1}, tolerance=2e-3)
    yield Sample("Cast", (np.array([0, 3], np.int64),), {"to": 5, "from_type": "int64"}, except_=whole)


@samples("FloatToHalf")
def _(rng):
    yield Sample("FloatToHalf", (floats(rng, 2, 3),), tolerance=2e-3)


@samples("HalfToFloat")
def _(rng):
    yield Sample("HalfToFloat", (floats(rng, 2, 3).astype(np.float16),), tolerance=2e-3)


@samples("Alias", "AliasWithName")
def _(rng):
    yield [floats(rng, 2, 3)], {}


@samples("StopGradient", "EnsureDense")
def _(rng):
    yield [floats(rng, 2, 3)], {}


@samples("NegateGradient", "ZeroGradient")
def _(rng):
    for name in ("NegateGradient", "ZeroGradient"):
        yield Sample(name, (floats(rng, 2, 3),), except_=SAME)


@samples("Print")
def _(rng):
    yield [floats(rng, 2, 3)], {"limit": 2}


@samples("Summarize", "EnforceFinite")
def _(rng):
    yield [floats(rng, 2, 3)], {}


@samples("EnsureClipped")
def _(rng):
    yield [floats(rng, 4, 3)], {"min": -0.5, "max": 0.5}
    taken = (floats(rng, 4, 3), np.array([0, 2], np.int64), floats(rng, 2, 3))
    yield Sample("EnsureClipped", taken, {"max": 0.1}, except_={"compile": "it looks whether its indices name rows"})


@samples("Assert")
def _(rng):
    reason = {"compile": "it looks at its values"}
    yield Sample("Assert", (np.array([True, True]),), except_=reason)


@samples("Fail", "Crash")
def _(rng):
    reason = "it always fails"
    for name in ("Fail", "Crash"):
        yield Sample(
            name, (), except_=dict.fromkeys(("shape", "inplace", "alias", "device", "compile", "wire"), reason)
        )


def test_gradient_of_a_cast_casts_back():
    op = caffe2_pb2.OperatorDef(type="Cast", input=["x"], output=["y"])
    op.arg.extend([make_argument("to", "float16"), make_argument("from_type", 1)])
    (back,), _ = gradient_ops(op, ["y_grad"])
    assert {a.name: a.i for a in back.arg} == {"to": 1, "from_type": 12}


def test_ensure_dense_makes_a_sparse_gradient_dense():
    op = caffe2_pb2.OperatorDef(type="EnsureDense", input=["x"], output=["y"])
    (made,), (grad,) = gradient_ops(op, [("i", "v")])
    assert (made.type, list(made.input), grad) == ("SparseToDense", ["i", "v", "x"], "x_grad")
    assert gradient_ops(op, ["g"]) == ([], ["g"])


def test_what_is_not_finite_is_named(run):
    with pytest.raises(EnforceNotMet, match="i0 is nan at index 1"):
        run("EnforceFinite", np.array([1, np.nan], np.float32), outputs=0)


def test_an_assertion_says_its_message(run):
    with pytest.raises(EnforceNotMet, match="element 1 of X: no way"):
        run("Assert", np.array([1, 0], np.int32), outputs=0, error_msg="no way")


def test_failing_operators_fail(run):
    for name in ("Fail", "Crash"):
        with pytest.raises(EnforceNotMet):
            run(name)


def test_print_tells_the_log(run, caplog):
    with caplog.at_level(logging.INFO):
        run("Print", np.array([1.5, 2], np.float32), outputs=0, limit=1)
    assert "Tensor i0 of type float32. Dims: (2): 1.5" in caplog.text


def test_numbers_as_strings(run):
    assert run("Cast", np.array([[-7, 8]], np.int32), to="string").tolist() == [[b"-7", b"8"]]
    assert run("Cast", np.array([1.5], np.float32), to="string").tolist() == [b"1.500000"]
    assert run("Cast", np.array([True]), to="string").tolist() == [b"1"]


def test_cast_without_a_type_gives_floats(run):
    assert run("Cast", np.arange(3), from_type=0).dtype == np.float32

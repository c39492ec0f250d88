"""Comparison, logic and choices: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, floats, samples


@samples("EQ", "NE", "LT", "LE", "GT", "GE")
def _(rng):
    yield [np.array([1, 2, 3]), np.array([3, 2, 1])], {}
    yield [floats(rng, 2, 3), floats(rng, 3)], {}
    yield [floats(rng, 2, 3), floats(rng, 2)], {"broadcast": 1, "axis": 0}


@samples("And", "Or", "Xor")
def _(rng):
    yield [rng.random((2, 3)) > 0.5, rng.random((2, 3)) > 0.5], {}
    yield [rng.random((2, 3)) > 0.5, rng.random(3) > 0.5], {"broadcast": 1}


@samples("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def _(rng):
    yield [rng.integers(0, 99, (2, 3)), rng.integers(0, 99, 3)], {}
    yield [rng.random((2, 3)) > 0.5, rng.random((2, 3)) > 0.5], {}


@samples("Where")
def _(rng):
    yield [rng.random((2, 3)) > 0.5, floats(rng, 2, 3), floats(rng, 2, 3)], {}
    yield [rng.random(3) > 0.5, floats(rng, 3, 2), floats(rng, 3, 2)], {"broadcast_on_rows": 1}
    strings = np.array([b"a", b"b"], dtype=object)
    yield Sample("Where", (np.array([True, False]), strings, strings[::-1]))


@samples("Conditional")
def _(rng):
    yield [np.array([True, False, True]), floats(rng, 3, 2), floats(rng, 3, 2)], {}


@samples("IsMemberOf")
def _(rng):
    yield [rng.integers(0, 5, (2, 3))], {"value": [1, 3]}
    yield [np.array([True, False])], {"value": [1]}
    yield [np.array([b"a", b"b"], dtype=object)], {"value": ["a", "c"], "dtype": caffe2_pb2.TensorProto.STRING}


def test_strings_are_chosen_and_found(run):
    a, b = np.array([b"a", b"b"], dtype=object), np.array([b"c", b"d"], dtype=object)
    assert run("Where", np.array([True, False]), a, b).tolist() == [b"a", b"d"]
    assert run("IsMemberOf", a, value=["b"]).tolist() == [False, True]


def test_conditions_must_fit(run):
    with pytest.raises(EnforceNotMet, match="broadcast_on_rows"):
        run("Where", np.ones(2, bool), *[np.ones((2, 2), np.float32)] * 2)
    with pytest.raises(EnforceNotMet, match="each row"):
        run("Conditional", np.ones(3, bool), *[np.ones((2, 2), np.float32)] * 2)
    with pytest.raises(EnforceNotMet, match="float"):
        run("IsMemberOf", np.array([1]), value=[1], dtype=caffe2_pb2.TensorProto.FLOAT)

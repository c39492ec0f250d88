"""Fills: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

IN_DATA = {"shape": "the shape is in the data"}


@samples("ConstantFill")
def _(rng):
    yield [], {"shape": (2, 3), "value": 1.5}
    yield [], {"shape": (2,), "value": 3}
    yield [], {"shape": (2,), "dtype": 4, "value": "text"}
    yield [floats(rng, 2, 3)], {"extra_shape": (4,), "dtype": 10, "value": 2}
    yield Sample("ConstantFill", (np.array([2, 0], np.int64),), {"input_as_shape": 1}, except_=IN_DATA)
    yield [floats(rng, 2), floats(rng, 1)], {}


@samples("DiagonalFill")
def _(rng):
    yield [], {"shape": (2, 3), "value": 1.5}
    yield [floats(rng, 2, 2, 2)], {"value": 2}


@samples("RangeFill", "XavierFill", "MSRAFill")
def _(rng):
    yield [], {"shape": (3, 2)}
    yield [floats(rng, 2, 2)], {"extra_shape": (2,)}


@samples("GaussianFill")
def _(rng):
    yield [], {"shape": (3, 2), "mean": 2.0, "std": 0.1}
    yield Sample("GaussianFill", (np.array([3], np.int64),), {"input_as_shape": 1}, except_=IN_DATA)


@samples("LengthsRangeFill")
def _(rng):
    yield [np.array([2, 0, 3], np.int32)], {}


@samples("Float16ConstantFill", "Float16UniformFill")
def _(rng):
    yield [], {"shape": (3, 2)}


@samples(*(f"GivenTensor{kind}Fill" for kind in ("Bool", "Int16", "Int", "Int64")))
def _(rng):
    yield [], {"shape": (2, 2), "values": (1, 0, 1, 0)}


@samples("GivenTensorFill", "GivenTensorDoubleFill")
def _(rng):
    yield [], {"shape": (2, 2), "values": (1.0, 0.5, -1.0, 0.0)}
    yield [floats(rng, 2)], {"values": (1.0, 2.0)}


@samples("GivenTensorStringFill")
def _(rng):
    yield [], {"shape": (2,), "values": ("a", "bc")}


@samples("GivenTensorByteStringToUInt8Fill")
def _(rng):
    yield [], {"shape": (3,), "values": ("abc",)}


@samples("UniformFill")
def _(rng):
    yield [], {"shape": (3, 2), "min": -2.0, "max": 2.0}
    given = (np.array([3], np.int64), floats(rng, 1), floats(rng, 1) + 9)
    yield Sample("UniformFill", given, {"input_as_shape": 1}, except_=IN_DATA)


@samples("UniformIntFill")
def _(rng):
    yield [], {"shape": (3, 2), "min": -2, "max": 2}


@samples("UniqueUniformFill")
def _(rng):
    yield [], {"shape": (5,), "min": 0, "max": 5, "dtype": 10}
    yield Sample("UniqueUniformFill", (np.zeros(2, np.int32), np.array([1], np.int32)), {"min": 0, "max": 3})


def test_a_whole_value_makes_int64_and_a_real_one_float(run):
    assert run("ConstantFill", shape=(1,), value=3).dtype == np.int64
    assert run("ConstantFill", shape=(1,), value=3.0).dtype == np.float32


def test_unique_numbers_are_unique_and_avoid_what_they_should(run):
    found = run("UniqueUniformFill", np.zeros(4, np.int32), np.array([2, 3], np.int32), min=0, max=5)
    assert sorted(found) == [0, 1, 4, 5]
    with pytest.raises(EnforceNotMet, match="are free"):
        run("UniqueUniformFill", shape=(9,), min=0, max=5)


def test_given_values_fill_their_shape_exactly(run):
    with pytest.raises(EnforceNotMet, match="holds 3 elements"):
        run("GivenTensorFill", shape=(3,), values=(1.0, 2.0))


def test_uniform_integers_reach_both_bounds(run):
    assert set(run("UniformIntFill", shape=(200,), min=1, max=3)) == {1, 2, 3}


def test_where_min_is_above_max_there_are_no_rows(run):
    low, high = np.ones(1, np.float32), np.zeros(1, np.float32)
    assert run("UniformFill", np.array([4, 2], np.int64), low, high, input_as_shape=1).shape == (0, 2)


def test_msra_deviation(run):
    assert abs(run("MSRAFill", shape=(64, 50, 3, 3)).std() - (2 / (64 * 9)) ** 0.5) < 0.003

"""Scattering: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


def ints(*values, kind: type = np.int64) -> np.ndarray:
    return np.array(values, kind)


@samples("Scatter")
def _(rng):
    yield [floats(rng, 2, 3), ints([2, 1], [0, 1]), floats(rng, 2, 2)], {}
    yield [floats(rng, 2, 3), ints([1, 1, 0], kind=np.int32), floats(rng, 1, 3)], {"axis": 0}


@samples("ScatterAssign")
def _(rng):
    yield [floats(rng, 4, 3), ints(2, 0), floats(rng, 2, 3)], {}
    yield [np.arange(4), ints(3, kind=np.int32), np.arange(1)], {}


@samples("ScatterWeightedSum")
def _(rng):
    one = np.ones(1, np.float32)
    yield [floats(rng, 4, 3), one, ints(2, 0, 2), floats(rng, 3, 3), floats(rng, 1)], {}
    yield [floats(rng, 4), one, ints(2, kind=np.int32), floats(rng, 1), one, floats(rng, 1), floats(rng, 1)], {}
    yield [floats(rng, 4, 2), floats(rng, 1), ints(1, 1), floats(rng, 2, 2), floats(rng, 1)], {}


@samples("CopyRowsToTensor")
def _(rng):
    why = {"gradient": "as in the original it passes through the rows that are overwritten"}
    yield Sample("CopyRowsToTensor", (floats(rng, 4, 3), ints(2, 0), floats(rng, 3)), except_=why)


@samples("CopyRowsToTensorGradient")
def _(rng):
    yield [floats(rng, 4, 3)], {}


def test_duplicates_scale_and_add_again(run):
    x, slices = np.ones((2, 1), np.float32), np.array([[3], [4]], np.float32)
    half, one = np.array([0.5], np.float32), np.array([1], np.float32)
    assert run("ScatterWeightedSum", x, half, ints(1, 1), slices, one).tolist() == [[1], [7.25]]


@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_out_of_range_is_named(run, index):
    table, rows, one = np.zeros((4, 2), np.float32), np.zeros((1, 2), np.float32), np.ones(1, np.float32)
    for name, inputs in (
        ("ScatterAssign", (table, ints(index), rows)),
        ("ScatterWeightedSum", (table, one, ints(index), rows, one)),
        ("CopyRowsToTensor", (table, ints(index), rows[0])),
        ("Scatter", (table.T.copy(), ints([index]), one[None])),
    ):
        with pytest.raises(EnforceNotMet, match=str(index)):
            run(name, *inputs)


def test_slices_must_fill_rows(run):
    with pytest.raises(EnforceNotMet, match="SLICES"):
        run("ScatterAssign", np.zeros((4, 2), np.float32), ints(1), np.zeros((1, 3), np.float32))
    with pytest.raises(EnforceNotMet, match="element type"):
        run("ScatterAssign", np.zeros((4, 2), np.float32), ints(1), np.zeros((1, 2), np.float64))

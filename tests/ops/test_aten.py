"""Functions of torch by name: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("ATen")
def _(rng):
    x, y = floats(rng, 2, 3), floats(rng, 2, 3)
    yield Sample("ATen", (x, y), {"operator": "add", "alpha": 2}, outputs=1)
    yield Sample("ATen", (x,), {"operator": "sort", "descending": 1}, outputs=2)
    yield Sample("ATen", (x, y), {"operator": "cat", "dim": 1}, outputs=1)
    yield Sample("ATen", (x,), {"operator": "transpose", "dim0": 0, "dim1": 1}, outputs=1)
    yield Sample("ATen", (x,), {"operator": "sum", "dim": [1], "keepdim": 1}, outputs=1)
    yield Sample("ATen", (), {"operator": "ones", "size": [2, 3], "type": "int32"}, outputs=1)
    data = {"shape": "only the data can tell", "compile": "only the data can tell the shape"}
    yield Sample("ATen", (np.array([3, 1, 3]),), {"operator": "_unique", "sorted": 1}, outputs=1, except_=data)


def test_lists_of_tensors_take_what_is_left(run):
    x = np.zeros((2, 2), np.float32)
    mask = np.array([[True, False], [False, True]])
    assert run("ATen", x, mask, np.array([3, 4], np.float32), operator="index_put").tolist() == [[3, 0], [0, 4]]


def test_truths_and_numbers_become_tensors(run):
    x = np.zeros(2, np.float32)
    assert run("ATen", x, x, operator="equal").tolist() == 1
    assert run("ATen", x, operator="pow", exponent=2).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["adx", "add_", "__class__"])
def test_unknown_functions_and_those_that_write_are_refused(run, name):
    with pytest.raises(EnforceNotMet, match="no function"):
        run("ATen", np.zeros(2, np.float32), operator=name)


def test_attributes_must_fit_an_overload(run):
    with pytest.raises(EnforceNotMet, match="none of: aten::sum"):
        run("ATen", np.zeros(2, np.float32), operator="sum", axis=0)

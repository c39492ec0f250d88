"""Sparse forms made dense: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, floats, samples

OPEN = {law: "the largest index is data" for law in ("shape", "compile")}


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("SparseToDense")
def _(rng):
    yield [np.array([2, 0, 2]), floats(rng, 3, 2), floats(rng, 4, 1)], {}
    yield [np.array([1, 1], np.int32), floats(rng, 2)], {"output_first_dim": 3}
    yield Sample("SparseToDense", (np.array([2, 0, 2]), floats(rng, 3, 2)), except_=OPEN)


@samples("SparseToDenseMask")
def _(rng):
    ids = np.array([7, 2, 9, 7, 2, 2])
    yield [ids, floats(rng, 6, 3), floats(rng, 3), lengths(3, 0, 3)], {"mask": [2, 7], "return_presence_mask": 1}
    yield Sample("SparseToDenseMask", (ids, floats(rng, 6), np.array(0.5, np.float32)), {"mask": [7, 8, 2]}, outputs=1)


@samples("SparseToDenseMaskGradient")
def _(rng):
    ids = np.array([7, 2, 9, 7], np.int32)
    yield [ids, floats(rng, 2, 3, 2), lengths(3, 1)], {"mask": [2, 7, 5]}
    yield [ids, floats(rng, 3)], {"mask": [2, 7, 5]}


@samples("BatchSparseToDense")
def _(rng):
    ragged = (np.array([2, 0, 1]), np.array([3, 1, 0]))
    yield [*ragged, floats(rng, 3)], {"dense_last_dim": 4, "default_value": 2.0}
    yield [*ragged, floats(rng, 3), floats(rng, 3, 5)], {}


@samples("BatchDenseToSparse")
def _(rng):
    yield [np.array([2, 0, 1]), np.array([3, 1, 0]), floats(rng, 3, 4)], {}


def test_strings_are_laid_out(run):
    words, default = np.array([b"a", b"b"], object), np.array(b"-", object)
    output, mask = run("SparseToDenseMask", np.array([5, 9]), words, default, mask=[9, 7, 5])
    assert output.tolist() == [b"b", b"-", b"a"] and mask.tolist() == [True, False, True]


def test_rows_of_invalid_ids_are_counted_over_all_runs():
    sample = Sample(
        "SparseToDenseMask",
        (np.array([-1, 2]), np.zeros(2, np.float32), np.array(0, np.float32), lengths(1, 1)),
        {"mask": [2], "max_skipped_indices": 2},
        outputs=1,
    )
    workspace = sample.workspace()
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[sample.definition()]))
    net.run()
    with pytest.raises(EnforceNotMet, match="2 rows"):
        net.run()


@pytest.mark.parametrize("mask", [(), (-1,), (3, 3)])
def test_ids_are_distinct(run, mask):
    with pytest.raises(EnforceNotMet, match="mask"):
        run("SparseToDenseMask", np.array([1]), np.zeros(1, np.float32), np.array(0, np.float32), mask=mask)


def test_an_index_out_of_range_is_named(run):
    with pytest.raises(EnforceNotMet, match="holds 4"):
        run("BatchDenseToSparse", np.array([1]), np.array([4]), np.zeros((1, 4), np.float32))
    with pytest.raises(EnforceNotMet, match="holds -1"):
        run("SparseToDense", np.array([-1]), np.zeros(1, np.float32))


def test_a_negative_limit_of_invalid_ids_is_none(run):
    args = {"mask": [0, 1], "max_skipped_indices": -1}
    ids, values, default = np.array([0, 1, -1]), np.array([1.0, 2.0, 3.0]), np.array(0.0)
    assert run("SparseToDenseMask", ids, values, default, outputs=1, **args).tolist() == [1, 2]

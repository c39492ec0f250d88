"""Lists of ids: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("IndexHash")
def _(rng):
    yield [np.array([[3, -7], [2**40, 0]])], {"seed": 10, "modulo": 1000}
    yield [np.array([3, -7], np.int32)], {"seed": -5, "modulo": 1000}


@samples("KeySplit")
def _(rng):
    yield Sample("KeySplit", (np.array([1, 0, 1]),), {"categorical_limit": 3}, outputs=3)


@samples("MergeIdLists")
def _(rng):
    yield [lengths(2, 0), np.array([3, 1]), lengths(1, 2), np.array([3, 5, 5])], {}


@samples("DenseVectorToIdList")
def _(rng):
    yield [floats(rng, 3, 4)], {}
    yield [floats(rng, 0, 4)], {}


def test_hashes_are_those_of_the_original(run):
    assert run("IndexHash", np.array([-3, 7, 2**40]), seed=-5, modulo=1000).tolist() == [91, 964, 830]
    with pytest.raises(EnforceNotMet, match="modulo"):
        run("IndexHash", lengths(1), modulo=2**32)


def test_keys_are_split_in_order(run):
    split = run("KeySplit", np.array([1, 0, 1]), outputs=3, categorical_limit=3)
    assert [x.tolist() for x in split] == [[1], [0, 2], []]
    with pytest.raises(EnforceNotMet, match="keys holds 3"):
        run("KeySplit", np.array([3]), outputs=3, categorical_limit=3)
    with pytest.raises(EnforceNotMet, match="number of outputs"):
        run("KeySplit", np.array([1]), outputs=2, categorical_limit=3)


def test_merged_ids_are_distinct_and_ascending(run):
    merged = run("MergeIdLists", lengths(2, 0), np.array([3, 1]), lengths(1, 2), np.array([3, 5, 5]))
    assert [x.tolist() for x in merged] == [[2, 1], [1, 3, 5]]
    with pytest.raises(EnforceNotMet, match="of 2 samples"):
        run("MergeIdLists", lengths(1, 0), np.array([3]), lengths(1), np.array([3]))


def test_rounding_is_that_of_the_original(run):
    counts, columns = run("DenseVectorToIdList", np.array([[0.4, 0.5, -1.4, -1.5, -0.6]], np.float32))
    assert counts.tolist() == [2] and columns.tolist() == [1, 3]

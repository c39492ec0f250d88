"""Buckets, steps, pieces and n-grams: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

PIECES = {"bounds": [-1.0, 0.0, 1.0], "slopes": [2.0, -1.0], "intercepts": [0.5, 0.25]}


@samples("Bucketize")
def _(rng):
    yield [floats(rng, 2, 3)], {"boundaries": [-0.5, 0.0, 0.5]}


@samples("BatchBucketize")
def _(rng):
    inputs = (floats(rng, 4, 3), np.array([2, 0], np.int32), floats(rng, 3), np.array([1, 2], np.int32))
    yield Sample("BatchBucketize", inputs, except_={"compile": "the lengths say how wide its table is"})


@samples("StumpFunc")
def _(rng):
    yield [floats(rng, 2, 3)], {"threshold": 0.1, "low_value": -1.0, "high_value": 2.0}


@samples("StumpFuncIndex")
def _(rng):
    yield [floats(rng, 7)], {"threshold": 0.1}


@samples("BatchBoxCox")
def _(rng):
    yield [floats(rng, 3, 4), np.array([0, 1, 2.5, -1], np.float32), np.full(4, 3, np.float32)], {}
    yield [floats(rng, 0, 2), floats(rng, 2), floats(rng, 2)], {}


@samples("PiecewiseLinearTransform")
def _(rng):
    columns = [np.float32([-1, 0, 1] * 2), np.float32([2, -1, 1, 3]), np.float32([0.5, 0.25, 0, 1])]
    yield [floats(rng, 5, 2), *columns], {}
    yield [floats(rng, 5, 1)], PIECES
    yield [floats(rng, 5, 2)], PIECES | {"binary": 1}
    yield [floats(rng, 5)], PIECES | {"binary": 1}


@samples("NGramFromCategorical")
def _(rng):
    x = np.array([[1, 7, 2], [3, 9, 1], [1, 0, 0]], np.float32)
    yield [x], {"col_ids": [0, 2], "categorical_limits": [2, 3], "vals": [1, 3, 0, 1, 2]}


def test_buckets_are_open_below(run):
    assert run("Bucketize", np.array([2, 4, 1, 2.5], np.float32), boundaries=[0.1, 2.5]).tolist() == [1, 2, 1, 1]


def test_batch_of_buckets(run):
    x = np.array([[1.42, 2.07, 3.19, 0.55, 4.32], [0.89, 0.26, 2.41, 0.47, 1.05]], np.float32)
    borders = np.array([0.5, 1.0, 1.5, 2.5, 3.5, 2.5], np.float32)
    found = run("BatchBucketize", x, np.array([0, 1, 4], np.int32), borders, np.array([2, 3, 1], np.int32))
    assert found.tolist() == [[2, 1, 1], [1, 0, 0]]


def test_pieces_are_flat_beyond_their_bounds(run):
    y = run("PiecewiseLinearTransform", np.array([[-9], [-1], [0.5], [9]], np.float32), **PIECES)
    assert y.reshape(-1).tolist() == [-1.5, -1.5, -0.25, -0.75]


def test_unknown_categories_count_as_the_first(run):
    args = {"col_ids": [0], "categorical_limits": [2], "vals": [5, 3]}
    assert run("NGramFromCategorical", np.array([[3], [5], [8]], np.float32), **args).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "name, args, word",
    [
        ("Bucketize", {"boundaries": [1.0, 0.0]}, "boundaries"),
        ("PiecewiseLinearTransform", {"bounds": [1.0]}, "three"),
        ("PiecewiseLinearTransform", PIECES | {"slopes": [1.0]}, "slopes"),
        ("PiecewiseLinearTransform", PIECES | {"bounds": [1.0, 0.0, 2.0]}, "increase"),
        ("NGramFromCategorical", {"col_ids": [0], "categorical_limits": [2], "vals": [5]}, "vals"),
    ],
)
def test_arguments_must_go_together(run, name, args, word):
    with pytest.raises(EnforceNotMet, match=word):
        run(name, np.ones((2, 1), np.float32), **args)

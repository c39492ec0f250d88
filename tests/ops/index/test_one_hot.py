"""One-hot encodings: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

OPEN = {law: "the number of columns is data" for law in ("shape", "compile")}


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("OneHot")
def _(rng):
    yield Sample("OneHot", (np.array([2, 0, 1]), np.array([3])), except_=OPEN)
    yield Sample("OneHot", (np.zeros(0, np.int64), np.array(3)), except_=OPEN)


@samples("SegmentOneHot")
def _(rng):
    yield Sample("SegmentOneHot", (lengths(2, 0, 1), np.array([2, 0, 1]), np.array([4])), except_=OPEN)


@samples("BatchOneHot")
def _(rng):
    yield [np.array([[2, 3], [4, 1], [2, 5]]), lengths(2, 3), np.array([2, 4, 1, 3, 5])], {}
    yield [np.array([2, 4], np.int32), lengths(2), np.array([2, 3], np.int32)], {}


@samples("BatchBucketOneHot")
def _(rng):
    yield [floats(rng, 3, 2), lengths(2, 3), np.array([-0.1, 0.5, -1, 0, 1], np.float32)], {}


def test_buckets_end_with_their_upper_boundary(run):
    data = np.array([[2, 3], [4, 1], [2, 5]], np.float32)
    encoded = run("BatchBucketOneHot", data, lengths(2, 3), np.array([0.1, 2.5, 1, 3.1, 4.5], np.float32))
    assert encoded.tolist() == [[0, 1, 0, 0, 1, 0, 0], [0, 0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0, 1]]


def test_an_index_that_has_no_column_is_refused(run):
    with pytest.raises(EnforceNotMet, match="holds 3"):
        run("OneHot", np.array([3]), np.array([3]))
    with pytest.raises(EnforceNotMet, match="holds -1"):
        run("SegmentOneHot", lengths(1), np.array([-1]), np.array([3]))


def test_lengths_must_add_up(run):
    with pytest.raises(EnforceNotMet, match="add up to 3"):
        run("SegmentOneHot", lengths(1, 2), np.array([0]), np.array([3]))
    with pytest.raises(EnforceNotMet, match="2 columns"):
        run("BatchOneHot", np.zeros((1, 2), np.int64), lengths(1), np.array([0]))

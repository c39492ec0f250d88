"""Ranges: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, floats, samples

RANGES = np.array([[[1, 2], [0, 1]], [[3, 0], [2, 1]]])


@samples("GatherRanges")
def _(rng):
    yield [floats(rng, 4), RANGES], {}
    yield [floats(rng, 0), np.zeros((2, 1, 2), np.int32)], {}


@samples("GatherRangesToDense")
def _(rng):
    key = np.array([3, 9, 1, 0])
    args = {"lengths": [2, 1], "max_mismatched_ratio": 1.0}
    yield Sample("GatherRangesToDense", (floats(rng, 4), RANGES), args, outputs=2)
    yield Sample("GatherRangesToDense", (floats(rng, 4), RANGES, key), args, outputs=2)


def test_a_range_is_ordered_by_its_keys(run):
    ranges = np.array([[[0, 3]], [[1, 3]], [[2, 1]]])
    dense = run("GatherRangesToDense", np.array([5, 6, 7, 8]), ranges, np.array([2, 9, 1, 0]), lengths=[3])
    assert dense.tolist() == [[7, 5, 6], [8, 7, 6], [0, 0, 0]]


def test_strings_are_gathered(run):
    words = np.array([b"a", b"b", b"c", b"d"], object)
    gathered, counts = run("GatherRanges", words, RANGES)
    assert gathered.tolist() == [b"b", b"c", b"a", b"c"] and counts.tolist() == [3, 1]


def test_a_range_outside_is_refused(run):
    with pytest.raises(EnforceNotMet, match="outside DATA"):
        run("GatherRanges", np.zeros(4), np.array([[[3, 2]]]))


def test_misfits_are_counted_over_all_runs():
    args = {"lengths": [2], "min_observation": 1, "max_mismatched_ratio": 0.6, "max_empty_ratio": 0.4}
    sample = Sample("GatherRangesToDense", (np.zeros(4, np.float32), np.array([[[0, 2]], [[0, 1]]])), args, outputs=1)
    workspace = sample.workspace()
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[sample.definition()]))
    net.run()
    workspace.feed("i1", np.array([[[0, 1]], [[0, 1]]]))
    with pytest.raises(EnforceNotMet, match="3 of 4 ranges of column 0 are mismatched"):
        net.run()

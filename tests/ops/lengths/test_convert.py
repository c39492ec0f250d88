"""Forms of lengths: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

LENGTHS = np.array([2, 0, 3], np.int32)


@samples("LengthsToOffsets")
def _(rng):
    yield [LENGTHS], {}
    yield [LENGTHS], {"include_last_offset": 1}


@samples("LengthsToRanges", "LengthsToSegmentIds", "LengthsToWeights")
def _(rng):
    yield [LENGTHS], {}
    yield [LENGTHS[:0]], {}


@samples("SegmentIdsToLengths", "SegmentIdsToRanges")
def _(rng):
    yield [np.array([1, 1, 3], np.int32)], {}
    yield [np.array([0, 0, 1]), floats(rng, 4, 2)], {}
    yield [np.zeros(0, np.int64)], {}


@samples("LengthsSplit")
def _(rng):
    yield [LENGTHS], {"n_split": 2}
    why = {law: "the number of parts is data" for law in ("shape", "compile")}
    yield Sample("LengthsSplit", (LENGTHS, np.array([3], np.int32)), except_=why)


def test_forms_of_lengths(run):
    assert run("LengthsToOffsets", LENGTHS).tolist() == [0, 2, 2]
    assert run("LengthsToOffsets", LENGTHS, include_last_offset=1).tolist() == [0, 2, 2, 5]
    assert run("LengthsToRanges", LENGTHS).tolist() == [[0, 2], [2, 0], [2, 3]]
    assert run("LengthsToSegmentIds", LENGTHS).tolist() == [0, 0, 2, 2, 2]
    np.testing.assert_allclose(run("LengthsToWeights", LENGTHS, power=1.0), [1 / 2] * 2 + [1 / 3] * 3)
    assert run("LengthsSplit", np.array([9, 4, 5, 0], np.int32), n_split=3).tolist() == [3] * 3 + [
        2,
        1,
        1,
        2,
        2,
        1,
        0,
        0,
        0,
    ]


def test_ids_tell_lengths_and_ranges(run):
    ids = np.array([1, 1, 3])
    assert run("SegmentIdsToLengths", ids).tolist() == [0, 2, 0, 1]
    assert run("SegmentIdsToLengths", ids[None], np.zeros((5, 1))).tolist() == [0, 2, 0, 1, 0]
    assert run("SegmentIdsToRanges", ids, np.zeros(6)).tolist() == [[0, 0], [0, 2], [2, 0], [2, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    "name, inputs, why",
    [
        ("SegmentIdsToLengths", [np.array([2, 0])], "ascend"),
        ("SegmentIdsToRanges", [np.array([-1, 0])], "ascend"),
        ("SegmentIdsToLengths", [np.array([0, 4]), np.zeros(2)], "5 segments, more than the 2 rows"),
        ("SegmentIdsToLengths", [np.zeros((2, 2), np.int64)], "is a vector"),
        ("LengthsToOffsets", [np.array([-1], np.int32)], "negative length"),
        ("LengthsSplit", [LENGTHS], "n_split is positive"),
    ],
)
def test_what_is_no_form_of_lengths_is_refused(run, name, inputs, why):
    with pytest.raises(EnforceNotMet, match=why):
        run(name, *inputs)

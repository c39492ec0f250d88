"""Packed segments: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

LENGTHS = np.array([2, 0, 3], np.int32)


@samples("PackSegments")
def _(rng):
    yield Sample("PackSegments", (LENGTHS, floats(rng, 5, 2)), outputs=1)
    yield [LENGTHS.astype(np.int64), floats(rng, 5)], {"max_length": 4, "return_presence_mask": 1}
    yield [LENGTHS[:0], floats(rng, 0, 2)], {"return_presence_mask": 1}


@samples("UnpackSegments")
def _(rng):
    yield [LENGTHS, floats(rng, 3, 3, 2)], {}
    yield [LENGTHS, floats(rng, 3, 4)], {"max_length": 4}


@samples("PackRNNSequence")
def _(rng):
    yield [floats(rng, 5, 2), LENGTHS], {}
    yield [floats(rng, 0, 2), LENGTHS[:0]], {}


@samples("UnpackRNNSequence")
def _(rng):
    yield [floats(rng, 3, 3, 2), LENGTHS], {}


@samples("ReversePackedSegs")
def _(rng):
    yield [floats(rng, 3, 3, 2), LENGTHS], {}
    yield [floats(rng, 4, 1, 2), np.array([4])], {}


@samples("LengthsPad")
def _(rng):
    yield [floats(rng, 5, 2), LENGTHS], {"target_length": 4, "padding_value": 1.5}
    yield [np.arange(5), LENGTHS], {"target_length": 3}


@samples("LengthsTile")
def _(rng):
    yield [floats(rng, 3, 2), LENGTHS], {}


@samples("LengthsGather")
def _(rng):
    yield [floats(rng, 5, 2), LENGTHS, np.array([2, 1, 0, 2])], {}


def test_packing_pads_and_cuts(run):
    x = np.arange(1, 6, dtype=np.float32)
    packed, mask = run("PackSegments", LENGTHS, x, max_length=2, pad_minf=1, return_presence_mask=1)
    assert packed.tolist() == [[1, 2], [-np.inf, -np.inf], [3, 4]]
    assert mask.tolist() == [[True, True], [False, False], [True, True]]
    assert run("PackSegments", LENGTHS, x.astype(np.int64), outputs=1, pad_minf=1).tolist()[1] == [0, 0, 0]
    assert run("UnpackSegments", LENGTHS, packed, max_length=2).tolist() == [1, 2, 3, 4]


def test_strings_are_packed_and_tiled(run):
    words = np.array([b"a", b"b", b"c", b"d", b"e"], object)
    packed = run("PackSegments", LENGTHS, words, outputs=1)
    assert packed.tolist() == [[b"a", b"b", b""], [b"", b"", b""], [b"c", b"d", b"e"]]
    assert run("UnpackSegments", LENGTHS, packed).tolist() == words.tolist()
    assert run("LengthsTile", words[:3], LENGTHS).tolist() == [b"a", b"a", b"c", b"c", b"c"]
    assert run("LengthsGather", words, LENGTHS, np.array([2, 0])).tolist() == [b"c", b"d", b"e", b"a", b"b"]


def test_time_comes_first_in_rnn_sequences(run):
    x = np.arange(1, 6, dtype=np.float32)[:, None]
    packed = run("PackRNNSequence", x, LENGTHS)
    assert packed[:, :, 0].tolist() == [[1, 0, 3], [2, 0, 4], [0, 0, 5]]
    assert run("UnpackRNNSequence", packed, LENGTHS).tolist() == x.tolist()
    assert run("ReversePackedSegs", packed, LENGTHS)[:, :, 0].tolist() == [[2, 0, 5], [1, 0, 4], [0, 0, 3]]


@pytest.mark.parametrize(
    "name, inputs, args, why",
    [
        ("PackSegments", (LENGTHS, np.zeros(4, np.float32)), {}, "add up to 5, not 4"),
        ("UnpackSegments", (LENGTHS, np.zeros((3, 2), np.float32)), {}, "3 rows and the tensor room for 2"),
        ("UnpackSegments", (LENGTHS, np.zeros((3, 3), np.float32)), {"max_length": 2}, "second dimension"),
        ("PackRNNSequence", (np.zeros((4, 1), np.float32), LENGTHS), {}, "more than the 4 rows"),
        ("UnpackRNNSequence", (np.zeros((3, 2, 1), np.float32), LENGTHS), {}, "3 lengths for the 2 segments"),
        ("ReversePackedSegs", (np.zeros((2, 3, 1), np.float32), LENGTHS), {}, "room for 2"),
        ("LengthsPad", (np.zeros(5, np.float32), LENGTHS), {"target_length": 2}, "room for 2"),
        ("LengthsTile", (np.zeros(2, np.float32), LENGTHS), {}, "one first dimension"),
        ("LengthsGather", (np.zeros(5, np.float32), LENGTHS, np.array([3])), {}, "INDICES holds 3"),
    ],
)
def test_segments_that_do_not_fit_are_refused(run, name, inputs, args, why):
    with pytest.raises(EnforceNotMet, match=why):
        run(name, *inputs, **args)

"""Padding of segments: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from tests.sample import Sample, floats, samples

LENGTHS = np.array([2, 0, 3], np.int32)
PADDED = np.array([4, 3, 3], np.int32)


@samples("AddPadding")
def _(rng):
    yield Sample("AddPadding", (floats(rng, 5, 2),), outputs=1)
    yield [floats(rng, 5, 2), LENGTHS], {"padding_width": 2, "end_padding_width": 1}
    yield [floats(rng, 5, 2), LENGTHS, floats(rng, 2)], {}
    yield [floats(rng, 5, 2), LENGTHS, floats(rng, 2), floats(rng, 2)], {"padding_width": 2, "end_padding_width": 1}


@samples("RemovePadding")
def _(rng):
    yield Sample("RemovePadding", (floats(rng, 5, 2),), outputs=1)
    yield [floats(rng, 10, 2), PADDED], {"padding_width": 2, "end_padding_width": 1}


@samples("GatherPadding")
def _(rng):
    yield Sample("GatherPadding", (floats(rng, 10, 2), PADDED), outputs=1)
    yield [floats(rng, 10), PADDED], {"padding_width": 2, "end_padding_width": 1}
    yield [floats(rng, 10), PADDED], {"padding_width": 0}


@samples("PadEmptySamples")
def _(rng):
    yield Sample("PadEmptySamples", (LENGTHS, floats(rng, 5, 2), np.arange(5)), outputs=3)
    yield Sample("PadEmptySamples", (LENGTHS,), outputs=1)


def test_padding_goes_on_and_comes_off(run):
    x = np.arange(5)
    padded, lengths = run("AddPadding", x, LENGTHS, np.array(9), np.array(7), end_padding_width=2)
    assert padded.tolist() == [9, 0, 1, 7, 7, 9, 7, 7, 9, 2, 3, 4, 7, 7] and lengths.tolist() == [5, 3, 6]
    back, lengths = run("RemovePadding", padded, lengths, end_padding_width=2)
    assert back.tolist() == x.tolist() and lengths.tolist() == LENGTHS.tolist()
    assert [int(s) for s in run("GatherPadding", padded, np.array([5, 3, 6], np.int32), end_padding_width=2)] == [
        27,
        42,
    ]


def test_empty_samples_get_a_row(run):
    words = np.array([b"a", b"b", b"c", b"d", b"e"], object)
    lengths, padded = run("PadEmptySamples", LENGTHS, words, outputs=2)
    assert lengths.tolist() == [2, 1, 3] and padded.tolist() == [b"a", b"b", b"", b"c", b"d", b"e"]


@pytest.mark.parametrize(
    "name, inputs, args, why",
    [
        ("AddPadding", (np.zeros(4), LENGTHS), {}, "add up to 5, not 4"),
        ("AddPadding", (np.zeros((5, 2)), LENGTHS, np.zeros(3)), {}, "start_padding is a row"),
        ("AddPadding", (np.zeros(5), LENGTHS), {"padding_width": -1}, "not negative"),
        ("RemovePadding", (np.zeros(5), LENGTHS), {}, "0 rows cannot hold 2 rows of padding"),
        ("PadEmptySamples", (LENGTHS, np.zeros(4)), {}, "a feature has 4 rows"),
    ],
)
def test_padding_that_does_not_fit_is_refused(run, name, inputs, args, why):
    with pytest.raises(EnforceNotMet, match=why):
        run(name, *inputs, outputs=2, **args)


def test_the_gradient_needs_the_padded_lengths():
    with pytest.raises(NoGradient, match="lengths_out"):
        gradient_ops(Sample("AddPadding", (0, 0), outputs=1).definition(), ["g"])

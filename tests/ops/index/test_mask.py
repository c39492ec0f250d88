"""Masks: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

MASK = np.array([True, False, True])


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("BooleanMask")
def _(rng):
    yield Sample("BooleanMask", (floats(rng, 3, 2), MASK), outputs=1)
    yield [floats(rng, 3), MASK], {}
    yield [np.zeros((0, 2), np.float32), MASK[:0]], {}


@samples("BooleanMaskGradient")
def _(rng):
    yield [MASK, floats(rng, 2)], {}
    yield [MASK, floats(rng, 2, 4)], {}


@samples("BooleanMaskLengths")
def _(rng):
    yield [lengths(2, 0, 1), MASK], {}
    yield [np.zeros(0, np.int64), MASK[:0]], {}


@samples("BooleanUnmask")
def _(rng):
    why = {"compile": "counts what a mask takes"}
    yield Sample("BooleanUnmask", (MASK, floats(rng, 2), ~MASK, floats(rng, 1)), except_=why)


@samples("RemoveDataBlocks")
def _(rng):
    yield [floats(rng, 4, 2), np.array([3, 0, 3])], {}
    yield [floats(rng, 4), np.zeros(0, np.int32)], {}


@samples("SequenceMask")
def _(rng):
    x = floats(rng, 2, 3, 4)
    yield [x, lengths(1, 4, 2, 0, 3, 4)], {"mode": "sequence", "axis": 2, "fill_val": -1.0}
    yield [x, lengths(1, 3)], {"mode": "sequence", "repeat_from_axis": 2, "fill_val": -1.0}
    yield [x, lengths(0, 2, 1)], {"mode": "window", "axis": -1, "batch": 0, "radius": 1, "fill_val": -1.0}
    for mode in ("upper", "lower", "upperdiag", "lowerdiag"):
        yield [x], {"mode": mode, "axis": 2, "batch": 0, "fill_val": -1.0}


def test_strings_are_masked_and_put_back(run):
    words = np.array([b"a", b"b", b"c"], object)
    kept, rows = run("BooleanMask", words, MASK)
    assert kept.tolist() == [b"a", b"c"] and rows.tolist() == [0, 2]
    assert run("BooleanUnmask", MASK, kept, ~MASK, words[1:2]).tolist() == words.tolist()
    assert run("RemoveDataBlocks", words, np.array([1])).tolist() == [b"a", b"c"]


def test_the_first_mask_wins(run):
    every = np.ones(3, bool)
    assert run("BooleanUnmask", MASK, np.array([1, 2]), every, np.array([3])).tolist() == [1, 3, 2]
    with pytest.raises(EnforceNotMet, match="position 1"):
        run("BooleanUnmask", MASK, np.array([1, 2]))
    with pytest.raises(EnforceNotMet, match="mask 0 takes 2"):
        run("BooleanUnmask", MASK, np.array([1]), every, np.array([3]))


def test_masked_elements_are_minus_infinity(run):
    x = np.ones((2, 3), np.float32)
    masked = run("SequenceMask", x, lengths(1, 2), mode="sequence")
    assert np.isneginf(masked).tolist() == [[False, True, True], [False, False, True]]
    assert run("SequenceMask", x, mode="upper").tolist() == [[1, -np.inf, -np.inf], [1, 1, -np.inf]]
    assert run("SequenceMask", x, mode="lowerdiag", grad=1).tolist() == [[0, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    "inputs, args, why",
    [
        (1, {"mode": "diagonal"}, "mode is one of"),
        (1, {"mode": "window"}, "takes sequence_lengths"),
        (2, {"mode": "sequence", "repeat_from_axis": 1, "batch": 0}, "without batch"),
        (2, {"mode": "sequence", "axis": 0, "batch": 1}, "batch lies before"),
        (2, {"mode": "sequence", "axis": 1}, "1 sequence_lengths for 2 rows"),
    ],
)
def test_modes_that_do_not_fit_are_refused(run, inputs, args, why):
    with pytest.raises(EnforceNotMet, match=why):
        run("SequenceMask", *[np.zeros((2, 3), np.float32), lengths(1)][:inputs], **args)


def test_masks_fit_what_they_mask(run):
    with pytest.raises(EnforceNotMet, match="one first dimension"):
        run("BooleanMask", np.zeros(2, np.float32), MASK)
    with pytest.raises(EnforceNotMet, match="add up to 4"):
        run("BooleanMaskLengths", lengths(4), MASK)
    with pytest.raises(EnforceNotMet, match="holds 3"):
        run("RemoveDataBlocks", np.zeros(3, np.float32), np.array([3]))
    with pytest.raises(EnforceNotMet, match="float64"):
        run("RemoveDataBlocks", np.zeros(3, np.float32), np.array([1.0]))


def test_no_indices_may_be_of_any_type(run):
    assert run("RemoveDataBlocks", np.arange(3), np.array([])).tolist() == [0, 1, 2]


def test_nothing_needs_no_lengths(run):
    assert run("SequenceMask", np.zeros((3, 0), np.float32), np.zeros(0, np.int32), mode="sequence").shape == (3, 0)

"""Losses of ranked lists: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

LENGTHS = np.array([3, 0, 4], np.int32)
WHY = {"compile": "the lengths say how wide its tables are"}


def grades(rng, *shape):
    return rng.integers(0, 4, shape).astype(np.float32)


@samples("PairWiseLoss")
def _(rng):
    yield Sample("PairWiseLoss", (floats(rng, 5), grades(rng, 5)), except_=WHY)
    yield Sample("PairWiseLoss", (floats(rng, 7, 1), grades(rng, 7, 1), LENGTHS), except_=WHY)
    yield Sample(
        "PairWiseLoss",
        (floats(rng, 0), grades(rng, 0)),
        except_={"gradient": "there is nothing to rank", **WHY},
    )


@samples("PairWiseLossGradient")
def _(rng):
    yield Sample("PairWiseLossGradient", (floats(rng, 7), grades(rng, 7), floats(rng, 3), LENGTHS), except_=WHY)


@samples("LambdaRankNdcg")
def _(rng):
    inputs = (floats(rng, 7), grades(rng, 7) + 1, LENGTHS)
    why = WHY | {"gradient": "the second output is the gradient, computed with the ranks held still"}
    for args in ({}, {"use_ndcg_as_loss": 1}, {"use_idcg_normalization": 0, "use_exp_gain": 0, "use_ndcg_as_loss": 1}):
        yield Sample("LambdaRankNdcg", inputs, args, except_=why)


@samples("LambdaRankNdcgGradient")
def _(rng):
    inputs = (floats(rng, 7), LENGTHS, floats(rng, 7), floats(rng, 3))
    yield Sample("LambdaRankNdcgGradient", inputs)


def test_lists_without_relevant_items_have_no_loss(run):
    loss, slope = run(
        "LambdaRankNdcg", np.array([1, 2], np.float32), np.zeros(2, np.float32), np.array([2], np.int32), outputs=2
    )
    assert loss.tolist() == [0] and slope.tolist() == [0, 0]


def test_equal_labels_make_no_pair(run):
    assert run("PairWiseLoss", np.array([1, 2], np.float32), np.ones(2, np.float32)).tolist() == [0]


def test_lengths_must_add_up(run):
    x = np.ones(3, np.float32)
    with pytest.raises(EnforceNotMet, match="add up"):
        run("PairWiseLoss", x, x, np.array([2, 2], np.int32))
    with pytest.raises(EnforceNotMet, match="add up"):
        run("LambdaRankNdcg", x, x, np.array([2, 2], np.int32), outputs=2)

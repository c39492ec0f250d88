"""The largest elements: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

OPEN = {law: "k is data" for law in ("shape", "compile")}


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("TopK")
def _(rng):
    yield [floats(rng, 2, 5)], {"k": 3}
    yield [floats(rng, 2, 5, 3)], {"k": 2, "axis": 1}
    yield Sample("TopK", (floats(rng, 2, 5),), {"k": 5}, outputs=2)
    yield [floats(rng, 2, 3)], {"k": 4, "axis": 0}
    yield [np.ones((2, 6), np.float32)], {"k": 3}
    yield Sample("TopK", (floats(rng, 2, 5), np.array([2])), except_=OPEN)


@samples("TopKGradient")
def _(rng):
    yield [floats(rng, 2, 2), np.array([[0, 2], [1, 0]]), floats(rng, 2, 3)], {}
    yield [floats(rng, 1, 3), np.array([[0, 1, 1]]), floats(rng, 2, 3)], {"axis": 0}


@samples("FlexibleTopK")
def _(rng):
    yield [floats(rng, 3, 4), np.array([1, 4, 2])], {}
    yield [floats(rng, 0, 4), np.zeros(0, np.int64)], {}


@samples("FlexibleTopKGradient")
def _(rng):
    yield [floats(rng, 2, 3), np.array([1, 2]), floats(rng, 3), np.array([2, 0, 1])], {}


@samples("LengthsTopK")
def _(rng):
    yield [floats(rng, 6), lengths(4, 0, 2)], {"k": 3}
    yield [floats(rng, 0), lengths(0, 0)], {"k": 2}


@samples("LengthsTopKGradient")
def _(rng):
    yield [lengths(3, 0, 1), np.array([[1, 0], [-1, -1], [0, -1]], np.int32), floats(rng, 3, 2)], {"k": 2}


@samples("ArgMax", "ArgMin")
def _(rng):
    yield [floats(rng, 2, 5)], {}
    yield [np.array([[3, 1], [3, 2]])], {"axis": 0, "keepdims": 0}
    yield [floats(rng, 3, 0)], {}


def test_of_equals_the_first_come_first(run):
    x = np.array([1, 3, 3, 2, 3, 1], np.float32)
    assert run("TopK", x, k=2)[1].tolist() == [1, 2]
    assert run("LengthsTopK", x, lengths(4, 2), k=2)[1].tolist() == [[1, 2], [0, 1]]
    assert run("FlexibleTopK", x[None], np.array([4]))[1].tolist() == [1, 2, 4, 3]


def test_what_is_missing_is_padded(run):
    values, places, among = run("TopK", np.arange(4, dtype=np.float32).reshape(2, 2), k=3)
    assert values.tolist() == [[1, 0, 0], [3, 2, 0]] and places.tolist() == [[1, 0, -1]] * 2
    assert among.tolist() == [1, 0, -1, 3, 2, -1]


@pytest.mark.parametrize("name, inputs", [("TopK", 1), ("LengthsTopK", 2)])
def test_k_is_positive(run, name, inputs):
    with pytest.raises(EnforceNotMet, match="at least 1"):
        run(name, *[np.zeros(0, np.float32), lengths()][:inputs], k=0)


def test_counts_fit_their_rows(run):
    with pytest.raises(EnforceNotMet, match="K holds"):
        run("FlexibleTopK", np.zeros((1, 2), np.float32), np.array([3]))
    with pytest.raises(EnforceNotMet, match="add up to 5"):
        run("LengthsTopK", np.zeros(4, np.float32), lengths(5), k=1)


def test_nan_wins_in_first_place_alone(run):
    rows = np.array([[np.nan, 2, 1], [1, np.nan, 3], [3, np.nan, 1]], np.float32)
    assert run("ArgMax", rows, keepdims=0).tolist() == [0, 2, 0]
    assert run("ArgMin", rows, keepdims=0).tolist() == [0, 0, 2]

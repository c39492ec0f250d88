"""The table of segment reductions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from caffe2.ops.segment.table import TABLE
from tests.sample import Sample, floats, samples

LENGTHS = np.array([2, 0, 3], np.int32)
IDS = {
    "Lengths": LENGTHS,
    "SortedSegment": np.array([0, 0, 1, 2, 2], np.int32),
    "UnsortedSegment": np.array([2, 0, 2, 2, 0], np.int32),
}
ROWS = {"name": np.array([1, 3, 1, 0, 3]), "int32": np.array([1, 3, 1, 0, 3], np.int32)}


def inputs_of(rng: np.random.Generator, way: str, sparse: bool, reducer: str, *shape: int) -> tuple[np.ndarray, ...]:
    """Inputs of an operator of the table: five rows in three segments."""
    scalars = (floats(rng, 5),) if reducer == "WeightedSum" else ()
    indices = (ROWS["name"],) if sparse else ()
    return (floats(rng, 4 if sparse else 5, *shape), *scalars, *indices, IDS[way])


@samples(*{f"{'Sparse' * sparse}{way}{reducer}" for way, sparse, reducer in TABLE})
def _(rng):
    for way, sparse, reducer in TABLE:
        name = f"{'Sparse' * sparse}{way}{reducer}"
        args = {"num_segments": 4} if way == "UnsortedSegment" else {}
        yield Sample(name, inputs_of(rng, way, sparse, reducer, 2, 3), args)
        yield Sample(name, inputs_of(rng, way, sparse, reducer))
        if reducer == "WeightedSum" and way == "Lengths":
            yield Sample(name, inputs_of(rng, way, sparse, reducer, 2), {"grad_on_weights": 1})
        empty = tuple(x[:0] for x in inputs_of(rng, way, sparse, reducer, 2))
        yield Sample(name, empty if not sparse else (floats(rng, 4, 2), *empty[1:]))


@samples("SparseLengthsPositionalWeightedSum")
def _(rng):
    yield [floats(rng, 4, 2), floats(rng, 3), ROWS["int32"], LENGTHS], {}


def naive(rows: np.ndarray, ids: list[int], reducer: str, scalars: np.ndarray, count: int) -> np.ndarray:
    out = np.zeros((count, *rows.shape[1:]), np.float32)
    for k in range(count):
        mine = rows[[i for i, s in enumerate(ids) if s == k]]
        if reducer == "WeightedSum":
            out[k] = sum((w * r for w, r in zip(scalars[np.array(ids) == k], mine)), out[k])
        elif len(mine):
            out[k] = {"Sum": mine.sum(0), "Mean": mine.mean(0), "Max": mine.max(0)}[reducer]
    return out


@pytest.mark.parametrize("way, sparse, reducer", TABLE)
def test_every_reduction_is_what_a_loop_says(run, way, sparse, reducer):
    inputs = inputs_of(np.random.default_rng(3), way, sparse, reducer, 2)
    ids = [0, 0, 2, 2, 2] if way == "Lengths" else IDS[way].tolist()
    rows = inputs[0][ROWS["name"]] if sparse else inputs[0]
    wanted = naive(rows, ids, reducer, inputs[1], 3)
    np.testing.assert_allclose(run(f"{'Sparse' * sparse}{way}{reducer}", *inputs), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reducer", ["Sum", "Mean"])
def test_half_precision_is_summed_in_single(run, reducer):
    table = np.array([[2048.0], [1.0]], np.float16)
    pooled = run(f"SparseLengths{reducer}", table, np.array([0, 1, 1]), np.array([3], np.int32))
    assert pooled.dtype == np.float32 and pooled == 2050 / (3 if reducer == "Mean" else 1)


@pytest.mark.parametrize(
    "name, inputs, why",
    [
        ("LengthsSum", (np.zeros((4, 1), np.float32), LENGTHS), "LENGTHS add up to 5, not 4"),
        ("LengthsSum", (np.zeros((1, 1), np.float32), np.array([2, -1], np.int32)), "negative length -1"),
        ("SparseLengthsSum", (np.zeros((2, 1), np.float32), np.array([2]), np.array([1], np.int32)), "value 2"),
        ("SparseLengthsSum", (np.zeros((2, 1), np.float32), np.array([-1]), np.array([1], np.int32)), "value -1"),
        ("SortedSegmentSum", (np.zeros((2, 1), np.float32), np.array([1, 1], np.int32)), "start at 0"),
        ("SortedSegmentSum", (np.zeros((2, 1), np.float32), np.array([0, 2], np.int32)), "grow by 0 or 1"),
        ("UnsortedSegmentSum", (np.zeros((2, 1), np.float32), np.array([0, -1], np.int32)), "SEGMENT_IDS holds -1"),
        ("UnsortedSegmentSum", (np.zeros((2, 1), np.float32), np.array([0], np.int32)), "of 1 rows; there are 2"),
        ("LengthsWeightedSum", (np.zeros((5, 1), np.float32), np.zeros(4, np.float32), LENGTHS), "each of the 5 rows"),
    ],
)
def test_what_does_not_fit_is_refused(run, name, inputs, why):
    with pytest.raises(EnforceNotMet, match=why):
        run(name, *inputs)


def test_weights_have_a_gradient_by_lengths_alone():
    for name in ("SortedSegmentWeightedSum", "UnsortedSegmentWeightedSum"):
        with pytest.raises(NoGradient, match="LENGTHS alone"):
            gradient_ops(Sample(name, (0, 0, 0), {"grad_on_weights": 1}).definition(), ["g"])


def test_a_segment_is_no_longer_than_its_weights(run):
    with pytest.raises(EnforceNotMet, match="the place of an index in its segment holds 2"):
        inputs = np.zeros((4, 2), np.float32), np.zeros(2, np.float32), ROWS["name"], LENGTHS
        run("SparseLengthsPositionalWeightedSum", *inputs)

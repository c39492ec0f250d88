"""Windows: samples, and what is particular."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("LastNWindowCollector")
def _(rng):
    start = np.array(2, np.int32)
    yield Sample("LastNWindowCollector", (floats(rng, 2, 3), start, floats(rng, 3, 3)), {"num_to_collect": 4}, 2)
    visited = (floats(rng, 0), np.array(0, np.int32), floats(rng, 3, 3), threading.Lock, np.array([7]))
    yield Sample("LastNWindowCollector", visited, {"num_to_collect": 2}, 3)


@samples("VariableLengthSequencePadding")
def _(rng):
    why = {"inplace": "as in the original a separate output stays empty"}
    yield Sample("VariableLengthSequencePadding", (floats(rng, 3, 2, 4), np.array([1, 3], np.int32)), except_=why)


@samples("DataCouple")
def _(rng):
    yield Sample("DataCouple", (floats(rng, 2), np.array([1])), outputs=2)


def test_the_last_rows_stay_in_a_ring(run):
    ring, cursor, seen = np.zeros(0, np.int64), np.array(0, np.int32), np.array([0])
    held = []
    for batch in ([1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11], []):
        data = np.array(batch, np.int64)
        ring, cursor, seen = run(
            "LastNWindowCollector", ring, cursor, data, threading.Lock(), seen, outputs=3, num_to_collect=6
        )
        held.append(sorted(ring.tolist()))
    assert held == [[1, 2, 3, 4], [2, 3, 4, 5, 6, 7], [6, 7, 8, 9, 10, 11], [6, 7, 8, 9, 10, 11]] and seen == 11


def test_rows_of_another_shape_are_refused(run):
    with pytest.raises(EnforceNotMet, match="rows of shape"):
        rows = np.zeros((1, 2), np.float32)
        run("LastNWindowCollector", rows, np.array(0, np.int32), rows[:, :1], outputs=2, num_to_collect=3)


def test_sequences_end_where_they_do(run):
    sample = Sample("VariableLengthSequencePadding", (np.ones((2, 2, 1), np.float32), np.array([1, 2], np.int32)))
    workspace, op = sample.workspace(), sample.definition()
    op.output[0] = op.input[0]
    workspace.run_operator_once(op)
    assert workspace.fetch("i0")[:, :, 0].tolist() == [[1, 1], [0, 1]]

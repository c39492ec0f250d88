"""Windows: samples, and what is particular."""

from __future__ import annotations

import numpy as np

from tests.sample import Sample, floats, samples


@samples("VariableLengthSequencePadding")
def _(rng):
    why = {"inplace": "as in the original a separate output stays empty"}
    yield Sample("VariableLengthSequencePadding", (floats(rng, 3, 2, 4), np.array([1, 3], np.int32)), except_=why)


@samples("DataCouple")
def _(rng):
    yield Sample("DataCouple", (floats(rng, 2), np.array([1])), outputs=2)
    yield Sample("DataCouple", (floats(rng, 2), np.array([1]), floats(rng, 1)), outputs=2)


def test_sequences_end_where_they_do(run):
    sample = Sample("VariableLengthSequencePadding", (np.ones((2, 2, 1), np.float32), np.array([1, 2], np.int32)))
    workspace, op = sample.workspace(), sample.definition()
    op.output[0] = op.input[0]
    workspace.run_operator_once(op)
    assert workspace.fetch("i0")[:, :, 0].tolist() == [[1, 1], [0, 1]]

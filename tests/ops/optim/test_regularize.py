"""Regularization of looked-up rows: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, ROWS, TURNS
from tests.sample import Sample, floats, samples


@samples("SparseNormalize", "Float16SparseNormalize")
def _(rng):
    for name, kind in (("SparseNormalize", np.float32), ("Float16SparseNormalize", np.float16)):
        for rows, args in ((ROWS, {"norm": 2.0}), (AGAIN, {"use_max_norm": 0})):
            inputs = floats(rng, 4, 3).astype(kind), rows, floats(rng, len(rows), 3).astype(kind)
            yield Sample(name, inputs, args, except_=TURNS)


@samples("SparseLpRegularizer")
def _(rng):
    for rows, args in ((ROWS, {"p": 1.0, "reg_lambda": 0.5}), (AGAIN, {"reg_lambda": 0.5})):
        yield Sample("SparseLpRegularizer", (floats(rng, 4, 3), rows), args, except_=TURNS)


def test_short_rows_stay_unless_asked(run):
    table = np.array([[0.3, 0.4], [3, 4]], np.float32)
    np.testing.assert_allclose(run("SparseNormalize", table, np.array([0, 1])), [[0.3, 0.4], [0.6, 0.8]], rtol=1e-6)
    alike = run("SparseNormalize", table, np.array([0, 1]), use_max_norm=0)
    np.testing.assert_allclose(alike, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("args", [{"p": 3.0}, {"reg_lambda": 0.0}])
def test_other_penalties_are_refused(run, args):
    with pytest.raises(EnforceNotMet, match="p is 1 or 2"):
        run("SparseLpRegularizer", np.zeros((2, 2), np.float32), np.array([0]), **args)

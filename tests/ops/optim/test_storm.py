"""STORM: samples, and what is particular."""

from __future__ import annotations

import numpy as np

from tests.ops.optim.state import AGAIN, LR, ROWS, TURNS, positive
from tests.sample import Sample, floats, samples


@samples("Storm")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), positive(rng, 1), floats(rng, 2, 3), LR], {"momentum": 2.0}


@samples("SparseStorm")
def _(rng):
    for rows in (ROWS, AGAIN):
        inputs = floats(rng, 4, 3), floats(rng, 4, 3), positive(rng, 1), floats(rng, len(rows), 3), rows, LR
        yield Sample("SparseStorm", inputs, {"beta": 0.2}, except_=TURNS)


def test_all_rows_once_are_the_whole(run):
    rng = np.random.default_rng(0)
    param, moment, total, grad = floats(rng, 3, 2), floats(rng, 3, 2), positive(rng, 1), floats(rng, 3, 2)
    whole = run("Storm", param, moment, total, grad, LR)
    rows = run("SparseStorm", param, moment, total, grad, np.arange(3), LR)
    for a, b in zip(whole, rows):
        np.testing.assert_allclose(a, b, rtol=1e-6)

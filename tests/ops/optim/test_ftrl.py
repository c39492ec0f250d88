"""FTRL: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, ROWS, TURNS, positive
from tests.sample import Sample, floats, samples

ARGS = {"beta": 0.5, "lambda1": 0.2, "lambda2": 0.1}
ALPHA = np.array([0.1], np.float32)


@samples("Ftrl", "GFtrl")
def _(rng):
    yield [floats(rng, 2, 3), positive(rng, 2, 3, 2), floats(rng, 2, 3)], {"alpha": 0.1, **ARGS}
    yield [floats(rng, 4), positive(rng, 8), floats(rng, 4), ALPHA], ARGS


@samples("SparseFtrl")
def _(rng):
    for rows in (ROWS, AGAIN):
        inputs = floats(rng, 4, 3), positive(rng, 4, 3, 2), rows, floats(rng, len(rows), 3), ALPHA
        yield Sample("SparseFtrl", inputs, ARGS, except_=TURNS)


def test_a_small_z_makes_a_zero(run):
    var, _ = run("Ftrl", np.ones(1, np.float32), np.zeros(2, np.float32), np.full(1, 0.01, np.float32), lambda1=5.0)
    assert var == 0


def test_alpha_comes_from_one_place(run):
    x = np.ones(1, np.float32)
    with pytest.raises(EnforceNotMet, match="not both"):
        run("Ftrl", x, np.ones(2, np.float32), x, ALPHA, alpha=0.1)
    with pytest.raises(EnforceNotMet, match="two numbers"):
        run("Ftrl", x, x, x)

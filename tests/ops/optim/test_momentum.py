"""SGD with momentum: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, LR, ROWS, TURNS
from tests.sample import Sample, floats, samples


@samples("MomentumSGD")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), LR], {"momentum": 0.9}
    yield [floats(rng, 2, 3), floats(rng, 6), LR], {"momentum": 0.9, "nesterov": 1}


@samples("MomentumSGDUpdate", "FP32MomentumSGDUpdate")
def _(rng):
    yield [floats(rng, 2, 3), floats(rng, 2, 3), LR, floats(rng, 2, 3)], {"momentum": 0.9, "weight_decay": 0.1}
    yield [floats(rng, 4), floats(rng, 4), LR[0], floats(rng, 4)], {"momentum": 0.9, "nesterov": 1}


@samples("FP16MomentumSGDUpdate")
def _(rng):
    for args in ({"fp32_update": 1, "nesterov": 1}, {"momentum": 0.5, "weight_decay": 0.1}):
        g, m, p = (floats(rng, 5).astype(np.float16) for _ in range(3))
        yield [g, m, LR, p], args


@samples("SparseMomentumSGDUpdate")
def _(rng):
    for rows in (ROWS, AGAIN):
        inputs = floats(rng, len(rows), 3), floats(rng, 4, 3), LR, floats(rng, 4, 3), rows
        yield Sample("SparseMomentumSGDUpdate", inputs, {"momentum": 0.9, "nesterov": 1}, except_=TURNS)


def test_nesterov_looks_ahead(run):
    one = np.ones(1, np.float32)
    grad, moment, param = run("MomentumSGDUpdate", one, 2 * one, one, 10 * one, momentum=0.5, nesterov=1)
    assert (moment, grad, param) == (2, 2, 8)


def test_a_row_that_comes_again_moves_again(run):
    grad, one = np.ones((2, 1), np.float32), np.ones(1, np.float32)
    zeros = np.zeros((2, 1), np.float32)
    step, moment, param = run("SparseMomentumSGDUpdate", grad, zeros, one, zeros, np.array([1, 1]), momentum=0.5)
    assert step.tolist() == [[1], [1.5]] and moment.tolist() == [[0], [1.5]] and param.tolist() == [[0], [-2.5]]


def test_sizes_and_rows_must_fit(run):
    x, one = np.zeros((4, 2), np.float32), np.ones(1, np.float32)
    with pytest.raises(EnforceNotMet, match="moment"):
        run("MomentumSGD", x, x[0], one)
    with pytest.raises(EnforceNotMet, match="lr holds one number"):
        run("MomentumSGD", x, x, x[0])
    with pytest.raises(EnforceNotMet, match="indices holds 4"):
        run("SparseMomentumSGDUpdate", x[:1], x, one, x, np.array([4]))
    with pytest.raises(EnforceNotMet, match="a row for each index"):
        run("SparseMomentumSGDUpdate", x[:1], x, one, x, np.array([1, 2]))

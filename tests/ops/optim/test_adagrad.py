"""Adagrad and WNGrad: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, LR, ROWS, TURNS, positive
from tests.sample import Sample, floats, samples


@samples("Adagrad")
def _(rng):
    for args, outputs in (({}, 2), ({"weight_decay": 0.1}, 2), ({"decay": 0.9, "epsilon": 0.1}, 3), ({}, 4)):
        inputs = floats(rng, 2, 3), positive(rng, 2, 3), floats(rng, 2, 3), LR
        yield Sample("Adagrad", inputs, args, outputs=outputs)


@samples("SparseAdagrad", "RowWiseSparseAdagrad")
def _(rng):
    for rows, decay in ((ROWS, 0.0), (AGAIN, 0.1), (ROWS[:0], 0.0)):
        for name, moment in (("SparseAdagrad", (4, 3)), ("RowWiseSparseAdagrad", (4,))):
            inputs = floats(rng, 4, 3), positive(rng, *moment), rows, floats(rng, len(rows), 3), LR
            yield Sample(name, inputs, {"weight_decay": decay}, except_=TURNS)


@samples("Wngrad")
def _(rng):
    for outputs in (2, 4):
        yield Sample("Wngrad", (floats(rng, 2, 3), positive(rng, 1), floats(rng, 2, 3), LR), outputs=outputs)


@samples("SparseWngrad")
def _(rng):
    for rows in (ROWS, AGAIN, ROWS[:0]):
        yield [floats(rng, 4, 3), positive(rng, 1), rows, floats(rng, len(rows), 3), LR], {}


def test_one_kernel_and_several_agree(run):
    rng = np.random.default_rng(0)
    inputs = floats(rng, 50), positive(rng, 50), floats(rng, 50), LR
    fused = run("Adagrad", *inputs, outputs=2, weight_decay=0.2)
    apart = run("Adagrad", *inputs, outputs=4, weight_decay=0.2)
    for a, b in zip(fused, apart):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_row_that_comes_again_is_updated_again(run):
    param, moment, rate = np.zeros((2, 2), np.float32), np.zeros(2, np.float32), np.array([1], np.float32)
    grad = np.array([[1, 1], [2, 2]], np.float32)
    param, moment = run("RowWiseSparseAdagrad", param, moment, np.array([1, 1]), grad, rate, epsilon=0.0)
    assert moment.tolist() == [0, 5]
    np.testing.assert_allclose(param[1], 1 + 2 / np.sqrt(5), rtol=1e-6)


def test_a_row_has_one_moment(run):
    x = np.zeros((4, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="each of the 4 rows"):
        run("RowWiseSparseAdagrad", x, x, np.array([1]), x[:1], LR)
    with pytest.raises(EnforceNotMet, match="decay is 1"):
        run("SparseAdagrad", x, x, np.array([1]), x[:1], LR, decay=0.9)

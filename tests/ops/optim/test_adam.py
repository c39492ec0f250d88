"""Adam: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, ITER, LR, ROWS, TURNS, positive
from tests.sample import Sample, floats, samples


@samples("Adam")
def _(rng):
    for outputs in (3, 4):
        inputs = floats(rng, 2, 3), floats(rng, 2, 3), positive(rng, 2, 3), floats(rng, 2, 3), LR, ITER
        yield Sample("Adam", inputs, {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1}, outputs=outputs)


@samples("SparseAdam", "RowWiseSparseAdam")
def _(rng):
    for rows, args in ((ROWS, {}), (AGAIN, {"enableRAdam": 1}), (ROWS[:0], {})):
        for name, second in (("SparseAdam", (4, 3)), ("RowWiseSparseAdam", (4,))):
            inputs = floats(rng, 4, 3), floats(rng, 4, 3), positive(rng, *second), rows, floats(rng, len(rows), 3)
            yield Sample(name, (*inputs, LR, ITER), args, outputs=4, except_=TURNS)


def test_one_kernel_and_several_agree(run):
    rng = np.random.default_rng(0)
    inputs = floats(rng, 50), floats(rng, 50), positive(rng, 50), floats(rng, 50), LR, ITER
    fused, apart = run("Adam", *inputs, outputs=3, epsilon=0.1), run("Adam", *inputs, outputs=4, epsilon=0.1)
    for a, b in zip(fused, apart):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_rectified_steps_begin_as_plain_momentum(run):
    x, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    step = run("SparseAdam", x, x, x, ROWS[1:], one, LR, np.array([0]), outputs=4, enableRAdam=1)[3]
    assert step == pytest.approx(1)


def test_moments_fit_the_parameter(run):
    x = np.zeros((4, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="moment_2"):
        run("Adam", x, x, x[0], x, LR, ITER, outputs=3)
    with pytest.raises(EnforceNotMet, match="each row of param"):
        run("RowWiseSparseAdam", x, x, x, ROWS, x[:2], LR, ITER, outputs=3)

"""YellowFin: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import positive
from tests.sample import Sample, floats, samples


def state(rng: np.random.Generator, t: int, width: int = 3) -> tuple[np.ndarray, ...]:
    """Param, moment, lr, mu, curv_win, g_avg, g2_avg, scalars_memory, grad and iter."""
    rate, mu = np.array([0.1], np.float32), np.array([0.4], np.float32)
    averages = floats(rng, 4), positive(rng, 4), positive(rng, 5)
    return (floats(rng, 4), floats(rng, 4), rate, mu, positive(rng, width), *averages, floats(rng, 4), np.array([t]))


@samples("YellowFin")
def _(rng):
    why = {"compile": "its ring is indexed by the iteration"}
    for t, args in ((1, {}), (5, {"nesterov": 1, "zero_debias": 0})):
        yield Sample("YellowFin", state(rng, t), {"curv_win_width": 3, "beta": 0.9, **args}, except_=why)


def test_the_first_step_tunes_nothing(run):
    inputs = state(np.random.default_rng(0), 1)
    outputs = run("YellowFin", *inputs, curv_win_width=3)
    assert outputs[2] == inputs[2] and outputs[3] == inputs[3]
    np.testing.assert_allclose(outputs[1], 0.4 * inputs[1] + 0.1 * inputs[8], rtol=1e-6)


def test_the_ring_has_its_width(run):
    with pytest.raises(EnforceNotMet, match="curv_win"):
        run("YellowFin", *state(np.random.default_rng(0), 1, width=2), curv_win_width=3)

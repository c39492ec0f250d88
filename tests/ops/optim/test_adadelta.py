"""Adadelta and RMSProp: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.optim.state import AGAIN, LR, ROWS, TURNS, positive
from tests.sample import Sample, floats, samples


@samples("Adadelta")
def _(rng):
    yield [floats(rng, 2, 3), positive(rng, 2, 3), positive(rng, 2, 3), floats(rng, 2, 3), LR], {"decay": 0.9}


@samples("SparseAdadelta")
def _(rng):
    for rows in (ROWS, AGAIN):
        inputs = floats(rng, 4, 3), positive(rng, 4, 3), positive(rng, 4, 3), rows, floats(rng, len(rows), 3), LR
        yield Sample("SparseAdadelta", inputs, {"decay": 0.9, "epsilon": 0.1}, except_=TURNS)


@samples("RmsProp")
def _(rng):
    yield [floats(rng, 2, 3), positive(rng, 2, 3), floats(rng, 2, 3), LR], {"momentum": 0.9}


@pytest.mark.parametrize("args", [{"decay": 1.0}, {"epsilon": -1.0}])
def test_arguments_stay_in_their_domain(run, args):
    x = np.zeros(2, np.float32)
    with pytest.raises(EnforceNotMet, match="decay between 0 and 1"):
        run("Adadelta", x, x, x, x, LR, **args)

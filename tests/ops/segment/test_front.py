"""The weighted sum over the front: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from tests.sample import Sample, floats, samples


@samples("ReduceFrontWeightedSum")
def _(rng):
    yield [floats(rng, 3, 2), floats(rng, 3)], {}
    yield [floats(rng, 3, 2, 4), floats(rng, 3, 2)], {"num_reduce_dim": 2}
    yield [floats(rng, 0, 2), floats(rng, 0)], {}


@samples("ReduceFrontWeightedSumGradient")
def _(rng):
    why = {law: "the shape is data" for law in ("shape", "compile")}
    inputs = floats(rng, 3), floats(rng, 2), np.array([3, 2])
    yield Sample("ReduceFrontWeightedSumGradient", inputs, except_=why)


def test_weights_are_as_many_as_rows(run):
    with pytest.raises(EnforceNotMet, match="SCALARS have the shape"):
        run("ReduceFrontWeightedSum", np.zeros((3, 2), np.float32), np.zeros(2, np.float32))
    with pytest.raises(NoGradient, match="LENGTHS alone"):
        gradient_ops(Sample("ReduceFrontWeightedSum", (0, 0), {"grad_on_weights": 1}).definition(), ["g"])

"""Adagrad fused with sparse lengths reducers: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, registry
from tests.ops.optim.state import LR, TURNS, positive
from tests.sample import Sample, floats, samples

NAMES = sorted(n for n in registry if "AdagradFusedWith" in n)
LENGTHS = np.array([2, 0, 1], np.int32)


@samples(*NAMES)
def _(rng):
    for name in NAMES:
        moment = positive(rng, 4) if name.startswith("RowWise") else positive(rng, 4, 3)
        for rows in (np.array([2, 0, 1]), np.array([1, 3, 1], np.int32)):
            aux = (floats(rng, 3),) if "Weighted" in name else ()
            inputs = floats(rng, 4, 3), moment, *aux, rows, floats(rng, 3, 3), LR, LENGTHS
            yield Sample(name, inputs, {"weight_decay": 0.1}, except_=TURNS)


@pytest.mark.parametrize("reducer", ["Sum", "Mean"])
@pytest.mark.parametrize("rule", ["SparseAdagrad", "RowWiseSparseAdagrad"])
def test_the_fusion_is_the_rule_on_the_reducers_gradient(run, rule, reducer):
    rng = np.random.default_rng(0)
    param, rows, grad = floats(rng, 4, 3), np.array([2, 0, 2]), floats(rng, 3, 3)
    moment = positive(rng, 4) if rule.startswith("RowWise") else positive(rng, 4, 3)
    each = grad[[0, 0, 2]] / (np.array([[2], [2], [1]], np.float32) if reducer == "Mean" else 1)
    wanted = run(rule, param, moment, rows, each, LR)
    got = run(f"{rule}FusedWithSparseLengths{reducer}Gradient", param, moment, rows, grad, LR, LENGTHS)
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_segments_must_fill_the_indices(run):
    x = np.zeros((4, 3), np.float32)
    with pytest.raises(EnforceNotMet, match="lengths add up to 3, not 2"):
        run("SparseAdagradFusedWithSparseLengthsSumGradient", x, x, np.array([0, 1]), x[:3], LR, LENGTHS)

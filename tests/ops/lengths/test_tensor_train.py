"""Tensor-train tables: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

ARGS = {"factor_i": [2, 3, 2], "factor_j": [1, 2, 2], "ranks": [1, 2, 3, 1], "emb_size": 4}
LENGTHS = np.array([2, 0, 3], np.int32)


def cores(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    i, j, r = ARGS["factor_i"], ARGS["factor_j"], ARGS["ranks"]
    return tuple(floats(rng, i[k], r[k], j[k], r[k + 1]) for k in range(3))


@samples("TTSparseLengthsSum")
def _(rng):
    inputs = *cores(rng), np.array([0, 11, 5, 5, 7]), LENGTHS
    yield Sample("TTSparseLengthsSum", inputs, ARGS, except_={"gradient": "what it keeps has no gradient"})


@samples("TTSparseLengthsSumGradient")
def _(rng):
    kept = floats(rng, 5, 1, 2), floats(rng, 5, 2, 3), np.array([[0, 0, 0], [1, 2, 1], [1, 2, 0], [1, 2, 0], [1, 0, 1]])
    yield [*cores(rng), LENGTHS, *kept, floats(rng, 3, 4)], {}


def test_rows_are_products_of_slices(run):
    a, b, c = cores(np.random.default_rng(0))
    table = np.einsum("xapb,ybqc,zcrd->zyxpqr", a, b, c).reshape(12, 4)
    index = np.array([0, 11, 5, 5, 7])
    pooled = run("TTSparseLengthsSum", a, b, c, index, LENGTHS, **ARGS)[0]
    wanted = [table[index[:2]].sum(0), np.zeros(4), table[index[2:]].sum(0)]
    np.testing.assert_allclose(pooled, wanted, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_products(run):
    rng = np.random.default_rng(1)
    a, b, c = cores(rng)
    index, dy = np.array([0, 11, 5, 5, 7]), floats(rng, 3, 4)
    _, first, second, split = run("TTSparseLengthsSum", a, b, c, index, LENGTHS, **ARGS)
    got = run("TTSparseLengthsSumGradient", a, b, c, LENGTHS, first, second, split, dy)
    for k, core in enumerate((a, b, c)):
        moved = [x.astype(np.float64) for x in (a, b, c)]
        at = tuple(s - 1 for s in core.shape)
        loss = []
        for step in (0.5, -1.0):
            moved[k][at] += step
            table = np.einsum("xapb,ybqc,zcrd->zyxpqr", *moved).reshape(12, 4)
            loss.append((table[index] * dy[[0, 0, 2, 2, 2]]).sum())
        assert got[k][at] == pytest.approx(loss[0] - loss[1], rel=1e-3, abs=1e-4)


def test_factors_must_fit(run):
    with pytest.raises(EnforceNotMet, match="three factor_i"):
        run(
            "TTSparseLengthsSum", *cores(np.random.default_rng(0)), np.array([0]), LENGTHS[:1], **ARGS | {"emb_size": 5}
        )
    with pytest.raises(EnforceNotMet, match="index holds 12"):
        one = np.array([1], np.int32)
        run("TTSparseLengthsSum", *cores(np.random.default_rng(0)), np.array([12]), one, **ARGS)

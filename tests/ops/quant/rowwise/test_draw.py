"""Rows quantized at random: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples

NEAREST = {"random": 0}
X = np.array([[0.3, -1.4, -0.6, 0.9, 1.0]], np.float32)


@samples("FloatToFusedRandRowwiseQuantized")
def _(rng):
    yield [floats(rng, 3, 5)], {}
    for bitwidth in (1, 2, 4, 8):
        yield [floats(rng, 2, 11)], NEAREST | {"bitwidth": bitwidth}
    yield [floats(rng, 0, 4)], NEAREST


@samples("FusedRandRowwiseQuantizedToFloat")
def _(rng):
    for bits, tail in ((1, 3), (2, 1), (4, 1), (8, 0)):
        rows = rng.integers(0, 256, (2, 4), np.uint8)
        ends = np.array([[-1, 2], [0, 0]], np.float32).view(np.uint8)
        yield [np.concatenate([np.array([[bits, tail]] * 2, np.uint8), ends, rows], 1)], {}


def test_numbers_are_dealt_out_segment_by_segment(run):
    row = run("FloatToFusedRandRowwiseQuantized", X, bitwidth=2, **NEAREST)[0]
    assert row[:2].tolist() == [2, 3] and row[2:10].tobytes() == X[0, [1, 4]].tobytes()
    assert row[10:].tolist() == [2 + (1 << 2) + (3 << 4), 0 + (3 << 2)]


@pytest.mark.parametrize("bitwidth", [1, 2, 4, 8])
def test_there_and_back(run, bitwidth):
    x = np.random.default_rng(0).standard_normal((4, 13)).astype(np.float32)
    steps = (x.max(1) - x.min(1)) / (2**bitwidth - 1)
    for args, share in ((NEAREST, 0.5), ({}, 1)):
        packed = run("FloatToFusedRandRowwiseQuantized", x, bitwidth=bitwidth, **args)
        back = run("FusedRandRowwiseQuantizedToFloat", packed)
        assert (abs(back - x).max(1) <= share * steps * 1.001).all()


def test_draws_are_right_in_the_mean(run):
    x = np.tile(X, (4000, 1))
    back = run("FusedRandRowwiseQuantizedToFloat", run("FloatToFusedRandRowwiseQuantized", x, bitwidth=2))
    assert np.allclose(back.mean(0), X[0], atol=0.05) and len(np.unique(back[:, 0])) == 2


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(EnforceNotMet, match="not 3"):
        run("FloatToFusedRandRowwiseQuantized", X, bitwidth=3)
    with pytest.raises(EnforceNotMet, match="at least 10 bytes"):
        run("FusedRandRowwiseQuantizedToFloat", np.zeros((1, 9), np.uint8))
    with pytest.raises(EnforceNotMet, match="bit width and tail, not 3 and 0"):
        run("FusedRandRowwiseQuantizedToFloat", np.array([[3, *[0] * 10]], np.uint8))

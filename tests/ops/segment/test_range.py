"""Reductions of ranges: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.segment.range import FORWARD
from tests.sample import floats, samples

IDS = np.array([0, 0, 1, 2, 2], np.int32)


@samples(*[f"SortedSegmentRange{r}" for r in FORWARD])
def _(rng):
    yield [floats(rng, 5, 2, 3), IDS], {}
    yield [floats(rng, 5), IDS], {}
    yield [floats(rng, 0, 2), IDS[:0]], {}


@samples(*[f"SortedSegmentRange{r}Gradient" for r in FORWARD])
def _(rng):
    yield [floats(rng, 5, 2), floats(rng, 3, 2), floats(rng, 3, 2), IDS], {}


def test_large_exponents_stay_finite(run):
    x = np.array([1000, 1000, -1000], np.float32)
    ids = np.array([0, 0, 1], np.int32)
    np.testing.assert_allclose(run("SortedSegmentRangeLogSumExp", x, ids), [1000 + np.log(2), -1000], rtol=1e-6)
    np.testing.assert_allclose(run("SortedSegmentRangeLogMeanExp", x, ids), [1000, -1000], rtol=1e-6)


def test_segments_have_no_gap(run):
    with pytest.raises(EnforceNotMet, match="grow by 0 or 1"):
        run("SortedSegmentRangeSum", np.zeros(2, np.float32), np.array([0, 2], np.int32))

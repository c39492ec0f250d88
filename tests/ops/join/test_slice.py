"""Slices: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

OPEN = {law: "the bounds are data" for law in ("shape", "compile")}


@samples("Slice")
def _(rng):
    yield [floats(rng, 4, 5)], {"starts": [1], "ends": [3]}
    yield [floats(rng, 4, 5)], {"starts": [0, -3], "ends": [-1, 9]}
    yield [floats(rng, 4, 5)], {"starts": [1, 2], "ends": [3, 2]}
    yield [floats(rng, 0, 5)], {"starts": [1, 2], "ends": [3, 4]}
    yield Sample("Slice", (floats(rng, 4, 5), np.array([0, 1]), np.array([-1, -2])), except_=OPEN)


@samples("SliceGradient")
def _(rng):
    x, bounds = floats(rng, 4, 5), (np.array([1], np.int32), np.array([-2], np.int32))
    yield Sample("SliceGradient", (x, floats(rng, 2, 5)), {"starts": [1], "ends": [3]})
    yield Sample("SliceGradient", (x, *bounds, floats(rng, 2, 5)), except_=OPEN)


@pytest.mark.parametrize("starts, ends", [([3], [1]), ([0, 0, 0], [1, 1, 1]), ([0], []), ([-9], [1])])
def test_bounds_that_do_not_fit_are_refused(run, starts, ends):
    with pytest.raises(EnforceNotMet):
        run("Slice", np.zeros((4, 5), np.float32), np.array(starts), np.array(ends))


def test_bounds_are_needed(run):
    with pytest.raises(EnforceNotMet, match="starts and ends"):
        run("Slice", np.zeros((4, 5), np.float32), starts=[1])


def test_strings_are_sliced(run):
    assert run("Slice", np.array([b"a", b"b", b"c"], object), starts=[1], ends=[-1]).tolist() == [b"b", b"c"]

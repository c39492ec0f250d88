"""Ranges: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import samples


@samples("Range")
def _(rng):
    yield [np.int32(5)], {}
    yield [np.float32(1), np.float32(4)], {}
    yield [np.array([7]), np.array([0]), np.array([-2])], {}


def test_bounds(run):
    assert run("Range", np.float32(0), np.float32(1), np.float32(0.3)).tolist() == pytest.approx([0, 0.3, 0.6, 0.9])
    assert run("Range", np.int64(3), np.int64(8), np.int64(2)).tolist() == [3, 5, 7]
    assert run("Range", np.int64(0), np.int64(-5), np.int64(-2)).tolist() == [0, -2]
    assert run("Range", np.int32(3), np.int32(3)).tolist() == []
    with pytest.raises(EnforceNotMet, match="Step"):
        run("Range", np.int32(0), np.int32(3), np.int32(0))

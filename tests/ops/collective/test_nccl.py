"""Collectives over the devices of one process."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("NCCLAllreduce", "NCCLBroadcast", "NCCLReduce", "NCCLAllGather", "NCCLReduceScatter")
def _(rng):
    for name in ("NCCLAllreduce", "NCCLBroadcast", "NCCLAllGather"):
        yield Sample(name, (floats(rng, 2, 3), floats(rng, 2, 3), floats(rng, 2, 3)), outputs=3)
        yield Sample(name, (floats(rng, 4),), outputs=1)
    yield Sample("NCCLBroadcast", (floats(rng, 2), floats(rng, 2)), {"root": 1}, outputs=2)
    yield Sample("NCCLReduce", (floats(rng, 2, 3), floats(rng, 2, 3)), {"root": 1})
    yield Sample("NCCLReduce", (floats(rng, 0),))
    yield Sample("NCCLReduceScatter", (floats(rng, 2, 3), floats(rng, 2, 3)), outputs=2)


def test_what_each_gives(run):
    a, b = np.array([[1.0, 2], [3, 4]], np.float32), np.array([[10.0, 20], [30, 40]], np.float32)
    for y in run("NCCLAllreduce", a, b, outputs=2):
        np.testing.assert_array_equal(y, a + b)
    for y in run("NCCLBroadcast", a, b, outputs=2, root=1):
        np.testing.assert_array_equal(y, b)
    for y in run("NCCLAllGather", a, b, outputs=2):
        np.testing.assert_array_equal(y, np.stack([a, b]))
    np.testing.assert_array_equal(run("NCCLReduce", a, b), a + b)
    np.testing.assert_array_equal(run("NCCLReduceScatter", a, b, outputs=2), a + b)


def test_refusals(run):
    a, b = np.ones((2, 2), np.float32), np.ones((3, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="one shape"):
        run("NCCLAllreduce", a, b, outputs=2)
    with pytest.raises(EnforceNotMet, match="root is 2"):
        run("NCCLBroadcast", a, a, outputs=2, root=2)
    with pytest.raises(EnforceNotMet, match="as many rows"):
        run("NCCLReduceScatter", b, b, outputs=2)
    with pytest.raises(EnforceNotMet, match="takes no 2 inputs with 1"):
        run("NCCLAllGather", a, a, outputs=1)

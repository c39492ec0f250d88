"""Reductions of the first or last dimensions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.ops.reduce.test_axes import spaced
from tests.sample import Sample, floats, samples

EVERY = [f"Reduce{place}{kind}" for place in ("Front", "Back") for kind in ("Sum", "Mean", "Max")]
LENGTHS = np.array([2, 1, 3], np.int32)


def small(name, shape, count):
    return shape[count:] if "Front" in name else shape[: len(shape) - count]


def matrix(name):
    """A shape that LENGTHS go with: three results of up to three elements and one more."""
    return (4, 3) if "Front" in name else (3, 4)


@samples(*EVERY)
def _(rng):
    yield [spaced(rng, 3, 2, 4)], {}
    yield [spaced(rng, 3, 2, 4)], {"num_reduce_dim": 2}
    for name in EVERY:
        yield Sample(name, (spaced(rng, *matrix(name)), LENGTHS))


for _name in EVERY:

    @samples(f"{_name}Gradient")
    def _(rng, name=_name):
        most = "Max" in name
        for count in (1, 2):
            x, dy = floats(rng, 3, 2, 4), floats(rng, *small(name, (3, 2, 4), count))
            yield [dy, x, dy] if most else [dy, x], {"num_reduce_dim": count}
        x, dy = floats(rng, *matrix(name)), floats(rng, 3)
        yield [dy, x, dy, LENGTHS] if most else [dy, x, LENGTHS], {}


def test_lengths_say_how_many_count(run):
    x = np.array([[1, 5, 2, 9], [4, 1, 8, 2], [2, 7, 0, 3]], np.float32)
    columns, rows = np.array([2, 3, 1, 2], np.int32), np.array([2, 3, 1], np.int32)
    assert run("ReduceFrontMax", x, columns).tolist() == [4, 7, 2, 9]
    assert run("ReduceFrontSum", x, columns).tolist() == [5, 13, 2, 11]
    assert run("ReduceBackMean", x, rows).tolist() == [3, pytest.approx(13 / 3), 2]


def test_a_shape_stands_for_x_in_the_gradient(run):
    dx = run("ReduceFrontSumGradient", np.arange(2, dtype=np.float32), np.array([3, 2]))
    assert dx.tolist() == [[0, 1]] * 3


def test_lengths_must_fit(run):
    x = np.ones((2, 3), np.float32)
    for lengths in ([1, 1], [3, 1, 1], [-1, 1, 1]):
        with pytest.raises(EnforceNotMet, match="lengths"):
            run("ReduceFrontSum", x, np.array(lengths, np.int32))
    with pytest.raises(EnforceNotMet, match="num_reduce_dim"):
        run("ReduceFrontSum", x, num_reduce_dim=3)
    with pytest.raises(EnforceNotMet, match="shape"):
        run("ReduceFrontSumGradient", np.ones(1, np.float32), x)

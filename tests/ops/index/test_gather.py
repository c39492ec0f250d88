"""Gathering: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, NoGradient, gradient_ops
from tests.sample import Sample, floats, samples


def ints(*values, kind: type = np.int64) -> np.ndarray:
    return np.array(values, kind)


@samples("Gather")
def _(rng):
    yield [floats(rng, 4, 3), ints(2, 0, 2)], {}
    yield [floats(rng, 4, 3), ints([1, 3], [0, 0], kind=np.int32)], {}
    yield [floats(rng, 4), ints(3, 0)], {"dense_gradient": 1}
    yield [floats(rng, 2, 4, 3), ints([1, 3], [0, 0])], {"axis": 1}
    yield [floats(rng, 2, 4, 3), ints(2, 2)], {"axis": -1}
    yield [floats(rng, 2, 4, 3), ints([1, 3, 3], [0, 2, 0])], {"axis": 1, "match_outer": 1}
    yield [floats(rng, 4, 3), ints()], {}


@samples("BatchGather")
def _(rng):
    yield [floats(rng, 2, 4, 3), ints([1, 3], [0, 0], kind=np.int32)], {}
    yield [floats(rng, 2, 4), ints([1, 3, 3], [0, 2, 0])], {"match_outer": 1}


@samples("BatchGatherGradient")
def _(rng):
    yield [floats(rng, 2, 4, 3), ints(1, 1), floats(rng, 2, 2, 3)], {}
    yield [floats(rng, 2, 4), ints([1, 1], [0, 3]), floats(rng, 2, 2)], {"match_outer": 1}
    yield [floats(rng, 0, 4), ints(1, 1), floats(rng, 0, 2)], {}


@pytest.mark.parametrize("index", [-5, 4])
def test_an_index_out_of_range_is_named(run, index):
    with pytest.raises(EnforceNotMet, match=str(index)):
        run("Gather", np.zeros((4, 2), np.float32), ints(0, index))
    with pytest.raises(EnforceNotMet, match=str(index)):
        run("Gather", np.array([b"a"] * 4, object), ints(0, index))


def test_indices_wrap_along_the_first_axis_alone(run):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run("Gather", x, ints(-1)).tolist() == [[3, 4, 5]]
    assert run("Gather", x, ints(-1), axis=1, wrap_indices=1).tolist() == [[2], [5]]
    for name, args in (("Gather", {"axis": 1}), ("BatchGather", {}), ("Gather", {"wrap_indices": 0})):
        with pytest.raises(EnforceNotMet, match="holds -1"):
            run(name, x, ints(-1), **args)


def test_nothing_to_gather_from_gives_nothing(run):
    assert run("Gather", np.zeros((0, 3), np.float32), ints(1, 2)).shape == (0, 3)
    assert run("Gather", np.zeros((0, 3), np.float32), ints(-1, 2), axis=1, wrap_indices=1).shape == (0, 2)


def test_strings_are_gathered(run):
    assert run("Gather", np.array([b"a", b"b"], object), ints([1, 0], [-1, 1])).tolist() == [[b"b", b"a"], [b"b", b"b"]]


def test_the_gradient_is_sparse_along_the_first_axis():
    op = Sample("Gather", (0, 0)).definition()
    assert gradient_ops(op, ["g"]) == ([], [("i1", "g"), None])
    op = Sample("Gather", (0, 0), {"axis": 1, "dense_gradient": 0}).definition()
    with pytest.raises(NoGradient, match="axis 0"):
        gradient_ops(op, ["g"])


def test_a_sparse_gradient_is_not_gathered_again():
    with pytest.raises(NoGradient, match="one is sparse"):
        gradient_ops(Sample("Gather", (0, 0)).definition(), [("rows", "g")])

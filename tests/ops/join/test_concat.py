"""Concatenation and splits: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops
from tests.sample import Sample, floats, samples

OPEN = {law: "the sizes are data" for law in ("shape", "compile")}


def sizes(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@samples("Concat", "DepthConcat")
def _(rng):
    yield [floats(rng, 2, 1, 3), floats(rng, 2, 4, 3)], {}
    yield [floats(rng, 2, 3), floats(rng, 0, 3), floats(rng, 1, 3)], {"axis": -2}
    yield [floats(rng, 1, 2, 2, 3), floats(rng, 1, 2, 2, 1)], {"order": "NHWC"}
    yield [floats(rng, 2, 3), floats(rng, 2, 3)], {"axis": 1, "add_axis": 1}
    yield [floats(rng, 2, 3)], {"axis": 0}


@samples("Split", "DepthSplit")
def _(rng):
    for name in ("Split", "DepthSplit"):
        yield Sample(name, (floats(rng, 2, 6, 3),), outputs=3)
        yield Sample(name, (floats(rng, 5, 2),), {"axis": 0, "split": [2, 0, 3]}, outputs=3)
        yield Sample(name, (floats(rng, 1, 2, 2, 4),), {"order": "NHWC"}, outputs=2)
        yield Sample(name, (floats(rng, 5, 2), sizes(4, 1)), {"axis": -2}, outputs=2, except_=OPEN)
    yield Sample("Split", (floats(rng, 2, 3),), {"axis": 1, "add_axis": 1}, outputs=3)


@samples("SplitByLengths")
def _(rng):
    for x, lengths, args, count in (
        (floats(rng, 6, 2), sizes(1, 2, 0, 3), {"axis": 0}, 2),
        (floats(rng, 2, 6), sizes(1, 2), {"axis": 1, "use_scaling_lengths": 1}, 2),
        (floats(rng, 0, 2), sizes(), {"axis": 0, "use_scaling_lengths": 1}, 2),
    ):
        yield Sample("SplitByLengths", (x, lengths), args, outputs=count, except_=OPEN)


def test_strings_are_joined_and_split(run):
    a, b = np.array([b"a", b"b"], object), np.array([b"c"], object)
    assert run("Concat", a, b, axis=0)[0].tolist() == [b"a", b"b", b"c"]
    assert [x.tolist() for x in run("Split", a, outputs=2, axis=0)] == [[b"a"], [b"b"]]


@pytest.mark.parametrize(
    "a, b, args",
    [
        (np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float64), {"axis": 0}),
        (np.zeros((2, 3), np.float32), np.zeros((0,), np.float32), {"axis": 0}),
        (np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32), {"axis": 0}),
        (np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32), {"axis": 0, "add_axis": 1}),
        (np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), {"axis": 2}),
        (np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), {"axis": 1, "order": "NCHW"}),
        (np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), {"order": "NCWH"}),
    ],
)
def test_what_does_not_fit_is_refused(run, a, b, args):
    with pytest.raises(EnforceNotMet):
        run("Concat", a, b, **args)


@pytest.mark.parametrize("split", [(), (2, 2), (1, 1, 4), (-1, 3, 3)])
def test_sizes_must_add_up(run, split):
    with pytest.raises(EnforceNotMet, match="does not split"):
        run("Split", np.zeros((5, 1), np.float32), outputs=3, axis=0, split=split)


def test_a_part_that_nothing_depends_on_has_zeros_for_gradient():
    op = Sample("Split", (np.zeros(4, np.float32),), {"axis": 0}, outputs=2).definition()
    made, grads = gradient_ops(op, ["g", None])
    assert [m.type for m in made] == ["ConstantFill", "Concat"]
    assert list(made[1].input) == ["g", "o1_grad"] and grads == ["i0_grad"]
    assert gradient_ops(op, [None, None]) == ([], [None])

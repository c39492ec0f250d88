"""Reshaping: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops
from tests.sample import Sample, floats, samples

OPEN = {law: "the new shape is data" for law in ("shape", "compile")}


@samples("Reshape")
def _(rng):
    yield [floats(rng, 2, 6)], {"shape": [3, -1]}
    yield [floats(rng, 2, 3, 2)], {"shape": [0, -1]}
    yield [floats(rng, 0, 3)], {"shape": [3, -1, 2]}
    yield [floats(rng, 1)], {"shape": ()}
    yield Sample("Reshape", (floats(rng, 2, 6), np.array([4, 3])), except_=OPEN)
    yield Sample("Reshape", (floats(rng, 2, 6), np.array([12], np.int32)), except_=OPEN)


@samples("Flatten")
def _(rng):
    yield [floats(rng, 2, 3, 4)], {}
    yield [floats(rng, 2, 3)], {"axis": 0}
    yield [floats(rng, 2, 0, 3)], {"axis": 3}


@samples("FlattenToVec")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [np.zeros((2, 0), np.float32)], {}


@samples("ResizeLike")
def _(rng):
    yield [floats(rng, 2, 6), floats(rng, 3, 4)], {}
    yield [floats(rng, 0, 3), np.zeros((5, 0), np.int64)], {}


@samples("Squeeze")
def _(rng):
    yield [floats(rng, 1, 3, 1)], {"dims": [0, 2, 2]}
    yield [floats(rng, 1)], {"dims": [0]}


@samples("ExpandDims")
def _(rng):
    yield [floats(rng, 3, 2)], {"dims": [3, 0]}
    yield [floats(rng, 0)], {"dims": [1]}


@samples("PrependDim")
def _(rng):
    yield [floats(rng, 4, 3)], {"dim_size": 2}
    yield [floats(rng, 0)], {"dim_size": 3}


@samples("MergeDim")
def _(rng):
    yield [floats(rng, 4, 3, 2)], {}
    yield [floats(rng, 0, 3)], {}


@pytest.mark.parametrize("shape", [[5, -1], [7], [-1, -1], [-2, 6], [3, 0, 0]])
def test_a_shape_of_other_size_is_refused(run, shape):
    with pytest.raises(EnforceNotMet, match="shape"):
        run("Reshape", np.zeros((3, 4), np.float32), shape=shape)


def test_reshape_takes_its_shape_from_one_place(run):
    with pytest.raises(EnforceNotMet, match="neither"):
        run("Reshape", np.zeros(4, np.float32))
    with pytest.raises(EnforceNotMet, match="both"):
        run("Reshape", np.zeros(4, np.float32), np.array([2, 2]), shape=[2, 2])


def test_old_shape_has_the_type_of_the_new(run):
    _, old = run("Reshape", np.zeros((2, 3), np.float32), np.array([6], np.int32))
    assert old.dtype == np.int32 and old.tolist() == [2, 3]


def test_strings_have_shapes_too(run):
    words = np.array([[b"a", b"b"], [b"c", b"d"]], object)
    assert run("FlattenToVec", words).tolist() == [b"a", b"b", b"c", b"d"]
    assert run("Reshape", words, shape=[4, 1])[0].shape == (4, 1)


@pytest.mark.parametrize("name, args", [("Squeeze", {"dims": [1]}), ("ExpandDims", {"dims": [4]}), ("ExpandDims", {})])
def test_dims_are_checked(run, name, args):
    with pytest.raises(EnforceNotMet, match="dims"):
        run(name, np.zeros((1, 2), np.float32), **args)


def test_prepend_divides(run):
    with pytest.raises(EnforceNotMet, match="multiple"):
        run("PrependDim", np.zeros((5, 2), np.float32), dim_size=2)


def test_what_merges_dimensions_takes_no_arguments():
    (op,), _ = gradient_ops(Sample("PrependDim", (0,), {"dim_size": 2}).definition(), ["g"])
    assert op.type == "MergeDim" and not op.arg

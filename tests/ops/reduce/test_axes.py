"""Reductions over chosen dimensions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples

KINDS = ("Sum", "Mean", "Max", "Min", "L1", "L2")
FORMS = (
    ((2, 3), {}),
    ((2, 3, 4), {"axes": [1]}),
    ((2, 3, 4), {"axes": [2, 0], "keepdims": 0}),
    ((2, 3), {"axes": [-1], "keepdims": 0}),
)


def spaced(rng, *shape):
    """Numbers in random order, no two of them close, so that an extreme stays one when it is moved."""
    return (rng.permutation(int(np.prod(shape))).reshape(shape) + 0.5).astype(np.float32) - 3


def gone(shape, args):
    axes = [a % len(shape) for a in args.get("axes", range(len(shape)))]
    keep = args.get("keepdims", 1)
    return [1 if k in axes else n for k, n in enumerate(shape) if keep or k not in axes]


@samples(*(f"Reduce{kind}" for kind in KINDS))
def _(rng):
    for shape, args in FORMS:
        yield [spaced(rng, *shape)], args


@samples(*(f"Reduce{kind}Gradient" for kind in KINDS))
def _(rng):
    for shape, args in FORMS:
        yield [floats(rng, *gone(shape, args)), floats(rng, *shape), floats(rng, *gone(shape, args))], args


@samples("Moments")
def _(rng):
    for shape, args in FORMS:
        yield [floats(rng, *shape)], args


@samples("MomentsGradient")
def _(rng):
    for shape, args in FORMS:
        small = gone(shape, args)
        yield [floats(rng, *small), floats(rng, *small), floats(rng, *shape), floats(rng, *small)], args


def test_reductions_of_nothing(run):
    nothing = np.zeros((0, 2), np.float32)
    assert run("ReduceMean", nothing, axes=[0], keepdims=0).tolist() == [0, 0]
    assert run("ReduceMax", nothing, axes=[0], keepdims=0).tolist() == [np.finfo(np.float32).min] * 2
    assert run("ReduceMin", nothing.astype(np.int32)).item() == np.iinfo(np.int32).max


def test_sums_keep_their_element_type(run):
    assert run("ReduceSum", np.ones((2, 3), np.int32)).dtype == np.int32


@pytest.mark.parametrize("axes", [[2], [-3], [0, 0]])
def test_dimensions_must_exist(run, axes):
    with pytest.raises(EnforceNotMet, match="axes"):
        run("ReduceSum", np.ones((2, 3), np.float32), axes=axes)


def test_the_gradient_of_a_norm_of_zero_is_that_of_the_norm(run):
    x, y, dy = np.array([[0, 0], [3, 4]], np.float32), np.array([0, 5], np.float32), np.array([5, 10], np.float32)
    np.testing.assert_allclose(run("ReduceL2Gradient", dy, x, y, axes=[1], keepdims=0), [[5, 5], [6, 8]])

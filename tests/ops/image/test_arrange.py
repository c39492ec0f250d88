"""Padding and rearranging of images: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

SIDES = {"pad_t": 1, "pad_l": 0, "pad_b": 2, "pad_r": 3}


@samples("PadImage")
def _(rng):
    for mode in ("constant", "reflect", "edge"):
        for order in ("NCHW", "NHWC"):
            yield [floats(rng, 2, 4, 5, 4)], {"mode": mode, "order": order, "value": 2.0, **SIDES}
    yield [floats(rng, 1, 1, 4, 4)], {"pad": -1}
    yield [floats(rng, 0, 2, 3, 3)], {"pads": [1, 0, 0, 1]}


@samples("PadImageGradient")
def _(rng):
    for mode in ("constant", "reflect", "edge"):
        for order in ("NCHW", "NHWC"):
            yield [floats(rng, 2, 7, 8, 7)], {"mode": mode, "order": order, **SIDES}


@samples("NCHW2NHWC", "NHWC2NCHW")
def _(rng):
    yield [floats(rng, 2, 3, 4)], {}
    yield [floats(rng, 2, 3, 1, 2, 4)], {}
    yield [floats(rng, 0, 3, 2)], {}


@samples("ChannelShuffle", "ChannelShuffleGradient")
def _(rng):
    yield [floats(rng, 2, 6, 2)], {"group": 3}
    yield [floats(rng, 2, 2, 2, 6)], {"group": 2, "order": "NHWC"}
    yield [floats(rng, 1, 4)], {}


@samples("SpaceToBatch")
def _(rng):
    yield [floats(rng, 2, 3, 4, 6)], {}
    yield [floats(rng, 1, 2, 4, 4)], {"block_size": 3, "pad": 1}
    yield Sample("SpaceToBatch", (floats(rng, 1, 2, 3, 4),), {"pad_t": 1})


@samples("BatchToSpace")
def _(rng):
    yield [floats(rng, 8, 3, 2, 3)], {}
    yield [floats(rng, 9, 2, 2, 2)], {"block_size": 3, "pad": 1}


@samples("BatchPermutation")
def _(rng):
    yield [floats(rng, 4, 2), np.array([2, 0, 3, 1], np.int32)], {}
    yield [floats(rng, 0, 2), np.zeros(0, np.int32)], {}


@samples("BatchPermutationGradient")
def _(rng):
    yield [np.array([2, 0, 3, 1], np.int32), floats(rng, 4, 2)], {}


@samples("IntegralImage")
def _(rng):
    kept = {"gradient": "the original's gradient operator, kept as it is, is not the transpose"}
    yield Sample("IntegralImage", (floats(rng, 2, 1, 3, 4),), except_=kept)
    yield Sample("IntegralImage", (floats(rng, 1, 1, 0, 4),), except_=kept)


@samples("IntegralImageGradient")
def _(rng):
    yield [floats(rng, 2, 1, 3, 4), floats(rng, 2, 1, 4, 5)], {}


def test_padding_modes(run):
    x = np.arange(3, dtype=np.float32).reshape(1, 1, 1, 3)
    side = {"pad_t": 0, "pad_l": 2, "pad_b": 0, "pad_r": 1}
    assert run("PadImage", x, mode="reflect", **side).ravel().tolist() == [2, 1, 0, 1, 2, 1]
    assert run("PadImage", x, mode="edge", **side).ravel().tolist() == [0, 0, 0, 1, 2, 2]
    assert run("PadImage", x, value=9.0, **side).ravel().tolist() == [9, 9, 0, 1, 2, 9]


def test_space_to_batch_is_undone(run):
    x = np.random.default_rng(2).random((2, 3, 4, 4), np.float32)
    assert np.array_equal(run("BatchToSpace", run("SpaceToBatch", x, pad=1), pad=1), x)


def test_a_shuffle_of_two_by_three(run):
    x = np.arange(6, dtype=np.float32).reshape(1, 6)
    y = run("ChannelShuffle", x, group=2)
    assert y.ravel().tolist() == [0, 3, 1, 4, 2, 5]
    assert np.array_equal(run("ChannelShuffleGradient", y, group=2), x)


def test_an_integral_image_gives_the_sum_of_any_rectangle(run):
    x = np.random.default_rng(2).random((1, 1, 5, 6), np.float32)
    s = run("IntegralImage", x)[0, 0]
    assert s[4, 5] - s[1, 5] - s[4, 2] + s[1, 2] == pytest.approx(x[0, 0, 1:4, 2:5].sum(), rel=1e-5)


@pytest.mark.parametrize(
    "name, shape, args",
    [
        ("PadImage", (1, 1, 2, 2), {"mode": "mirror"}),
        ("PadImage", (1, 1, 2, 2), {"mode": "edge", "pad": -1}),
        ("PadImage", (1, 2, 2), {"pad": 1}),
        ("NCHW2NHWC", (2, 3), {}),
        ("ChannelShuffle", (1, 6), {"group": 4}),
        ("SpaceToBatch", (1, 1, 3, 4), {}),
        ("SpaceToBatch", (1, 4, 4, 1), {"order": "NHWC"}),
        ("BatchToSpace", (3, 1, 2, 2), {}),
        ("IntegralImage", (3, 3), {}),
    ],
)
def test_what_does_not_fit_is_refused(run, name, shape, args):
    with pytest.raises(EnforceNotMet):
        run(name, np.ones(shape, np.float32), **args)


@pytest.mark.parametrize("indices", [[0, 1], [0, 1, 3], [0, 1, -1]])
def test_indices_that_do_not_fit_are_refused(run, indices):
    with pytest.raises(EnforceNotMet):
        run("BatchPermutation", np.ones((3, 2), np.float32), np.array(indices, np.int32))


def test_blocks_of_nothing(run):
    assert run("BatchToSpace", np.zeros((4, 0, 2, 2), np.float32), block_size=2).shape == (1, 0, 4, 4)
    assert run("SpaceToBatch", np.zeros((1, 3, 0, 2), np.float32), block_size=2).shape == (4, 3, 0, 1)

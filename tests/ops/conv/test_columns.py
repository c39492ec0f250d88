"""Columns, locally connected layers and deformable convolution: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

WINDOWS = (
    {"kernel": 3, "stride": 2, "pad": 1},
    {"kernel_h": 2, "kernel_w": 3, "dilation_h": 2, "dilation_w": 1},
    {"kernel": 2, "order": "NHWC"},
)


def made(name, inputs, args):
    sample = Sample(name, inputs, args)
    workspace = sample.workspace()
    workspace.run_operator_once(sample.definition())
    return workspace.fetch("o0")


@samples("Im2Col", "Col2Im")
def _(rng):
    for args in WINDOWS:
        x = floats(rng, 2, 5, 6, 5)
        yield Sample("Im2Col", (x,), args)
        yield Sample("Col2Im", (floats(rng, *made("Im2Col", (x,), args).shape), x), args)
    yield Sample("Im2Col", (floats(rng, 1, 1, 3, 3),), {"kernel": 2})
    yield Sample("Col2Im", (floats(rng, 1, 4, 2, 2), floats(rng, 1, 1, 3, 3)), {"kernel": 2})


LOCAL = (
    ("LC", (2, 3, 4, 4), (3, 3, 2, 3, 2, 2), {"kernel": 2}),
    ("LC2D", (2, 4, 4, 4), (2, 2, 2, 2, 3, 3), {"kernel": 3, "stride": 2, "pad": 1, "group": 2}),
    ("LC2D", (2, 4, 4, 3), (3, 3, 2, 2, 2, 3), {"kernel": 2, "order": "NHWC"}),
    ("LC1D", (2, 3, 5), (3, 2, 3, 3), {"kernels": [3]}),
    *((name, (1, 1, 3, 3), (2, 2, 1, 1, 2, 2), {"kernel": 2}) for name in ("LC", "LC2D")),
    ("LC3D", (1, 2, 3, 3, 2), (2, 2, 2, 3, 2, 2, 2, 1), {"kernels": [2, 2, 1]}),
)
NAMES = ("LC", "LC1D", "LC2D", "LC3D")


@samples(*NAMES)
def _(rng):
    for name, x, w, args in LOCAL:
        axes = len(x) - 2
        yield Sample(name, (floats(rng, *x), floats(rng, *w), floats(rng, *w[: axes + 1])), args)
        yield Sample(name, (floats(rng, *x), floats(rng, *w)), args)


@samples(*(f"{n}Gradient" for n in NAMES))
def _(rng):
    for name, x, w, args in LOCAL:
        inputs = (floats(rng, *x), floats(rng, *w))
        dy = floats(rng, *made(name, inputs, args).shape)
        for outputs, no_bias in ((3, 0), (2, 0), (2, 1), (1, 1)):
            yield Sample(f"{name}Gradient", (*inputs, dy), args | {"no_bias": no_bias}, outputs)


DEFORM = (
    ((2, 3, 5, 5), (2, 3, 3, 3), {"kernel": 3, "pad": 1, "stride": 2}),
    ((1, 4, 5, 4), (2, 2, 2, 2), {"kernel": 2, "group": 2, "deformable_group": 2, "dilation": 2}),
)


def deformed(rng):
    """Inputs of a deformable convolution whose offsets stay clear of whole numbers, where the slopes jump."""
    for x, w, args in DEFORM:
        y = made("Conv", (floats(rng, *x), floats(rng, *w)), {k: v for k, v in args.items() if k != "deformable_group"})
        shape = (x[0], 2 * args["kernel"] ** 2 * args.get("deformable_group", 1), *y.shape[2:])
        offset = rng.integers(-2, 3, shape) + rng.uniform(0.2, 0.8, shape)
        yield floats(rng, *x), offset.astype(np.float32), floats(rng, *w), y, args


@samples("DeformConv")
def _(rng):
    for x, offset, w, _, args in deformed(rng):
        yield [x, offset, w], args
        yield [x, offset, w, floats(rng, len(w))], args


@samples("DeformConvGradient")
def _(rng):
    for x, offset, w, y, args in deformed(rng):
        for outputs, no_bias in ((4, 0), (3, 0), (3, 1), (2, 1)):
            dy = floats(rng, *y.shape)
            yield Sample("DeformConvGradient", (x, offset, w, dy), args | {"no_bias": no_bias}, outputs)


@samples("ConvRelu")
def _(rng):
    yield [floats(rng, 2, 3, 4, 4), floats(rng, 2, 3, 3, 3), floats(rng, 2)], {"kernel": 3, "pad": 1}
    yield [floats(rng, 2, 4, 4, 3), floats(rng, 2, 3, 3, 3)], {"kernel": 3, "order": "NHWC"}


def test_without_offsets_it_is_a_convolution(run):
    rng = np.random.default_rng(4)
    for x, offset, w, _, args in deformed(rng):
        plain = {k: v for k, v in args.items() if k != "deformable_group"}
        np.testing.assert_allclose(run("DeformConv", x, offset * 0, w, **args), run("Conv", x, w, **plain), 1e-4, 1e-4)


def test_a_locally_connected_layer_with_one_filter_everywhere_is_a_convolution(run):
    rng = np.random.default_rng(4)
    x, w = floats(rng, 2, 3, 4, 4), floats(rng, 2, 3, 2, 2)
    local = np.broadcast_to(w, (3, 3, *w.shape)).copy()
    np.testing.assert_allclose(run("LC", x, local, kernel=2), run("Conv", x, w, kernel=2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name, shapes",
    [
        ("Im2Col", ((1, 2, 3),)),
        ("Col2Im", ((1, 8, 2, 2), (1, 2, 4, 4))),
        ("LC", ((1, 1, 3, 3), (2, 2, 1, 1, 3, 3))),
        ("LC", ((1, 1, 3, 3), (2, 2, 1, 1, 2, 2), (2, 2, 2))),
        ("DeformConv", ((1, 1, 3, 3), (1, 4, 2, 2), (1, 1, 2, 2))),
    ],
)
def test_what_does_not_fit_is_refused(run, name, shapes):
    with pytest.raises(EnforceNotMet):
        run(name, *[np.ones(s, np.float32) for s in shapes], kernel=2)


@pytest.mark.parametrize("shape", [(1, 0, 5, 5), (0, 2, 5, 5)])
def test_columns_of_nothing(run, shape):
    x = np.zeros(shape, np.float32)
    columns = run("Im2Col", x, kernel=3)
    assert columns.shape == (shape[0], 9 * shape[1], 3, 3)
    assert run("Col2Im", columns, x, kernel=3).shape == shape


def test_a_locally_connected_layer_of_no_images(run):
    x, w = np.zeros((0, 1, 4, 4), np.float32), np.zeros((3, 3, 2, 1, 2, 2), np.float32)
    assert run("LC2D", x, w, kernels=[2, 2]).shape == (0, 2, 3, 3)

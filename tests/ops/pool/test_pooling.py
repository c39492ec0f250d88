"""Poolings over windows: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, lookup
from caffe2.runtime.bind import instantiate
from tests.sample import Sample, floats, samples

SETTINGS = (
    ("", 2, {"kernel": 3, "stride": 2, "pad": 1}),
    ("", 2, {"kernels": [2, 3], "strides": [1, 2], "pads": [0, 1, 1, 2]}),
    ("", 2, {"kernel": 3, "stride": 2, "pad": 1, "legacy_pad": 3}),
    ("", 2, {"kernel_h": 2, "kernel_w": 1, "stride_h": 2, "stride_w": 3, "legacy_pad": 2}),
    ("", 2, {"kernel": 1}),
    ("", 2, {"global_pooling": 1}),
    ("1D", 1, {"kernels": [3], "strides": [2], "pads": [1, 0]}),
    ("2D", 2, {"kernel": 2, "stride": 2}),
    ("3D", 3, {"kernels": [2, 1, 2], "pads": [1, 0, 0, 1, 0, 0]}),
)


def settings(rng, kind, *names):
    """Operator, X and arguments of every setting, in both orders; the values of X are all different."""
    for suffix, axes, args in SETTINGS:
        if f"{kind}Pool{suffix}" in names:
            shape = (2, 2, *range(6, 6 - axes, -1))
            x = (rng.permutation(int(np.prod(shape))).reshape(shape) / 10 + 0.1).astype(np.float32)
            yield f"{kind}Pool{suffix}", x, args
            yield f"{kind}Pool{suffix}", np.ascontiguousarray(np.moveaxis(x, 1, -1)), args | {"order": "NHWC"}
    for name in sorted({f"{kind}Pool", f"{kind}Pool2D"}.intersection(names)):
        yield name, (rng.permutation(9).reshape(1, 1, 3, 3) / 10 + 0.1).astype(np.float32), {"kernel": 2}


def pooled(name, x, args):
    sample = Sample(name, (x,), args)
    workspace = sample.workspace()
    workspace.run_operator_once(sample.definition())
    return workspace.fetch("o0")


def forward(kind, extra=()):
    names = [f"{kind}Pool{suffix}" for suffix in ("", "1D", "2D", "3D")]

    def declare(rng):
        for name, x, args in settings(rng, kind, *names):
            for more in ({}, *extra):
                yield Sample(name, (x,), args | more)
        yield Sample(names[0], (floats(rng, 0, 2, 4, 4),), {"kernel": 2})

    def declare_gradients(rng):
        for name, x, args in settings(rng, kind, *names):
            for more in ({}, *extra):
                y = pooled(name, x, args | more)
                yield Sample(f"{name}Gradient", (x, y, floats(rng, *y.shape)), args | more)

    return names, declare, declare_gradients


for _kind, _extra in (("Max", ()), ("Average", ({"count_include_pad": 1},))):
    _names, _declare, _declare_gradients = forward(_kind, _extra)
    samples(*_names)(_declare)
    samples(*(f"{n}Gradient" for n in _names))(_declare_gradients)


@samples("LpPool")
def _(rng):
    for _, x, args in settings(rng, "Lp", "LpPool"):
        yield [x / 10], args
        yield [x / 10], args | {"p": 3.0}


@samples("LpPoolGradient")
def _(rng):
    for _, x, args in settings(rng, "Lp", "LpPool"):
        y = pooled("LpPool", x, args)
        yield [x, y, floats(rng, *y.shape)], args


@samples("MaxPoolWithIndex")
def _(rng):
    for _, x, args in settings(rng, "Max", "MaxPool"):
        if "order" not in args and "global_pooling" not in args:
            yield [x], args


@samples("MaxPoolWithIndexGradient")
def _(rng):
    yield [floats(rng, 1, 2, 3, 3), floats(rng, 1, 2, 1, 2), np.array([0, 4, 4, 4], np.int32)], {"kernel": 2}


def test_every_one_of_equal_maxima_takes_the_gradient(run):
    x = np.array([[[[1, 1, 2], [1, 1, 2], [0, 0, 2]]]], np.float32)
    y = run("MaxPool", x, kernel=2)
    assert run("MaxPoolGradient", x, y, np.ones_like(y), kernel=2)[0, 0].tolist() == [[1, 1, 1], [2, 2, 2], [0, 0, 1]]


def test_index_is_the_place_in_the_image_even_with_padding(run):
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    y, index = run("MaxPoolWithIndex", x, kernel=2, stride=2, pad=1)
    assert np.array_equal(y.ravel(), index) and index.dtype == np.int32


@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_the_fused_twins_compute_the_same(kind):
    names = [f"{kind}Pool{suffix}" for suffix in ("", "1D", "2D", "3D")]
    for name, x, args in settings(np.random.default_rng(3), kind, *names):
        y = pooled(name, x, args)
        for op, inputs in ((name, (x,)), (f"{name}Gradient", (x, y, np.cos(y)))):
            sample = Sample(op, inputs, args)
            workspace, definition = sample.workspace(), lookup(op)
            workspace.run_operator_once(sample.definition())
            place = type("Place", (), {"op": sample.definition(), "device": torch.device("cuda"), "outputs": ["o0"]})
            twin = instantiate(definition, place)
            got = twin(*[workspace.require(f"i{k}").value for k in range(len(inputs))])
            np.testing.assert_allclose(got.numpy(), workspace.fetch("o0"), rtol=1e-5, atol=1e-6, err_msg=f"{op} {args}")


@pytest.mark.parametrize(
    "args", [{"kernel": 2, "dilation": 2}, {"kernel": 1, "pad": 1}, {"kernel": 5}, {"kernel": 2, "order": "CHWN"}]
)
def test_windows_that_do_not_fit_are_refused(run, args):
    with pytest.raises(EnforceNotMet):
        run("MaxPool", np.zeros((1, 1, 4, 4), np.float32), **args)


def test_a_gradient_of_another_size_is_refused(run):
    x = np.zeros((1, 1, 4, 4), np.float32)
    with pytest.raises(EnforceNotMet, match="pooling X gives"):
        run("AveragePoolGradient", x, x, x, kernel=2)


def test_one_number_serves_any_count_of_axes(run):
    assert run("MaxPool", np.zeros((1, 1, 5), np.float32), kernel=3).shape == (1, 1, 3)


@pytest.mark.parametrize("order, shape", [("NCHW", (2, 0, 4, 4)), ("NHWC", (2, 4, 4, 0)), ("NCHW", (0, 2, 4, 4))])
def test_maxima_of_nothing_have_a_gradient(run, order, shape):
    x = np.zeros(shape, np.float32)
    args = {"kernel": 2, "stride": 2, "order": order}
    y = run("MaxPool", x, **args)
    assert run("MaxPoolGradient", x, y, y, **args).shape == shape

"""Convolution: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops
from tests.sample import Sample, floats, samples

SETTINGS = (
    ("Conv", (4, 3), 2, {"kernel": 3, "pad": 1}),
    ("Conv", (4, 2), 2, {"kernel_h": 2, "kernel_w": 3, "stride_h": 2, "stride_w": 1, "group": 2}),
    ("Conv", (2, 2), 2, {"kernels": [3, 2], "dilations": [2, 1], "pads": [0, 1, 1, 2]}),
    ("Conv", (2, 2), 2, {"kernel": 3, "stride": 2, "legacy_pad": 2}),
    ("Conv1D", (3, 2), 1, {"kernels": [3], "strides": [2], "pads": [0, 1]}),
    ("Conv2D", (2, 1), 2, {"kernel": 2, "stride": 2, "pad_t": 1, "pad_l": 0, "pad_b": 0, "pad_r": 1}),
    ("Conv3D", (2, 2), 3, {"kernels": [2, 1, 2], "strides": [1, 2, 1]}),
)
"""Operator, output and input channels of a filter, axes, arguments."""


def settings(rng, *names):
    """X, filter, bias and arguments of every setting of the operators named, in both orders."""
    for name, channels, axes, args in SETTINGS:
        if name not in names:
            continue
        kernel = args.get("kernels") or [
            args.get("kernel_h", args.get("kernel")),
            args.get("kernel_w", args.get("kernel")),
        ]
        x = floats(rng, 2, channels[1] * args.get("group", 1), *range(6, 6 - axes, -1))
        w = floats(rng, *channels, *kernel)
        b = floats(rng, channels[0])
        yield name, x, w, b, args
        last = [np.ascontiguousarray(np.moveaxis(v, 1, -1)) for v in (x, w)]
        yield name, *last, b, args | {"order": "NHWC"}
    for name in sorted({"Conv", "Conv2D"}.intersection(names)):
        yield name, floats(rng, 1, 1, 3, 3), floats(rng, 1, 1, 2, 2), floats(rng, 1), {"kernel": 2}


@samples("Conv", "Conv1D", "Conv2D", "Conv3D")
def _(rng):
    for name, x, w, b, args in settings(rng, "Conv", "Conv1D", "Conv2D", "Conv3D"):
        yield Sample(name, (x, w, b), args)
        yield Sample(name, (x, w), args)
    yield Sample("Conv", (floats(rng, 0, 2, 4, 4), floats(rng, 3, 2, 2, 2), floats(rng, 3)), {"kernel": 2})


@samples("ConvGradient", "Conv1DGradient", "Conv2DGradient", "Conv3DGradient")
def _(rng):
    for name, x, w, b, args in settings(rng, "Conv", "Conv1D", "Conv2D", "Conv3D"):
        y = Sample(name, (x, w, b), args).workspace()
        y.run_operator_once(Sample(name, (x, w, b), args).definition())
        dy = floats(rng, *y.fetch("o0").shape)
        for outputs, no_bias in ((3, 0), (2, 0), (2, 1), (1, 1)):
            yield Sample(f"{name}Gradient", (x, w, dy), args | {"no_bias": no_bias}, outputs)


def test_a_filter_of_another_size_is_refused(run):
    with pytest.raises(EnforceNotMet, match="filter spans"):
        run("Conv", np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 3, 3), np.float32), kernel=2)


def test_no_kernel_is_refused(run):
    with pytest.raises(EnforceNotMet, match="size is missing"):
        run("Conv", np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 3, 3), np.float32))


def test_an_impossible_number_of_gradients_is_refused(run):
    x, w = np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 1, 3, 3), np.float32)
    with pytest.raises(EnforceNotMet, match="outputs with no_bias=1"):
        run("ConvGradient", x, w, x[:, :, 1:3, 1:3], kernel=3, no_bias=1, outputs=3)


@pytest.mark.parametrize("pad, out", [(1, 5), (2, 4), (3, 4)])
def test_legacy_padding(run, pad, out):
    x, w = np.ones((1, 1, 7, 7), np.float32), np.ones((1, 1, 3, 3), np.float32)
    stride = 1 if pad == 1 else 2
    more = {"pad": 1} if pad == 3 else {}
    assert run("Conv", x, w, kernel=3, stride=stride, legacy_pad=pad, **more).shape == (1, 1, out, out)


def test_a_list_goes_before_the_number_for_all_axes(run):
    x, w = np.ones((1, 2, 6, 6), np.float32), np.ones((2, 2, 3, 3), np.float32)
    assert run("Conv", x, w, kernels=[3, 3], strides=[2, 1], stride=1).shape == (1, 2, 2, 4)
    assert run("Conv", x, w, kernel=3, pads=[1, 1, 0, 0], pad=0).shape == (1, 2, 5, 5)


def test_what_a_gradient_is_told_comes_before_the_arguments_of_its_operator():
    (op,), _ = gradient_ops(Sample("Conv", (0, 0), {"kernel": 3}).definition(), ["g"])
    assert [a.name for a in op.arg] == ["no_bias", "kernel"]

"""Transposed convolution: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

SETTINGS = (
    (1, {"kernel": 3, "stride": 2, "adj": 1, "pad": 1}),
    (2, {"kernel_h": 2, "kernel_w": 3, "stride_h": 2, "stride_w": 1, "group": 2}),
    (1, {"kernel": 3, "stride": 2, "adj": 2, "pad_t": 0, "pad_l": 1, "pad_b": 1, "pad_r": 2}),
    (1, {"kernels": [3, 3], "strides": [2, 3], "adjs": [0, 2], "legacy_pad": 1}),
)


def settings(rng):
    for group, args in SETTINGS:
        kernel = args.get("kernels") or [
            args.get("kernel_h", args.get("kernel")),
            args.get("kernel_w", args.get("kernel")),
        ]
        x, w, b = floats(rng, 2, 4, 3, 2), floats(rng, 4, 3, *kernel), floats(rng, 3 * group)
        yield x, w, b, args
        last = [np.ascontiguousarray(np.moveaxis(v, 1, -1)) for v in (x, w)]
        yield *last, b, args | {"order": "NHWC"}
    yield floats(rng, 1, 1, 2, 2), floats(rng, 1, 1, 2, 2), floats(rng, 1), {"kernel": 2}


@samples("ConvTranspose")
def _(rng):
    for x, w, b, args in settings(rng):
        yield [x, w, b], args
        yield [x, w], args
    yield [floats(rng, 0, 2, 3, 3), floats(rng, 2, 1, 2, 2)], {"kernel": 2}


@samples("ConvTransposeGradient")
def _(rng):
    for x, w, b, args in settings(rng):
        y = Sample("ConvTranspose", (x, w, b), args).workspace()
        y.run_operator_once(Sample("ConvTranspose", (x, w, b), args).definition())
        dy = floats(rng, *y.fetch("o0").shape)
        for outputs, no_bias in ((3, 0), (2, 0), (2, 1), (1, 1)):
            yield Sample("ConvTransposeGradient", (x, w, dy), args | {"no_bias": no_bias}, outputs)


def test_the_bias_reaches_rows_added_beyond_every_filter(run):
    x, w, b = np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32), np.full(1, 3, np.float32)
    got = run("ConvTranspose", x, w, b, kernel=1, stride=2, adj=2)
    assert np.array_equal(got[0, 0], [[4, 3, 3]] + [[3, 3, 3]] * 2)


def test_adj_beyond_the_stride_is_refused(run):
    x, w = np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="adj is"):
        run("ConvTranspose", x, w, kernel=2, adj=2)

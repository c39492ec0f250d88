"""Caffe's layers with windows: samples for the laws, places of maxima, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.caffe.window import LOWEST, deconvolution, interpolate, max_pool_mask, max_pool_mask_gradient, unpool
from tests.ops.caffe import gradient_too
from tests.sample import Sample, floats, samples


@samples("CaffeDeconvolution", "CaffeDeconvolutionGradient")
def _(rng):
    for args, size, kernel, out in (
        ({"stride": (2,), "pad": (1,), "dilation": (1,)}, (2, 4, 5), (4, 3, 3), (2, 3, 9)),
        ({"stride": (1, 2), "pad": (0, 1), "dilation": (2, 1), "group": 2}, (1, 4, 3, 3), (4, 1, 3, 2), (1, 2, 7, 4)),
    ):
        yield from gradient_too(
            "CaffeDeconvolution",
            [floats(rng, *size), floats(rng, *kernel), floats(rng, out[1])],
            args,
            floats(rng, *out),
        )


@samples("CaffeMaxPoolMask", "CaffeMaxPoolMaskGradient")
def _(rng):
    x, mask = floats(rng, 2, 3, 5, 6), rng.integers(-1, 30, (2, 3, 2, 2)).astype(np.float32)
    yield Sample("CaffeMaxPoolMaskGradient", (x, mask, floats(rng, 2, 3, 2, 2)))
    for args in (
        {"kernel": (2, 2), "stride": (2, 2), "pad": (0, 0), "size": (3, 3)},
        {"kernel": (2, 3), "stride": (2, 3), "pad": (0, 0), "size": (2, 2)},
        {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1), "size": (3, 4)},
    ):
        yield Sample("CaffeMaxPoolMask", (x,), args)


@samples("CaffePad", "CaffePadGradient")
def _(rng):
    yield from gradient_too("CaffePad", [floats(rng, 2, 3, 4)], {"pad": (1, 2)}, floats(rng, 2, 5, 8))


@samples("CaffeUnpool", "CaffeUnpoolGradient")
def _(rng):
    mask = np.array([0, 3, 8, 10, 1, 2, 9, 11], np.float32).reshape(1, 2, 2, 2)
    yield from gradient_too("CaffeUnpool", [floats(rng, 1, 2, 2, 2), mask], {"size": (3, 4)}, floats(rng, 1, 2, 3, 4))


@samples("CaffeInterp", "CaffeInterpGradient")
def _(rng):
    x = floats(rng, 2, 3, 4, 5)
    yield from gradient_too("CaffeInterp", [x], {"size": (7, 9)}, floats(rng, 2, 3, 7, 9))
    yield from gradient_too("CaffeInterp", [x], {"size": (2, 3), "crop": (1, 0)}, floats(rng, 2, 3, 2, 3))


def test_places_count_in_the_plane_without_padding():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    y, mask = max_pool_mask(x, kernel=(2, 2), stride=(2, 2), pad=(1, 1), size=(2, 3))
    assert y.tolist() == mask.tolist() == [[[[0.0, 2.0, 3.0], [8.0, 10.0, 11.0]]]]


def test_of_equal_maxima_the_first_takes_the_gradient():
    x = torch.tensor([[[[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]]])
    y, mask = max_pool_mask(x, kernel=(2, 2), stride=(1, 1), pad=(0, 0), size=(1, 2))
    assert mask.tolist() == [[[[0.0, 1.0]]]]
    assert max_pool_mask_gradient(x, mask, torch.tensor([[[[3.0, 5.0]]]])).tolist() == [[[[3, 5, 0], [0, 0, 0]]]]


def test_a_window_in_the_padding_has_no_place():
    y, mask = max_pool_mask(torch.ones(1, 1, 3, 3), kernel=(2, 2), stride=(3, 3), pad=(0, 0), size=(2, 2))
    assert y[0, 0].tolist() == [[1.0, LOWEST], [LOWEST, LOWEST]] and mask[0, 0].tolist() == [[0.0, -1.0], [-1.0, -1.0]]


def test_unpooling_puts_maxima_back():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    back = unpool(*max_pool_mask(x, kernel=(2, 2), stride=(2, 2), pad=(0, 0), size=(2, 2)), size=(4, 4))
    assert torch.equal(back, torch.where((x // 4 % 2 == 1) & (x % 2 == 1), x, 0))


def test_interpolation_keeps_the_corners():
    x = torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(interpolate(x, size=(5, 9))[..., ::4, ::8], x[..., ::2, ::3])


def test_a_stride_of_another_rank_is_refused():
    with pytest.raises(EnforceNotMet, match="axes"):
        deconvolution(
            torch.ones(1, 1, 3), torch.ones(1, 1, 2), torch.ones(1), stride=(1, 1), pad=(0, 0), dilation=(1, 1)
        )

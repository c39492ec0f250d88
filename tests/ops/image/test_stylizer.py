"""Pictures on their way into a network that restyles them, and out of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.image.stylizer import NOISE, deprocess
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples

INTO = "PackedInt8BGRANHWCToNCHWCStylizerPreprocess"
MEAN = np.array([100.0, 110.0, 120.0], np.float32)


@samples("PackedInt8BGRANHWCToNCHWCStylizerPreprocess")
def _(rng):
    pictures = rng.integers(0, 256, (2, 3, 5, 4)).astype(np.uint8)
    reason = {"compile": "it keeps its noise in the workspace"}
    yield Sample(INTO, (pictures, MEAN), {"noise_std": 0.0}, except_=reason)
    yield Sample(INTO, (pictures[:0], MEAN), {"noise_std": 0.0, "noise_size": 7}, except_=reason)


@samples("BRGNCHWCToPackedInt8BGRAStylizerDeprocess")
def _(rng):
    yield [100 * floats(rng, 2, 3, 4, 5), MEAN], {}
    yield [floats(rng, 0, 3, 4, 5), MEAN], {}


def test_noise_is_kept_and_repeats_along_the_pixels():
    workspace = Workspace()
    pictures = np.random.default_rng(1).integers(0, 256, (2, 3, 5, 4)).astype(np.uint8)
    workspace.feed("x", pictures)
    workspace.feed("mean", MEAN)
    into = operator(INTO, "x mean", "y", noise_size=7)
    workspace.run_operator_once(into)
    first, noise = workspace.fetch("y"), workspace.fetch(NOISE)
    workspace.run_operator_once(into)
    np.testing.assert_array_equal(workspace.fetch("y"), first)
    added = np.resize(noise, 3 * 5 * 3).reshape(3, 5, 3)
    expected = (pictures[..., :3] - MEAN + added).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-4)


def test_out_is_the_reverse_of_in():
    values = torch.tensor([-300.0, 0.7, 300.0]).reshape(1, 3, 1, 1)
    assert deprocess(values, torch.from_numpy(MEAN)).tolist() == [[[[0, 110, 255, 255]]]]


def test_misuse():
    with pytest.raises(EnforceNotMet, match="channels, not 3"):
        deprocess(torch.rand(1, 4, 2, 2), torch.from_numpy(MEAN))
    with pytest.raises(EnforceNotMet, match="mean holds 3"):
        deprocess(torch.rand(1, 3, 2, 2), torch.rand(1))

"""Operators of libraries that are not here, and of devices that may not be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.device_memory import get_gpu_memory_usage
from caffe2.ops.foreign import ABSENT
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import LAWS, Sample, floats, samples


@samples("GetGPUMemoryUsage")
def _(rng):
    yield [], {}


@samples(*ABSENT)
def _(rng):
    for name in ABSENT:
        yield Sample(name, (floats(rng, 2),), outputs=1, except_=dict.fromkeys(LAWS, "it is always refused"))


@pytest.mark.parametrize("name", ABSENT)
def test_absent_operators_say_what_to_use_instead(name):
    workspace = Workspace()
    workspace.feed("x", np.zeros(1, np.float32))
    with pytest.raises(EnforceNotMet, match="not part of this library: "):
        workspace.run_operator_once(operator(name, "x", "y"))


def test_memory_of_every_gpu():
    stats = get_gpu_memory_usage()
    assert stats.dtype == torch.int64 and stats.shape == (2, torch.cuda.device_count())
    assert (stats[0] <= stats[1]).all()

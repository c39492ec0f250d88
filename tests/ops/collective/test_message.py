"""Messages between processes: what a process alone can see of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.collective.world import CommonWorld
from tests.sample import Sample, floats, samples


class Wire:
    """A group whose messages come back in the order in which they were sent, from process 1."""

    def __init__(self):
        self.sent = []

    def send(self, tensors, rank, tag):
        self.sent.append(tensors[0].clone())
        return self

    def recv(self, tensors, rank, tag):
        tensors[0].copy_(self.sent.pop(0))
        return self

    def recv_anysource(self, tensors, tag):
        return self.recv(tensors, 1, tag)

    def wait(self):
        return True

    def _source_rank(self):
        return 1


def wired(*sent):
    world = CommonWorld(0, 1)
    world.size, world.group = 2, Wire()
    world.group.sent += sent
    return world


def header(*numbers):
    return torch.tensor([*numbers] + [0] * (18 - len(numbers)))


@samples("SendTensor", "ReceiveTensor")
def _(rng):
    y, one = floats(rng, 2), np.array([1], np.int32)
    parts = header(1, 2, 2, 1), torch.arange(8, dtype=torch.uint8)
    yield Sample("SendTensor", (wired, floats(rng, 2, 3)), {"dst": 1, "tag": 2})
    yield Sample("SendTensor", (wired, floats(rng, 2), one, one), {"raw_buffer": 1})
    yield Sample("ReceiveTensor", (lambda: wired(*parts), y), {"src": 1})
    yield Sample("ReceiveTensor", (lambda: wired(*parts), y, one, one))
    yield Sample("ReceiveTensor", (lambda: wired(*parts[1:]), y), {"raw_buffer": 1, "src": -1})


def test_what_is_sent_is_received(run):
    world, x = wired(), np.arange(6, dtype=np.int64).reshape(2, 3)
    run("SendTensor", lambda: world, x, dst=1)
    y, src, tag = run("ReceiveTensor", lambda: world, np.zeros(1, np.float32), tag=4)
    np.testing.assert_array_equal(y, x)
    assert (src.tolist(), tag.tolist()) == ([1], [4])


def test_refusals(run):
    with pytest.raises(EnforceNotMet, match="cannot send to itself"):
        run("SendTensor", wired, np.ones(2, np.float32), dst=0)
    with pytest.raises(EnforceNotMet, match="the ranks 0 to 1"):
        run("SendTensor", wired, np.ones(2, np.float32), dst=5)
    with pytest.raises(EnforceNotMet, match="at most 16 dimensions"):
        run("SendTensor", wired, np.ones((1,) * 17, np.float32), dst=1)

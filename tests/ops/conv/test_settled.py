"""Faster forms of convolution: the same numbers as torch's, and a filter that changes is noticed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from caffe2.opdef import make_argument
from caffe2.ops.conv import settled, winograd
from caffe2.ops.conv.settled import Settled
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

needs_compiler = pytest.mark.skipif(not winograd.ANALYSE.serves(), reason="the compiled kernels cannot be built here")


def conv(workspace: Workspace, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, **args: object):
    """A net of one convolution, made ready; running it answers the output."""
    names = ["x", "w", "b"][: 3 if b is not None else 2]
    for name, value in zip(names, (x, w, b)):
        workspace.feed(name, value)
    op = caffe2_pb2.OperatorDef(type="Conv", input=names, output=["y"])
    op.arg.extend(make_argument(name, value) for name, value in args.items())
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[op]))

    def run() -> np.ndarray:
        net.run()
        return workspace.fetch("y")

    return run


def images(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


@needs_compiler
@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("shape", "outputs", "kernel", "pad", "bias"),
    [
        ((1, 16, 12, 13), 20, 3, 1, True),  # channels that fill no block, tiles that reach beyond the image
        ((4, 33, 7, 9), 16, 3, 0, True),
        ((2, 16, 12, 12), 16, 3, 2, False),
        ((1, 48, 40, 50), 17, 3, 1, True),  # more tiles than are worked on at a time
        ((2, 24, 5, 7), 9, 1, 0, True),
        ((1, 3, 4, 4), 2, 1, 0, False),
    ],
)
def test_the_forms_are_convolution(rng, monkeypatch, order, shape, outputs, kernel, pad, bias) -> None:
    used = []
    for form in settled.FORMS:
        real = form.convolved
        monkeypatch.setattr(form, "convolved", lambda *a, real=real: (used.append(1), real(*a))[1])
    x, w = images(rng, *shape), images(rng, outputs, shape[1], kernel, kernel)
    b = images(rng, outputs) if bias else None
    last = order == "NHWC"
    given = [np.ascontiguousarray(np.moveaxis(v, 1, -1)) if last else v for v in (x, w)]
    got = conv(Workspace(), *given, b, kernel=kernel, pad=pad, order=order)()
    want = F.conv2d(
        *(torch.from_numpy(v).double() for v in (x, w)),
        None if b is None else torch.from_numpy(b).double(),
        padding=pad,
    )
    assert used
    np.testing.assert_allclose(
        np.moveaxis(got, -1, 1) if last else got, want, rtol=1e-4, atol=1e-4 * float(want.abs().max())
    )


@needs_compiler
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_filter_that_changes_is_noticed(rng, kernel: int) -> None:
    workspace = Workspace()
    x, w = images(rng, 1, 16, 12, 12), images(rng, 16, 16, kernel, kernel)
    run = conv(workspace, x, w, None, kernel=kernel)
    run()
    for change in range(4):
        if change == 2:  # behind the runtime's back
            workspace.require("w").value.numpy()[0, 0, 0, 0] += 1
            w = workspace.fetch("w")
        elif change:
            w = images(rng, *w.shape)
            workspace.feed("w", w)
        want = F.conv2d(torch.from_numpy(x), torch.from_numpy(w))
        np.testing.assert_allclose(run(), want, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(run(), want, rtol=1e-4, atol=1e-4)


@needs_compiler
def test_while_training_changes_the_filter_it_is_not_put_in_a_form(monkeypatch) -> None:
    made = []
    real = winograd.form
    monkeypatch.setattr(winograd, "form", lambda w: (made.append(1), real(w))[1])
    one, frame = Settled(), winograd.Frame((3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
    x, w = torch.randn(1, 16, 12, 12), torch.randn(16, 16, 3, 3).contiguous(memory_format=torch.channels_last)
    for _ in range(5):
        one(x, w, None, frame, (1, 1))
        w.add_(1)
    assert len(made) == 1
    assert one(x, w, None, frame, (1, 1)) is None
    assert one(x, w, None, frame, (1, 1)) is not None and len(made) == 2


def test_the_filter_is_kept_with_its_channels_last_in_memory(rng) -> None:
    workspace = Workspace()
    w = images(rng, 4, 3, 3, 3)
    run = conv(workspace, images(rng, 2, 3, 6, 6), w, None, kernel=3)
    run()
    assert workspace.require("w").value.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(workspace.fetch("w"), w)
    assert workspace.fetch("w").flags.c_contiguous and run().flags.c_contiguous

"""Recurrent stacks with packed parameters: samples, and torch's own modules as peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, gradient_ops, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples

T, N, SIZE, H = 3, 2, 4, 5
STACK = {"hidden_size": H, "num_layers": 2, "rnn_mode": "lstm", "input_mode": "linear"}
CASES = [
    STACK,
    {**STACK, "rnn_mode": "gru"},
    {**STACK, "bidirectional": 1},
    {**STACK, "bidirectional": 1, "rnn_mode": "gru", "num_layers": 1},
    {**STACK, "input_mode": "skip"},
]


def module(args: dict) -> torch.nn.RNNBase:
    made = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[args["rnn_mode"]](
        width(args), H, args["num_layers"], bidirectional=bool(args.get("bidirectional"))
    )
    if args["input_mode"] == "skip":
        gates = made.weight_ih_l0.shape[0] // H
        made.weight_ih_l0.data.copy_(torch.eye(H).repeat(gates, 1))
    return made


def width(args: dict) -> int:
    return H if args["input_mode"] == "skip" else SIZE


def packed(of: torch.nn.RNNBase, args: dict) -> torch.Tensor:
    names = [name for kind in ("weight", "bias") for name, _ in of.named_parameters() if name.startswith(kind)]
    skipped = ["weight_ih_l0"] if args["input_mode"] == "skip" else []
    return torch.cat([getattr(of, n).detach().ravel() for n in names if n not in skipped])


def blobs(rng: np.random.Generator, args: dict) -> list[np.ndarray]:
    layers = args["num_layers"] * (1 + args.get("bidirectional", 0))
    states = [floats(rng, layers, N, H) for _ in range(2)]
    return [floats(rng, T, N, width(args)), *states, packed(module(args), args).numpy()]


@samples("Recurrent")
def _(rng):
    for args in CASES:
        yield Sample("Recurrent", tuple(blobs(rng, args)), args)
    yield Sample(
        "Recurrent",
        tuple(blobs(rng, STACK)),
        {**STACK, "dropout": 0.5, "seed": 3},
        except_={
            "gradient": "every run drops other elements",
            "compile": "every run drops other elements",
        },
    )


@samples("RecurrentGradient")
def _(rng):
    for args in CASES[:3]:
        x, *rest = blobs(rng, args)
        y = floats(rng, T, N, H * (1 + args.get("bidirectional", 0)))
        yield Sample("RecurrentGradient", (x, *rest, np.array([0]), y, floats(rng, *y.shape)), args, outputs=6)


WHICH = {**STACK, "param_type": "forget_gate_w", "input_type": "recurrent", "layer": 1}


@samples("RecurrentParamGet")
def _(rng):
    x, _, _, weight = blobs(rng, STACK)
    yield [x, weight], WHICH
    yield [x, weight], {**WHICH, "param_type": "cell_b", "input_type": "input", "layer": 0}


@samples("RecurrentParamSet")
def _(rng):
    x, _, _, weight = blobs(rng, STACK)
    yield [x, weight, floats(rng, H, H)], WHICH


def operator(args: dict) -> caffe2_pb2.OperatorDef:
    made = caffe2_pb2.OperatorDef(type="Recurrent", input=["x", "h", "c", "w"], output=["y", "hy", "cy", "s", "d"])
    made.engine = "CUDNN"
    made.arg.extend(make_argument(k, v) for k, v in args.items())
    return made


def fed(args: dict) -> tuple[Workspace, list[np.ndarray]]:
    workspace, values = Workspace(), blobs(np.random.default_rng(1), args)
    for name, value in zip("xhcw", values):
        workspace.feed(name, value)
    return workspace, values


@pytest.mark.parametrize("args", CASES, ids=lambda args: "-".join(map(str, args.values())))
def test_a_stack_is_torchs_module(args):
    torch.manual_seed(2)
    peer, rng = module(args), np.random.default_rng(1)
    x, h, c, _ = (torch.from_numpy(value) for value in blobs(rng, args))
    workspace = Workspace()
    for name, value in zip("xhcw", (x, h, c, packed(peer, args))):
        workspace.feed(name, value)
    x.requires_grad_(), h.requires_grad_()
    want, _ = peer(x, (h, c) if args["rnn_mode"] == "lstm" else h)
    workspace.run_operator_once(operator(args))
    np.testing.assert_allclose(workspace.fetch("y"), want.detach(), rtol=1e-5, atol=1e-6)
    want.sum().backward()
    workspace.feed("y_grad", torch.ones_like(want))
    for op in gradient_ops(operator(args), ["y_grad", None, None, None, None])[0]:
        workspace.run_operator_once(op)
    np.testing.assert_allclose(workspace.fetch("x_grad"), x.grad, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(workspace.fetch("h_grad"), h.grad, rtol=1e-4, atol=1e-6)
    grads = {name: p.grad for name, p in peer.named_parameters()}
    for name, p in peer.named_parameters():
        p.data.copy_(grads[name])
    np.testing.assert_allclose(workspace.fetch("w_grad"), packed(peer, args), rtol=1e-4, atol=1e-5)


def test_dropout_is_the_same_forward_and_back_and_another_every_run():
    args = {**STACK, "dropout": 0.5, "seed": 7}
    workspace, _ = fed(args)
    workspace.create_net(caffe2_pb2.NetDef(name="n", op=[operator(args)]))
    outputs = []
    for _ in range(2):
        workspace.run_net("n")
        outputs.append(workspace.fetch("y").copy())
    assert not np.array_equal(*outputs)
    workspace.feed("y_grad", np.zeros_like(outputs[0]))
    (backward,) = gradient_ops(operator(args), ["y_grad", None, None, None, None])[0]
    slopes = []
    for _ in range(2):
        workspace.feed("y_grad", np.ones_like(outputs[0]))
        workspace.run_operator_once(backward)
        slopes.append(workspace.fetch("x_grad").copy())
    np.testing.assert_array_equal(*slopes)
    workspace.delete_net("n")
    workspace.create_net(caffe2_pb2.NetDef(name="n", op=[operator(args)]))
    workspace.run_net("n")
    np.testing.assert_array_equal(workspace.fetch("y"), outputs[0])


def test_parameters_written_are_read_back():
    workspace, values = fed(STACK)
    workspace.feed("p", np.arange(H * H, dtype=np.float32))
    write = caffe2_pb2.OperatorDef(type="RecurrentParamSet", input=["x", "w", "p"], output=["w"])
    read = caffe2_pb2.OperatorDef(type="RecurrentParamGet", input=["x", "w"], output=["q"])
    for op in (write, read):
        op.arg.extend(make_argument(k, v) for k, v in WHICH.items())
        workspace.run_operator_once(op)
    np.testing.assert_array_equal(workspace.fetch("q"), np.arange(H * H, dtype=np.float32).reshape(1, H, H))
    assert (workspace.fetch("w") != values[3]).sum() == H * H


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"rnn_mode": "plain"}, "rnn_mode is one of lstm, gru"),
        ({"hidden_size": 0}, "must be positive"),
        ({"num_layers": 1}, "has 220 parameters, and weight holds 460"),
        ({"input_mode": "skip"}, "skips its weights has the size 5, not 4"),
    ],
)
def test_what_does_not_fit_is_refused(changed, words):
    workspace, _ = fed(STACK)
    with pytest.raises(EnforceNotMet, match=words):
        workspace.run_operator_once(operator({**STACK, **changed}))

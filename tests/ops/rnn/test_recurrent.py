"""Recurrent networks: samples, and a step net against the same loop by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, gradient_ops, make_argument
from caffe2.ops.rnn.step import StepBlobs
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples

T, N, D = 3, 2, 4
STEP = np.array([1], np.int32)


@samples("rnn_internal_apply_link")
def _(rng):
    yield [STEP, floats(rng, T, N, D)], {"offset": 0, "window": 1}


@samples("rnn_internal_accumulate_gradient_input")
def _(rng):
    yield Sample(
        "rnn_internal_accumulate_gradient_input",
        (STEP, floats(rng, T, N, D), floats(rng, T + 1, N, D)),
        {"offset": 1},
        outputs=1,
        except_={
            "inplace": "it adds to its gradient every time it runs",
            "compile": "the number of the step decides where it writes",
        },
    )


@samples("RecurrentNetworkBlobFetcher")
def _(rng):
    yield [StepBlobs], {}


def recurrence(back: bool = True) -> caffe2_pb2.OperatorDef:
    """h[t+1] = relu(h[t]) + x[t] as a step net, with its gradient: Sum and ReluGradient."""
    step = caffe2_pb2.NetDef(name="step")
    step.op.add(type="Relu", input=["h_prev"], output=["r"])
    step.op.add(type="Sum", input=["r", "x_t"], output=["h_t"])
    backward = caffe2_pb2.NetDef(name="step_back")
    backward.op.add(type="ReluGradient", input=["r", "h_t_grad"], output=["h_prev_grad"])
    backward.op.add(type="Copy", input=["h_t_grad"], output=["x_t_grad"])
    args = {
        "step_net": step,
        "recurrent_states": ("h",),
        "initial_recurrent_state_ids": (1,),
        "link_internal": ("h_prev", "h_t", "x_t"),
        "link_external": ("h", "h", "i0"),
        "link_offset": (0, 1, 0),
        "alias_src": ("h", "h"),
        "alias_dst": ("o0", "o1"),
        "alias_offset": (1, -1),
        "outputs_with_grads": (0,),
        "backward_link_internal": ("h_t_grad", "h_prev_grad", "x_t_grad"),
        "backward_link_external": ("h_grad", "h_grad", "i0_grad"),
        "backward_link_offset": (1, 0, 0),
    }
    if back:
        args["backward_step_net"] = backward
    made = caffe2_pb2.OperatorDef(type="RecurrentNetwork", input=["i0", "i1"], output=["o0", "o1", "steps"])
    made.arg.extend(make_argument(k, v) for k, v in args.items())
    return made


def as_sample(rng: np.random.Generator, back: bool) -> Sample:
    made = Sample("RecurrentNetwork", (floats(rng, T, N, D), floats(rng, 1, N, D)), differentiate=(0, 1))
    made.definition = lambda: recurrence(back)
    return made


@samples("RecurrentNetwork")
def _(rng):
    made = as_sample(rng, True)
    made.except_ = {"gradient": "its outputs share a state, so autograd sees none of it; compared below with a loop"}
    yield made


@samples("RecurrentNetworkGradient")
def _(rng):
    forward = as_sample(rng, True)
    backward = gradient_ops(forward.definition(), ["o0_grad", None, None])[0][0]

    def prepare(workspace: Workspace) -> None:
        workspace.feed("o0_grad", floats(np.random.default_rng(3), T, N, D))
        workspace.run_operator_once(forward.definition())

    made = Sample("RecurrentNetworkGradient", forward.inputs, setup=prepare)
    made.definition = lambda: backward
    yield made


def loop(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    states = []
    for t in range(len(x)):
        h = torch.relu(h) + x[t]
        states.append(h)
    return torch.stack(states)


def test_a_step_net_is_a_loop_and_its_gradient_that_of_the_loop():
    rng = np.random.default_rng(5)
    x, h = torch.from_numpy(floats(rng, T, N, D)), torch.from_numpy(floats(rng, 1, N, D))
    workspace = Workspace()
    workspace.feed("i0", x)
    workspace.feed("i1", h)
    forward = recurrence()
    for _ in range(2):
        workspace.run_operator_once(forward)
    x.requires_grad_(), h.requires_grad_()
    want = loop(x, h[0])
    np.testing.assert_allclose(workspace.fetch("o0"), want.detach(), rtol=1e-6)
    np.testing.assert_allclose(workspace.fetch("o1")[0], want[-1].detach(), rtol=1e-6)
    weight = torch.linspace(-1, 1, want.numel()).reshape(want.shape)
    (want * weight).sum().backward()
    workspace.feed("o0_grad", weight)
    for op in gradient_ops(forward, ["o0_grad", None, None])[0]:
        workspace.run_operator_once(op)
    np.testing.assert_allclose(workspace.fetch("i0_grad"), x.grad, rtol=1e-5)
    np.testing.assert_allclose(workspace.fetch("i1_grad"), h.grad, rtol=1e-5)


def test_without_a_backward_step_only_the_last_step_is_kept():
    workspace, rng = Workspace(), np.random.default_rng(5)
    workspace.feed("i0", floats(rng, 5, N, D))
    workspace.feed("i1", floats(rng, D))
    workspace.run_operator_once(recurrence(back=False))
    assert len(workspace.require("steps").value.steps) == 1
    assert workspace.fetch("o0").shape == (5, N, D)


def as_net(*ops: tuple[str, str, str], **args: dict) -> caffe2_pb2.NetDef:
    net = caffe2_pb2.NetDef(name="step")
    for kind, inputs, outputs in ops:
        op = net.op.add(type=kind, input=inputs.split(), output=outputs.split())
        op.arg.extend(make_argument(k, v) for k, v in args.get(kind, {}).items())
    return net


def layered(again: bool) -> caffe2_pb2.OperatorDef:
    """h[t+1] = tanh(W h[t] + b + x[t]); `again`: dW of a step is read by another operator, so it may not wait."""
    made = recurrence()
    made.input.extend(["w", "b"])
    changed = {
        "step_net": as_net(("FC", "h_prev w b", "z"), ("Sum", "z x_t", "z"), ("Tanh", "z", "h_t"), FC={"axis": 2}),
        "backward_step_net": as_net(
            ("TanhGradient", "h_t h_t_grad", "x_t_grad"),
            ("FCGradient", "h_prev w x_t_grad", "w_grad b_grad h_prev_grad"),
            *([("Copy", "w_grad", "seen")] if again else []),
            FCGradient={"axis": 2},
        ),
        "param": (2, 3),
        "param_grads": ("w_grad", "b_grad"),
    }
    kept = [arg for arg in made.arg if arg.name not in changed]
    del made.arg[:]
    made.arg.extend([*kept, *(make_argument(k, v) for k, v in changed.items())])
    return made


@pytest.mark.parametrize("again", [False, True])
def test_gradients_of_weights_are_those_of_the_loop(again):
    rng = np.random.default_rng(5)
    held = {n: floats(rng, *s) for n, s in (("i0", (T, N, D)), ("i1", (N, D)), ("w", (D, D)), ("b", (D,)))}
    leaves = {name: torch.from_numpy(value).requires_grad_() for name, value in held.items()}
    workspace, forward = Workspace(), layered(again)
    for name, value in held.items():
        workspace.feed(name, value)
    weight = torch.linspace(-1, 1, T * N * D).reshape(T, N, D)
    workspace.feed("o0_grad", weight)
    net = caffe2_pb2.NetDef(op=[forward, *gradient_ops(forward, ["o0_grad", None, None])[0]], name="both")
    workspace.create_net(net)
    workspace.run_net("both", 2)
    h, states = leaves["i1"], []
    for x in leaves["i0"]:
        h = torch.tanh(h @ leaves["w"].t() + leaves["b"] + x)
        states.append(h)
    (torch.stack(states) * weight).sum().backward()
    for name, leaf in leaves.items():
        np.testing.assert_allclose(workspace.fetch(f"{name}_grad"), leaf.grad, rtol=1e-4, atol=1e-6)


def generated(step: caffe2_pb2.NetDef, rows: int) -> caffe2_pb2.OperatorDef:
    """A step net that writes s[t + rows] as `now` and reads s[t : t + rows + 1] as `seen`, for y."""
    made = caffe2_pb2.OperatorDef(type="RecurrentNetwork", input=["x", "s0", "y0"], output=["s_all", "y_all", "steps"])
    args = {
        "step_net": step,
        "recurrent_states": ("s", "y"),
        "initial_recurrent_state_ids": (1, 2),
        "link_internal": ("seen", "now", "y_t"),
        "link_external": ("s", "s", "y"),
        "link_offset": (0, rows, 1),
        "link_window": (rows + 1, 1, 1),
        "alias_src": ("s", "y"),
        "alias_dst": ("s_all", "y_all"),
        "alias_offset": (rows, 1),
    }
    made.arg.extend(make_argument(k, v) for k, v in args.items())
    return made


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_step_sees_what_it_has_just_written(rows):
    step = as_net(("Cast", "timestep", "now"), ("ReduceFrontSum", "seen", "y_t"), Cast={"to": "float"})
    workspace = Workspace()
    workspace.feed("x", np.zeros((4, 1, 1), np.float32))
    workspace.feed("s0", np.zeros((rows, 1, 1), np.float32))
    workspace.feed("y0", np.zeros((1, 1, 1), np.float32))
    workspace.run_operator_once(generated(step, rows))
    np.testing.assert_array_equal(workspace.fetch("s_all").ravel(), [0, 1, 2, 3])
    want = [sum(range(max(t - rows, 0), t + 1)) for t in range(4)]
    np.testing.assert_array_equal(workspace.fetch("y_all").ravel(), want)


def test_a_state_of_another_type_is_refused():
    step = as_net(("Copy", "timestep", "now"), ("ReduceFrontSum", "seen", "y_t"))
    workspace = Workspace()
    for name, rows in (("x", 4), ("s0", 1), ("y0", 1)):
        workspace.feed(name, np.zeros((rows, 1, 1), np.float32))
    with pytest.raises(EnforceNotMet, match=r"step 0 .* writes int32\[1\] as now"):
        workspace.run_operator_once(generated(step, 1))


def test_steps_hand_their_blobs_to_the_fetcher():
    workspace, rng = Workspace(), np.random.default_rng(5)
    workspace.feed("i0", floats(rng, T, N, D))
    workspace.feed("i1", floats(rng, N, D))
    workspace.run_operator_once(recurrence())
    fetch = caffe2_pb2.OperatorDef(type="RecurrentNetworkBlobFetcher", input=["steps"], output=["names"])
    fetch.arg.append(make_argument("prefix", "p"))
    workspace.run_operator_once(fetch)
    assert {f"p_x_t{t}".encode() for t in range(T)} < set(workspace.fetch("names"))
    np.testing.assert_array_equal(workspace.fetch("p_h_t1"), workspace.fetch("o0")[1:2])


def changed(**args: object) -> caffe2_pb2.OperatorDef:
    made = recurrence()
    kept = [arg for arg in made.arg if arg.name not in args]
    del made.arg[:]
    made.arg.extend([*kept, *(make_argument(k, v) for k, v in args.items())])
    return made


@pytest.mark.parametrize(
    "args, words",
    [
        ({"initial_recurrent_state_ids": (7,)}, "begins as one of 2 inputs"),
        ({"alias_offset": (1,)}, "aliases do not pair up"),
        ({"link_offset": (0, 1)}, "links do not pair up"),
        ({"link_offset": (-1, 1, 0)}, "begins at the step or after it"),
        ({"link_offset": (0, 5, 0)}, "step 2 of a recurrent network looks beyond h"),
        ({"link_external": ("nosuch", "h", "i0")}, "there is no blob 'nosuch'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args, words):
    workspace, rng = Workspace(), np.random.default_rng(5)
    workspace.feed("i0", floats(rng, T, N, D))
    workspace.feed("i1", floats(rng, N, D))
    with pytest.raises(EnforceNotMet, match=words):
        workspace.run_operator_once(changed(**args))


@pytest.mark.parametrize("shape", [(T,), (T, N + 1, D)])
def test_sequences_that_do_not_fit_are_refused(shape):
    workspace, rng = Workspace(), np.random.default_rng(5)
    workspace.feed("i0", floats(rng, *shape))
    workspace.feed("i1", floats(rng, N, D))
    with pytest.raises(EnforceNotMet, match=r"i0 is \[T, N, ...\]|initial state i1"):
        workspace.run_operator_once(recurrence())


def test_gradients_that_do_not_fit_are_refused():
    workspace, rng = Workspace(), np.random.default_rng(5)
    workspace.feed("i0", floats(rng, T, N, D))
    workspace.feed("i1", floats(rng, N, D))
    workspace.feed("o0_grad", floats(rng, T - 1, N, D))
    workspace.run_operator_once(recurrence())
    (backward,) = gradient_ops(recurrence(), ["o0_grad", None, None])[0]
    with pytest.raises(EnforceNotMet, match=r"o0_grad is float32\[2,2,4\]"):
        workspace.run_operator_once(backward)
    with pytest.raises(EnforceNotMet, match="gradients of the inputs"):
        gradient_ops(changed(outputs_with_grads=(5,)), ["o0_grad", None, None])

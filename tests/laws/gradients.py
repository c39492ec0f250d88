"""The gradient law: gradient operators agree with autograd through the forward body, or with finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caffe2.opdef import gradient_ops
from caffe2.proto import caffe2_pb2
from caffe2.runtime.bind import bind
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample


def check_gradient(sample: Sample) -> None:
    """Compare the gradient operators of a sample with what the forward body says.

    Raises AssertionError where they differ, or where nothing was compared.
    """
    op = sample.definition()
    workspace = sample.workspace()
    torch.manual_seed(11)
    workspace.run_operator_once(op)
    given = {name: _cotangent(workspace.require(name).value) for name in dict.fromkeys(op.output)}
    wanted = [f"{n}_grad" if given[n] is not None else None for n in op.output]
    made, g_input = gradient_ops(op, wanted)
    for name, g in given.items():
        if g is not None:
            workspace.feed(f"{name}_grad", g)
    needed = {n for g in made for n in g.input}
    for g in made:
        workspace.run_operator_once(g)
    reached = needed.union(*(g if isinstance(g, tuple) else [g] for g in g_input))
    used = {n: g for n, g in given.items() if g is not None and f"{n}_grad" in reached}
    chosen = _chosen(sample, op, g_input)
    assert chosen, f"{op.type}: nothing to differentiate; except the law with a reason"
    expected = _autograd(sample, op, chosen, used)
    if expected is None:
        expected = _finite_differences(sample, op, chosen, used)
    for k in chosen:
        got = _dense(workspace, g_input[k], sample.workspace().require(f"i{k}").value)
        scale = max(1.0, float(expected[k].abs().max()) if expected[k].numel() else 1.0)
        assert got.shape == expected[k].shape, f"{op.type}: the gradient of input {k} has shape {tuple(got.shape)}"
        limits = {"rtol": sample.tolerance, "atol": sample.tolerance * scale}
        torch.testing.assert_close(got.double(), expected[k].double(), **limits)


def _cotangent(value: Any) -> torch.Tensor | None:
    if not isinstance(value, torch.Tensor) or not value.dtype.is_floating_point:
        return None
    wave = torch.arange(value.numel(), dtype=torch.float64) * 0.7 + 0.3
    return (torch.sin(wave) + 1.5).reshape(value.shape).to(value.dtype)


def _chosen(sample: Sample, op: caffe2_pb2.OperatorDef, g_input: list) -> list[int]:
    if sample.differentiate is not None:
        return list(sample.differentiate)
    cells = sample.workspace()
    floating = [isinstance(v := cells.require(n).value, torch.Tensor) and v.dtype.is_floating_point for n in op.input]
    return [k for k, g in enumerate(g_input) if g and floating[k]]


def _dense(workspace: Workspace, g: Any, like: torch.Tensor) -> torch.Tensor:
    if not isinstance(g, tuple):
        return workspace.require(g).value
    indices, values = (workspace.require(n).value for n in g)
    rows = values.reshape(-1, *like.shape[1:]).to(like.dtype)
    return torch.zeros_like(like).index_add_(0, indices.reshape(-1).long(), rows)


def _forward(sample: Sample, op: caffe2_pb2.OperatorDef, leaves: dict[int, torch.Tensor]) -> Workspace:
    workspace = sample.workspace()
    for k, leaf in leaves.items():
        workspace.require(op.input[k]).value = leaf
    torch.manual_seed(11)
    bind(op, workspace).run()
    return workspace


def _autograd(sample: Sample, op: caffe2_pb2.OperatorDef, chosen: list[int], cotangents: dict) -> dict | None:
    cells = sample.workspace()
    leaves = {k: cells.require(op.input[k]).value.clone().requires_grad_() for k in chosen}
    try:
        after = _forward(sample, op, leaves)
        total = sum((after.require(n).value * g).sum() for n, g in cotangents.items())
        found = torch.autograd.grad(total, [leaves[k] for k in chosen], allow_unused=True)
    except (RuntimeError, NotImplementedError, TypeError):
        return None
    if all(f is None for f in found):
        return None
    return {k: torch.zeros_like(leaves[k]) if f is None else f for k, f in zip(chosen, found)}


def _finite_differences(sample: Sample, op: caffe2_pb2.OperatorDef, chosen: list[int], cotangents: dict) -> dict:
    cells, found = sample.workspace(), {}

    def loss(leaves: dict[int, torch.Tensor]) -> float:
        after = _forward(sample, op, leaves)
        return float(sum((after.require(n).value.double() * g.double()).sum() for n, g in cotangents.items()))

    for k in chosen:
        x = cells.require(op.input[k]).value
        slope, step = np.zeros(x.numel()), 1e-2
        for e in range(x.numel()):
            moved = [x.clone(), x.clone()]
            moved[0].view(-1)[e] += step
            moved[1].view(-1)[e] -= step
            slope[e] = (loss({k: moved[0]}) - loss({k: moved[1]})) / (2 * step)
        found[k] = torch.from_numpy(slope).reshape(x.shape)
    return found

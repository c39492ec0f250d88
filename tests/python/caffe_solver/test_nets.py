"""Trainings of nets of many kinds, held to the same nets in PyTorch: torch's gradients, Caffe's updates by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.proto import caffe_pb2
from caffe2.python import workspace
from caffe2.python.caffe_translator import CaffeSolver, translate_solver
from tests.python.caffe_solver.byhand import Arrays, train

STEPS = 6
OPTIONS = {"base_lr": 0.05, "lr_policy": "fixed", "momentum": 0.9, "weight_decay": 0.01, "max_iter": STEPS}


@dataclass
class Case:
    """A net: its prototxt, the shapes of what is fed and of its parameters, and its loss, a function of both."""

    text: str
    inputs: dict[str, tuple[int, ...]]
    params: dict[str, tuple[int, ...]]
    loss: Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
    mults: dict[str, tuple[float, float]] = field(default_factory=dict)

    def prototxt(self) -> str:
        layers = [
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
            + " ".join(f"dim: {n}" for n in shape)
            + " } } }"
            for name, shape in self.inputs.items()
        ]
        return "\n".join([*layers, self.text])

    def batch(self, rng: np.random.Generator) -> Arrays:
        made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in self.inputs.items()}
        return {name: (a > 0).astype(np.float32) if name == "label" else a for name, a in made.items()}

    def gradients(self, w: Arrays, batch: Arrays) -> tuple[float, Arrays]:
        leaves = {name: torch.tensor(a, dtype=torch.float64, requires_grad=True) for name, a in w.items()}
        loss = self.loss({name: torch.tensor(a, dtype=torch.float64) for name, a in batch.items()}, leaves)
        loss.backward()
        return loss.item(), {n: np.zeros_like(w[n]) if p.grad is None else p.grad.numpy() for n, p in leaves.items()}


def normalized(x: Tensor) -> Tensor:
    """A channel's values less their mean, over their deviation."""
    along = [k for k in range(x.dim()) if k != 1]
    variance, mean = torch.var_mean(x, along, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)


def fc(bottom: str, top: str, count: int, more: str = "") -> str:
    return f"""layer {{ name: "{top}" type: "InnerProduct" bottom: "{bottom}" top: "{top}" {more}
      inner_product_param {{ num_output: {count} weight_filler {{ type: "xavier" }} }} }}"""


def crossed(scores: Tensor, feed: dict[str, Tensor]) -> Tensor:
    return F.cross_entropy(scores, feed["label"].long())


BATCH_NORM = Case(
    """layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param {
      num_output: 3 kernel_size: 3 bias_term: false weight_filler { type: "msra" } } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
    layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    """
    + fc("conv", "ip", 2)
    + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }',
    {"x": (6, 2, 5, 5), "label": (6,)},
    {"conv_w": (3, 2, 3, 3), "scale_w": (3,), "scale_b": (3,), "ip_w": (2, 27), "ip_b": (2,)},
    lambda f, p: crossed(
        F.relu(
            normalized(F.conv2d(f["x"], p["conv_w"])) * p["scale_w"][:, None, None] + p["scale_b"][:, None, None]
        ).flatten(1)
        @ p["ip_w"].T
        + p["ip_b"],
        f,
    ),
)

LOSSES = Case(
    fc("x", "a", 4)
    + 'layer { name: "tanh" type: "TanH" bottom: "a" top: "t" }'
    + fc("t", "b", 2)
    + fc("t", "c", 3)
    + """layer { name: "first" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "first" loss_weight: 0.5 }
    layer { name: "second" type: "EuclideanLoss" bottom: "c" bottom: "y" loss_weight: 2 }
    layer { name: "size" type: "Reduction" bottom: "t" top: "size" loss_weight: 0.25
      reduction_param { operation: SUMSQ axis: 1 } }""",
    {"x": (5, 3), "y": (5, 3), "label": (5,)},
    {"a_w": (4, 3), "a_b": (4,), "b_w": (2, 4), "b_b": (2,), "c_w": (3, 4), "c_b": (3,)},
    lambda f, p: (
        lambda t: (
            0.5 * crossed(t @ p["b_w"].T + p["b_b"], f)
            + 2 * (t @ p["c_w"].T + p["c_b"] - f["y"]).square().sum() / 10
            + 0.25 * t.square().sum()
        )
    )(torch.tanh(f["x"] @ p["a_w"].T + p["a_b"])),
)

SHARED = Case(
    fc("x", "one", 3, 'param { name: "w" lr_mult: 2 } param { name: "b" decay_mult: 0 }')
    + fc("y", "two", 3, 'param { name: "w" } param { name: "b" }')
    + 'layer { name: "loss" type: "ContrastiveLoss" bottom: "one" bottom: "two" bottom: "label" top: "loss" }',
    {"x": (6, 4), "y": (6, 4), "label": (6,)},
    {"one_w": (3, 4), "one_b": (3,)},
    lambda f, p: (lambda d: torch.where(f["label"] > 0, d, (1 - d.sqrt()).clamp_min(0) ** 2).sum() / 12)(
        ((f["x"] - f["y"]) @ p["one_w"].T).square().sum(1)
    ),
    {"one_w": (2, 1), "one_b": (1, 0)},
)

FROZEN = Case(
    fc("x", "a", 4, "param { lr_mult: 0 } param { lr_mult: 0 }")
    + 'layer { name: "r" type: "Sigmoid" bottom: "a" top: "a" }'
    + fc("a", "b", 4)
    + fc("b", "c", 2, "propagate_down: false")
    + fc("b", "d", 2, "param { decay_mult: 3 }")
    + """layer { name: "e" type: "Eltwise" bottom: "c" bottom: "d" top: "e" eltwise_param { coeff: 1 coeff: -0.5 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "e" bottom: "label" top: "loss" }""",
    {"x": (5, 3), "label": (5,)},
    {
        f"{n}_{k}": s
        for n, m in (("a", 3), ("b", 4), ("c", 4), ("d", 4))
        for k, s in (("w", (2 if n in "cd" else 4, m)), ("b", (2 if n in "cd" else 4,)))
    },
    lambda f, p: (lambda b: crossed(b.detach() @ p["c_w"].T + p["c_b"] - 0.5 * (b @ p["d_w"].T + p["d_b"]), f))(
        torch.sigmoid(f["x"] @ p["a_w"].T + p["a_b"]) @ p["b_w"].T + p["b_b"]
    ),
    {"a_w": (0, 1), "a_b": (0, 1), "d_w": (1, 3)},
)

CASES = {"batch norm": BATCH_NORM, "losses": LOSSES, "shared": SHARED, "frozen": FROZEN}


def begun(case: Case, folder: Path, data: list[Arrays], **options) -> tuple[CaffeSolver, Arrays]:
    """A solver about to make its first step, and its parameters."""
    workspace.ResetWorkspace()
    (folder / "net.prototxt").write_text(case.prototxt())
    stream = iter(data)
    solver = translate_solver(
        caffe_pb2.SolverParameter(net=str(folder / "net.prototxt"), **{**OPTIONS, **options}),
        feed=lambda phase: next(stream),
    )
    solver.begin()
    rng = np.random.default_rng(5)
    w = {name: (0.5 * rng.standard_normal(shape)).astype(np.float32) for name, shape in case.params.items()}
    for name, array in w.items():
        assert workspace.FetchBlob(name).shape == array.shape
        workspace.FeedBlob(name, array)
    return solver, w


@pytest.mark.parametrize(
    "kind", [{}, {"type": "Adam", "base_lr": 0.01}, {"iter_size": 2, "clip_gradients": 0.3}], ids=str
)
@pytest.mark.parametrize("name", CASES)
def test_losses_and_parameters(name: str, kind: dict, tmp_path: Path) -> None:
    case, rng = CASES[name], np.random.default_rng(0)
    data = [case.batch(rng) for _ in range(STEPS * kind.get("iter_size", 1))]
    solver, w = begun(case, tmp_path, data, **kind)
    mults = {name: case.mults.get(name, (1, 1)) for name in w}
    want = train({**OPTIONS, **kind}, w, data, mults, case.gradients)
    got = [solver.step() for _ in range(STEPS)]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    for blob, array in w.items():
        np.testing.assert_allclose(workspace.FetchBlob(blob), array, rtol=2e-5, atol=2e-6, err_msg=blob)


def test_batch_norm_keeps_sums_over_a_factor(tmp_path: Path) -> None:
    """Each pass: a sum becomes 0.999 times itself plus the batch's mean, or unbiased variance; the factor counts 1."""
    case, rng = BATCH_NORM, np.random.default_rng(0)
    data = [case.batch(rng) for _ in range(3)]
    solver, w = begun(case, tmp_path, data, base_lr=0.0, test_iter=[1], test_interval=2, test_initialization=False)
    mean, var, factor = np.zeros(3), np.zeros(3), 0.0
    for batch in data[:2]:
        y = F.conv2d(torch.tensor(batch["x"]), torch.tensor(w["conv_w"])).double().numpy()
        mean, factor = 0.999 * mean + y.mean((0, 2, 3)), 0.999 * factor + 1
        var = 0.999 * var + y.var((0, 2, 3), ddof=1)
        solver.step()
    for blob, want in (("bn_mean", mean), ("bn_var", var), ("bn_factor", [factor])):
        np.testing.assert_allclose(workspace.FetchBlob(blob), want, rtol=1e-5, atol=1e-6)
    y = F.conv2d(torch.tensor(data[2]["x"]), torch.tensor(w["conv_w"])).numpy()
    y = (y - (mean / factor)[:, None, None]) / np.sqrt((var / factor)[:, None, None] + 1e-5)
    y = np.maximum(y * w["scale_w"][:, None, None] + w["scale_b"][:, None, None], 0).reshape(6, -1)
    want = crossed(torch.tensor(y @ w["ip_w"].T + w["ip_b"]), {"label": torch.tensor(data[2]["label"])})
    np.testing.assert_allclose(solver.test().outputs["loss"], want, rtol=1e-5)


def test_batch_norm_of_one_number_a_channel_has_no_variance(tmp_path: Path) -> None:
    text = fc("x", "ip", 2) + 'layer { name: "bn" type: "BatchNorm" bottom: "ip" top: "bn" loss_weight: 1 }'
    case = Case(text, {"x": (1, 3)}, {"ip_w": (2, 3)}, lambda f, p: f["x"].sum())
    solver, _ = begun(case, tmp_path, [{"x": np.ones((1, 3), np.float32)}])
    assert solver.step() == 0
    assert not workspace.FetchBlob("bn_var").any() and workspace.FetchBlob("bn_mean").all()

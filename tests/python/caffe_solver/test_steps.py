"""Losses and parameters of trainings, step by step against the loop in NumPy: solvers, policies, decay, clipping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe2.proto import caffe_pb2
from caffe2.python import workspace
from caffe2.python.caffe_translator import CaffeSolver, translate_solver
from tests.python.caffe_solver.byhand import MULTS, SHAPES, batches, net_text, parameters, train

STEPS = 8
PLAIN = {"base_lr": 0.1, "lr_policy": "fixed", "max_iter": 20}
SOLVERS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "SGD with momentum": {"momentum": 0.9},
    "Nesterov": {"type": "Nesterov", "momentum": 0.9},
    "AdaGrad": {"type": "AdaGrad", "delta": 1e-4},
    "RMSProp": {"type": "RMSProp", "rms_decay": 0.9, "base_lr": 0.01, "delta": 1e-5},
    "AdaDelta": {"type": "AdaDelta", "momentum": 0.9, "delta": 1e-3, "base_lr": 1.0},
    "Adam": {"type": "Adam", "momentum": 0.9, "momentum2": 0.99, "base_lr": 0.02},
}
CASES = {
    **SOLVERS,
    **{
        f"{name}, all at once": {**s, "weight_decay": 0.05, "iter_size": 2, "clip_gradients": 0.6}
        for name, s in SOLVERS.items()
    },
    "step": {"lr_policy": "step", "gamma": 0.5, "stepsize": 3},
    "exp": {"lr_policy": "exp", "gamma": 0.8},
    "inv": {"lr_policy": "inv", "gamma": 0.3, "power": 0.75},
    "multistep": {"lr_policy": "multistep", "gamma": 0.4, "stepvalue": [2, 5]},
    "poly": {"lr_policy": "poly", "power": 1.5},
    "sigmoid": {"lr_policy": "sigmoid", "gamma": 0.6, "stepsize": 4},
    "L2": {"weight_decay": 0.1},
    "L1": {"weight_decay": 0.1, "regularization_type": "L1"},
    "passes": {"iter_size": 2, "momentum": 0.9},
    "clipped": {"clip_gradients": 0.2},
    "clipped to nothing": {"clip_gradients": 0.0, "weight_decay": 0.1},
    "not clipped": {"clip_gradients": 1e6},
}


def solver_of(folder: Path, options: dict[str, Any], data: list, **more: Any):
    """The solver of the small net with these options, its parameters those of the loop in NumPy."""
    workspace.ResetWorkspace()
    (folder / "net.prototxt").write_text(net_text(more.pop("mults", MULTS)))
    proto = caffe_pb2.SolverParameter(net=str(folder / "net.prototxt"), **{**PLAIN, **options})
    proto.snapshot_prefix = str(folder / "small")
    stream = iter(data)
    made = translate_solver(proto, feed=lambda phase: next(stream), **more)
    return made


def begun(solver: CaffeSolver) -> CaffeSolver:
    """The solver, about to begin, with the parameters of the loop in NumPy."""
    solver.begin()
    for name, array in parameters().items():
        workspace.FeedBlob(name, array)
    return solver


@pytest.mark.parametrize("name", CASES)
def test_losses_and_parameters(name: str, tmp_path: Path) -> None:
    options = {**PLAIN, **CASES[name]}
    data = batches(STEPS * options.get("iter_size", 1))
    solver, w = begun(solver_of(tmp_path, CASES[name], data)), parameters()
    want = train(options, w, data)
    got = [solver.step() for _ in range(STEPS)]
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)
    for blob in SHAPES:
        np.testing.assert_allclose(workspace.FetchBlob(blob), w[blob], rtol=1e-4, atol=2e-5, err_msg=blob)
    np.testing.assert_array_equal(workspace.FetchBlob("ip_b"), parameters()["ip_b"])
    assert abs(got[0] - got[-1]) > 1e-3


def test_of_equal_maxima_the_first_learns(tmp_path: Path) -> None:
    """On even ground a convolution is its bias everywhere, and every window is full of equal maxima."""
    data = [{"data": np.zeros_like(batch["data"]), "label": batch["label"]} for batch in batches(3)]
    solver, w = begun(solver_of(tmp_path, {}, data)), parameters()
    want = train(PLAIN, w, data)
    assert [solver.step() for _ in data] == pytest.approx(want, rel=1e-5)
    np.testing.assert_allclose(workspace.FetchBlob("conv_b"), w["conv_b"], rtol=1e-5)
    assert np.abs(w["conv_b"] - parameters()["conv_b"]).max() > 1e-3

"""The learning rate of Caffe's solvers: samples for the laws, and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import samples


def rate(t: int, **args) -> tuple[float, int]:
    """The rate at an iteration, base_lr being 2, and the number of steps done."""
    workspace = Workspace()
    workspace.feed("t", np.array([t]))
    op = caffe2_pb2.OperatorDef(type="CaffeLearningRate", input=["t"], output=["lr", "step"])
    op.arg.extend(make_argument(name, value) for name, value in {"base_lr": 2.0, **args}.items())
    workspace.run_operator_once(op)
    return float(workspace.fetch("lr")[0]), int(workspace.fetch("step")[0])


@samples("CaffeLearningRate")
def _(rng):
    for args in ({"policy": "fixed"}, {"policy": "multistep", "gamma": 0.5, "stepvalue": (2, 5)}):
        yield [np.array([7])], {"base_lr": 0.5, **args}


@pytest.mark.parametrize(
    ("t", "want", "args"),
    [
        (9, (2, 0), {"policy": "fixed"}),
        (9, (0.25, 3), {"policy": "step", "gamma": 0.5, "stepsize": 3}),
        (3, (0.25, 0), {"policy": "exp", "gamma": 0.5}),
        (4, (0.5, 0), {"policy": "inv", "gamma": 0.75, "power": 1.0}),
        (4, (1, 1), {"policy": "multistep", "gamma": 0.5, "stepvalue": (4, 6)}),
        (3, (2, 0), {"policy": "multistep", "gamma": 0.5, "stepvalue": (4, 6)}),
        (5, (0.5, 0), {"policy": "poly", "power": 2.0, "max_iter": 10}),
        (10, (0, 0), {"policy": "poly", "power": 2.0, "max_iter": 10}),
        (6, (2 / (1 + math.exp(-1)), 0), {"policy": "sigmoid", "gamma": 0.5, "stepsize": 4}),
    ],
)
def test_policies(t: int, want: tuple[float, int], args: dict) -> None:
    assert rate(t, **args) == pytest.approx(want, rel=1e-6)


def test_an_iteration_leaves_one_step_behind() -> None:
    args = {"policy": "multistep", "gamma": 0.5, "stepvalue": (2, 2, 5)}
    assert [rate(t, **args)[1] for t in range(7)] == [0, 0, 1, 2, 2, 3, 3]
    assert [rate(t, start_step=1, since=4, **args)[1] for t in range(4, 7)] == [2, 3, 3]


def test_past_its_end_poly_has_no_rate() -> None:
    assert math.isnan(rate(11, policy="poly", power=0.5, max_iter=10)[0])


@pytest.mark.parametrize("args", [{"policy": "cosine"}, {"policy": "step"}, {"policy": "poly"}], ids=str)
def test_refused(args: dict) -> None:
    with pytest.raises(EnforceNotMet, match="policy"):
        rate(1, **args)

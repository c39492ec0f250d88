"""Iteration counters and learning rates: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.sync.atomic import Mutex
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import floats, samples

WARM = {"start_warmup_multiplier": 0.2, "constant_warmup_num_iter": 10, "linear_warmup_num_iter": 20}
PARTS = {
    "sub_policy_num_iters": [10, 20],
    "sub_policy_0_policy": "exp",
    "sub_policy_0_gamma": 0.5,
    "sub_policy_1_policy": "step",
    "sub_policy_1_gamma": 0.5,
    "sub_policy_1_stepsize": 10,
    "sub_policy_1_lr_scale": 3.0,
}
POLICIES = [
    ({"policy": "fixed"}, {7: 1}),
    ({"policy": "step", "stepsize": 4, "gamma": 0.5}, {0: 1, 4: 0.5, 11: 0.25}),
    ({"policy": "exp", "gamma": 0.5}, {3: 0.125}),
    ({"policy": "inv", "gamma": 1.0, "power": 2.0}, {1: 0.25}),
    ({"policy": "poly", "power": 2.0, "max_iter": 4}, {2: 0.25}),
    ({"policy": "gate", "num_iter": 3, "multiplier_1": 2.0, "multiplier_2": 5.0}, {2: 2, 3: 5}),
    ({"policy": "alter", "active_period": 2, "inactive_period": 3}, {1: 1, 2: 0, 5: 1}),
    ({"policy": "alter", "active_first": 0, "active_period": 2, "inactive_period": 3}, {1: 0, 3: 1, 5: 0}),
    ({"policy": "linearWarmup", "start_multiplier": 0.5, "num_iter": 10}, {0: 0.5, 5: 0.75, 10: 1}),
    ({"policy": "constantWarmup", "multiplier": 0.25, "num_iter": 3}, {2: 0.25, 3: 1}),
    ({"policy": "pieceWarmup", "m1": 2.0, "n1": 1, "m2": 3.0, "n2": 2, "m3": 4.0}, {0: 2, 1: 3, 2: 4}),
    ({"policy": "hill", "num_iter": 2, "gamma": 1.0, "power": 1.0, "end_multiplier": 0.3}, {1: 0.5, 3: 0.5, 9: 0.3}),
    ({"policy": "slope", "num_iter_1": 2, "multiplier_1": 1.0, "num_iter_2": 6}, {1: 1, 4: 0.5, 9: 0}),
    ({"policy": "cyclical", "max_lr": 1.5, "stepsize": 2, "decay": 0.5}, {0: 1, 2: 3, 3: 2, 6: 2}),
    ({"policy": "cosine", "max_lr": 2.0, "min_lr": 1.0, "period": 4, "lr_shrink": 0.5}, {0: 2, 2: 1.5, 4: 1}),
    ({"policy": "cosine", "max_lr": 2.0, "min_lr": 0.0, "period": 4, "t_mult": 2.0}, {2: 1, 8: 0.99}),
    ({"policy": "constantThenLinearWarmup", **WARM}, {5: 0.2, 20: 0.6, 30: 1}),
    ({"policy": "compositeCyclical", "cyclical_max_lr": 1.0, "cyclical_step_size": 2, **WARM}, {5: 0.2, 32: 2}),
    ({"policy": "compositeCosine", "cosine_max_lr": 2.0, "cosine_period": 8, **WARM}, {5: 0.2, 30: 2}),
    ({"policy": "composite", **PARTS}, {2: 0.25, 11: 1.5, 40: 0.1875}),
]


@samples("Iter")
def _(rng):
    yield [np.array([3])], {}
    yield [], {}


@samples("AtomicIter")
def _(rng):
    yield [Mutex, np.array([3])], {}


@samples("LearningRate")
def _(rng):
    for args, _ in POLICIES:
        yield [np.array([12])], {"base_lr": 0.5, **args}


@samples("LearningRateAdaption")
def _(rng):
    yield [floats(rng, 1), floats(rng, 2, 3), floats(rng, 2, 3)], {}
    yield [floats(rng, 1), floats(rng, 4), floats(rng, 4)], {"normalized_lr_adaption": 0, "lr_alpha": 0.2}
    yield [floats(rng, 1), np.zeros(4, np.float32), floats(rng, 4)], {}


@pytest.mark.parametrize("args, wanted", POLICIES, ids=[a["policy"] for a, _ in POLICIES])
def test_policies(run, args, wanted):
    for t, factor in wanted.items():
        assert run("LearningRate", np.array([t]), base_lr=0.5, **args) == pytest.approx(0.5 * factor, abs=1e-6)


@pytest.mark.parametrize(
    "args, why",
    [
        ({"policy": "steps"}, "did you mean step"),
        ({"policy": "step"}, "stepsize of the policy step is positive"),
        ({"policy": "composite"}, "sub_policy_num_iters"),
        ({"policy": "composite", **PARTS, "sub_policy_1_policy": "composite"}, "no policy is named 'composite'"),
    ],
)
def test_policies_that_cannot_work_are_refused(run, args, why):
    with pytest.raises(EnforceNotMet, match=why):
        run("LearningRate", np.array([1]), base_lr=0.5, **args)


def test_iter_without_an_input_goes_on_from_its_output():
    workspace = Workspace()
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[caffe2_pb2.OperatorDef(type="Iter", output=["i"])]))
    net.run()
    net.run()
    assert workspace.fetch("i").tolist() == [2]


@pytest.mark.parametrize("held", [np.array([-1]), np.array([1, 2])])
def test_iter_counts_from_one_number(run, held):
    with pytest.raises(EnforceNotMet, match="iter holds"):
        run("Iter", held)

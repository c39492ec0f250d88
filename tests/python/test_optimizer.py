"""Optimizers reach the solution of a small regression, and say what they do not support."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import brew, core, optimizer, workspace
from caffe2.python.model_helper import ModelHelper

SOLUTION = np.array([2, 6, 5, 0, 1], np.float32)


@pytest.fixture(autouse=True)
def fresh() -> None:
    workspace.ResetWorkspace()


def regression() -> ModelHelper:
    model = ModelHelper("regression")
    brew.fc(model, "data", "fc", SOLUTION.size, 1, ("ConstantFill", {}))
    model.AveragedLoss(model.SquaredL2Distance(["fc", "label"]), "loss")
    model.AddGradientOperators(["loss"])
    return model


def lookup() -> ModelHelper:
    model = ModelHelper("lookup")
    table = model.param_init_net.ConstantFill([], "table", shape=[5, 2], value=1.0)
    model.AddParameter(table)
    model.net.SumElements(model.net.Gather([table, "indices"], "rows"), "loss")
    model.AddGradientOperators(["loss"])
    return model


def losses(model: ModelHelper, steps: int) -> list[float]:
    data = np.random.RandomState(0).rand(20, SOLUTION.size).astype(np.float32)
    workspace.FeedBlob("data", data)
    workspace.FeedBlob("label", (data @ SOLUTION)[:, None])
    workspace.RunNetOnce(model.param_init_net)
    workspace.CreateNet(model.net, True)
    found = []
    for _ in range(steps):
        workspace.RunNet(model.net)
        found.append(float(workspace.FetchBlob("loss")))
    return found


@pytest.mark.parametrize(
    "build",
    [
        lambda m: optimizer.build_sgd(m, 0.1),
        lambda m: optimizer.build_sgd(m, 0.02, momentum=0.9),
        lambda m: optimizer.build_adagrad(m, 1.0),
        lambda m: optimizer.build_wngrad(m, 10.0, moment_init=10.0),
        lambda m: optimizer.build_storm(m, 2.0),
        lambda m: optimizer.build_adadelta(m, 1.0, decay=0.9),
        lambda m: optimizer.build_ftrl(m, engine=None, alpha=1.0, beta=0.1),
        lambda m: optimizer.build_adam(m, 0.1),
        lambda m: optimizer.build_yellowfin(m, 0.02),
        lambda m: optimizer.build_rms_prop(m, 0.05, epsilon=0.1),
    ],
    ids=["sgd", "momentum", "adagrad", "wngrad", "storm", "adadelta", "ftrl", "adam", "yellowfin", "rmsprop"],
)
def test_the_loss_falls(build) -> None:
    model = regression()
    build(model)
    found = losses(model, 200)
    assert found[-1] < 0.05 * found[0]


def test_the_rate_is_scaled_before_the_update_is_built() -> None:
    model = regression()
    sgd = optimizer.SgdOptimizer(0.5)
    sgd.scale_learning_rate(0.25)
    optimizer._build(model, sgd)
    (rate,) = [op for op in model.Proto().op if op.type == "LearningRate"]
    assert rate.arg[0].f == -0.125
    with pytest.raises(NotImplementedError):
        optimizer.Optimizer().scale_learning_rate(2.0)


def test_the_norm_of_all_gradients_is_bounded_and_the_rate_injected() -> None:
    model = regression()
    optimizer.build_sgd(model, 1.0, max_gradient_norm=0.5, allow_lr_injection=True)
    losses(model, 1)
    assert np.linalg.norm(workspace.FetchBlob("fc_w")) <= 0.5
    assert optimizer.get_lr_injection() == 1.0
    before = workspace.FetchBlob("fc_w")
    optimizer.set_lr_injection(0.0)
    workspace.RunNet(model.net)
    np.testing.assert_array_equal(workspace.FetchBlob("fc_w"), before)


def test_a_rate_of_zero_leaves_parameters_alone() -> None:
    for build in (optimizer.build_sgd, optimizer.build_adagrad, optimizer.build_adam):
        model = regression()
        before = len(model.Proto().op)
        build(model, 0)
        assert len(model.Proto().op) == before


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda m: optimizer.build_sgd(m, -1.0), "positive base learning rate, got -1.0"),
        (lambda m: optimizer.build_sgd(m, 1.0, lars=-1.0), "nonnegative, got -1.0"),
        (lambda m: optimizer.build_adagrad(m, 1.0, rowWise=True), "rowWise is for sparse"),
        (lambda m: optimizer.build_adam(m, 1.0, rowWise=True), "rowWise is for sparse"),
        (lambda m: optimizer.build_adagrad(m, 1.0, weight_decay=0.1, lars=0.5), "LARS"),
        (lambda m: optimizer.build_adagrad(m, 1.0, pruning_options={"mask_db_path": "p"}), "mask_db_type"),
    ],
)
def test_what_dense_gradients_do_not_support(build, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        build(regression())


@pytest.mark.parametrize(
    "build",
    [
        lambda m: optimizer.build_yellowfin(m),
        lambda m: optimizer.build_rms_prop(m, 0.1),
        lambda m: optimizer.build_fp16_sgd(m, 0.1),
        lambda m: optimizer.build_adagrad(m, 0.1, decay=0.5),
    ],
)
def test_what_sparse_gradients_do_not_support(build) -> None:
    with pytest.raises(AssertionError, match="sparse"):
        build(lookup())


def test_the_device_of_a_parameter() -> None:
    gpu = core.DeviceOption(caffe2_pb2.CUDA, 1)
    sparse = core.GradientSlice(core.BlobReference("i"), core.BlobReference("v"))
    assert optimizer.get_param_device("w", "g", {"g": gpu}) == gpu
    assert optimizer.get_param_device("w", sparse, {"i": gpu}) == gpu
    assert optimizer.get_param_device("w", "g", {}, gpu) == gpu
    with pytest.raises(AssertionError, match="Cannot infer device for w"):
        optimizer.get_param_device("w", "g")

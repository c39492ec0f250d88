"""Data-parallel models: replicas on the CPU, alone and in two processes."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from caffe2.python import brew, core, data_parallel_model, model_helper, optimizer, workspace


def forward(model, loss_scale):
    fc = brew.fc(model, "data", "fc", dim_in=3, dim_out=1)
    distance = model.net.SquaredL2Distance([model.net.FlattenToVec(fc, "flat"), "label"], "distance")
    return [model.net.Scale(model.net.AveragedLoss(distance, "loss"), scale=loss_scale)]


def sgd(model):
    return optimizer.build_sgd(model, 0.1)


def parallel(devices, **kwargs):
    workspace.ResetWorkspace()
    model = model_helper.ModelHelper(name=f"on{len(devices)}")
    data_parallel_model.Parallelize_CPU(model, lambda m: None, forward, devices=devices, **kwargs)
    return model


def feed(devices, data):
    for device, part in zip(devices, np.split(data, len(devices))):
        workspace.FeedBlob(f"cpu_{device}/data", part)
        workspace.FeedBlob(f"cpu_{device}/label", part.sum(1))


def trained(devices, rounds=3, **kwargs):
    """A weight after some rounds on the same data, split among the devices."""
    model = parallel(devices, optimizer_builder_fun=sgd, **kwargs)
    feed(devices, np.random.RandomState(1).rand(8, 3).astype(np.float32))
    model.param_init_net.ConstantFill([], "cpu_0/fc_w", shape=[1, 3], value=0.5)
    data_parallel_model.AddBlobSync(model, ["fc_w"], net=model.param_init_net)
    data_parallel_model.RunInitNet(model)
    data_parallel_model.RunNet(model, rounds)
    return [workspace.FetchBlob(f"cpu_{d}/fc_w") for d in devices]


def test_replicas_learn_what_one_model_learns():
    (one,) = trained([0])
    for many in (trained([0, 1]), trained([0, 1, 2, 3])):
        for weight in many:
            np.testing.assert_allclose(weight, one, rtol=1e-5)
    assert not np.allclose(one, 0.5)


def test_a_shared_model_has_one_set_of_parameters():
    model = parallel([0, 1], optimizer_builder_fun=sgd, shared_model=True)
    assert [str(p) for p in model.GetParams()] == ["cpu_0/fc_w", "cpu_0/fc_b"]
    assert not any("cpu_1/fc_w" in [*op.input, *op.output] for op in model.net.Proto().op)


def test_checkpoints_are_the_first_device_s():
    model = parallel([1, 2], optimizer_builder_fun=sgd)
    names = {str(b) for b in data_parallel_model.GetCheckpointParams(model)}
    assert {"cpu_1/fc_w", "cpu_1/fc_b", "optimizer_iteration"} <= names
    assert not any(name.startswith("cpu_2/") for name in names)
    assert data_parallel_model.GetLearningRateBlobNames(model)
    feed([1, 2], np.ones((4, 3), np.float32))
    data_parallel_model.RunInitNet(model)
    workspace.FeedBlob("cpu_1/fc_w", np.full((1, 3), 7, np.float32))
    data_parallel_model.FinalizeAfterCheckpoint(model, cpu_mode=True)
    assert workspace.FetchBlob("cpu_2/fc_w").tolist() == [[7, 7, 7]]


def test_a_predictor_of_the_first_replica():
    model = parallel([0, 1])
    net, blobs = data_parallel_model.ExtractPredictorNet(model, ["data"], ["fc"], core.DeviceOption(0))
    assert [op.output[0] for op in net.Proto().op] == ["fc"] and {"cpu_0/fc_w", "cpu_0/fc_b"} <= set(map(str, blobs))


def test_models_that_train_apart_are_averaged():
    workspace.ResetWorkspace()
    model = model_helper.ModelHelper(name="blocks")

    def update(m):
        rate = m.param_init_net.ConstantFill([], "rate", shape=[1], value=-0.1)
        one = m.param_init_net.ConstantFill([], "one", shape=[1], value=1.0)
        for param in m.GetParams():
            m.net.WeightedSum([param, one, m.param_to_grad[param], rate], param)

    data_parallel_model.Parallelize_CPU_BMUF(
        model, lambda m: None, forward, update, devices=[0, 1], block_momentum=0.0, nesterov=True
    )
    feed([0, 1], np.random.RandomState(1).rand(8, 3).astype(np.float32))
    data_parallel_model.RunInitNet(model)
    workspace.RunNet(model.net, 2)
    apart = [workspace.FetchBlob(f"cpu_{d}/fc_w") for d in (0, 1)]
    workspace.RunNet(model._global_model_param_updates_net)
    assert not np.allclose(*apart)
    start = workspace.FetchBlob("cpu_0/fc_w")
    np.testing.assert_array_equal(start, workspace.FetchBlob("cpu_1/fc_w"))
    assert workspace.HasBlob("cpu_0/fc_w_prev")


def test_misuse_is_refused():
    with core.DeviceScope(core.DeviceOption(workspace.GpuDeviceType, 0)):
        with pytest.raises(AssertionError, match="without device-scope"):
            data_parallel_model.Parallelize_GPU(None, None, None)
    with pytest.raises(AssertionError, match="Can only specify one"):
        parallel([0], optimizer_builder_fun=sgd, param_update_builder_fun=sgd)
    model = parallel([0], optimizer_builder_fun=sgd)
    with pytest.raises(AssertionError, match="unprefixed"):
        data_parallel_model.AddBlobSync(model, ["cpu_0/x"])


PROGRAM = """
import json, sys
import numpy as np
from caffe2.python import core, data_parallel_model, workspace
from tests.python.test_data_parallel_model import feed, parallel, sgd

rank, folder = int(sys.argv[1]), sys.argv[2]
meeting = {"kv_handler": "store", "num_shards": 2, "shard_id": rank, "engine": "GLOO"}
model = parallel([0, 1], optimizer_builder_fun=sgd, rendezvous=meeting)
workspace.RunOperatorOnce(core.CreateOperator("FileStoreHandlerCreate", [], ["store"], path=folder))
feed([0, 1], np.random.RandomState(rank).rand(4, 3).astype(np.float32))
data_parallel_model.RunInitNet(model)
data_parallel_model.RunNet(model, 2)
same = data_parallel_model._RunComparison(model, "cpu_1/fc_w")
print(json.dumps([same, *(workspace.FetchBlob(f"cpu_{d}/fc_w").tolist() for d in (0, 1))]))
"""


def test_two_processes_train_one_model(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    root = pathlib.Path(__file__).parents[2]
    both = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root)
        for rank in range(2)
    ]
    try:
        zero, one = (json.loads(p.communicate(timeout=100)[0].splitlines()[-1]) for p in both)
    finally:
        for process in both:
            process.kill()
    assert zero == one and zero[0] is True and zero[1] == zero[2]

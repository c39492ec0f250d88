"""Data-parallel models at work: running them, checkpoints, predictors."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, model_helper, scope, workspace
from caffe2.python._data_parallel.grouping import _ComputeBlobsToSync, device_scope, stripBlobName
from caffe2.python._data_parallel.sync import _SyncAllParams, alone

log = logging.getLogger("data_parallel_model")


def CreateNet(model: Any, overwrite: bool = False) -> None:
    """Create the nets of a model."""
    for net in model._data_parallel_model_nets:
        workspace.CreateNet(net[0] if isinstance(net, tuple) else net, overwrite=overwrite)


def RunInitNet(model: Any) -> None:
    """Fill the parameters of a model, and create its nets."""
    for net in model._data_parallel_model_init_nets:
        workspace.RunNetOnce(net)
    CreateNet(model)


def RunWarmup(model: Any) -> None:
    """Run the warm-up iterations of a model, and copy the parameters of the first device to all."""
    workspace.RunNet(model.net, model._warmup_iterations)
    workspace.RunNetOnce(model._warmup_broadcast)


def RunNet(model: Any, num_iterations: int) -> None:
    """Run the nets of a model in order: each so many times, or as often as it says itself."""
    for net in model._data_parallel_model_nets:
        if isinstance(net, tuple):
            workspace.RunNet(net[0].Proto().name, net[1])
        else:
            workspace.RunNet(net, num_iterations)


def ConvertNetForDevice(net: Any, device: caffe2_pb2.DeviceOption | None = None) -> Any:
    """A copy of a net for a device, the current one unless given: on it, and its blobs in the device's name scope.

    A forward_pass_builder_fun appends a net of another model with it.
    Raises NotImplementedError for a net with RecurrentNetwork, which has nets within.
    """
    made = copy.deepcopy(net)
    device = scope.CurrentDeviceScope() if device is None else device
    kind = "ideep" if device.device_type == caffe2_pb2.IDEEP else "cpu"
    space = f"{'gpu' if core.IsGPUDeviceType(device.device_type) else kind}_{device.device_id}/"
    proto = made.Proto()
    for op in proto.op:
        if "RecurrentNetwork" in op.type:
            raise NotImplementedError("RecurrentNetwork conversion not yet supported")
        op.device_option.CopyFrom(device)
    named = [names for op in proto.op for names in (op.input, op.output, op.control_input)]
    for names in [*named, proto.external_input, proto.external_output]:
        names[:] = [space + name for name in names]
    return made


def ExtractPredictorNet(model: Any, inputs: Sequence[str], outputs: Sequence[str], device: Any) -> tuple[Any, Any]:
    """A net from inputs to outputs, named without devices, taken from the first replica, and the blobs it needs."""
    space = f"{device_scope(model, model._devices[0])}/"
    inside, outside = [space + str(b) for b in inputs], [space + str(b) for b in outputs]
    return model_helper.ExtractPredictorNet(
        net_proto=model.net.Proto(),
        input_blobs=inside,
        output_blobs=outside,
        device=device,
        renames=dict(zip(inside + outside, [*inputs, *outputs])),
    )


def GetCheckpointParams(model: Any) -> set[Any]:
    """The blobs of a full checkpoint: what the first device has to keep, and the counters of iterations."""
    blobs, _ = _ComputeBlobsToSync(model)
    first = {b for b in blobs if str(b).startswith(f"{device_scope(model, model._devices[0])}/")}
    counts = {op.output[0] for op in model.net.Proto().op if op.type in ("Iter", "AtomicIter")}
    return first | {b for b in counts if not b.startswith(f"{model._device_prefix}_")}


def FinalizeAfterCheckpoint(model: Any, blobs: Iterable[Any] | None = None, cpu_mode: bool = False) -> None:
    """Copy what was loaded on the first device to all others; `blobs`, else all that a checkpoint holds."""
    if not hasattr(model, "_checkpoint_net"):
        names = _ComputeBlobsToSync(model)[1] if blobs is None else [stripBlobName(b) for b in blobs]
        _create_checkpoint_net(model, names, cpu_mode)
    log.info("Run checkpoint net")
    workspace.RunNet(model._checkpoint_net.Proto().name)


def _create_checkpoint_net(model: Any, names: Iterable[str], cpu_mode: bool) -> None:
    devices = model.GetDevices()
    for name in names:
        replicas = {d: core.BlobReference(f"{device_scope(model, d)}/{name}") for d in devices}
        model._device_grouped_blobs.setdefault(name, replicas)
    net = model._checkpoint_net = core.Net("checkpoint_sync_net")
    init = None if alone(model._rendezvous) else core.Net("checkpoint_init_net")
    for made in (net, init):
        if made is not None and not cpu_mode:
            made.RunAllOnGPU()
    _SyncAllParams(devices, model, init, net, model._rendezvous, names, max_concurrent_distributed_ops=1)
    if init is not None:
        workspace.RunNetOnce(init)
    workspace.CreateNet(net)


def GetLearningRateBlobNames(model: Any) -> list[str]:
    """The blobs that hold the learning rates of a model's optimizer, or of its LearningRate operators."""
    if getattr(model, "_optimizer", None) is None:
        return [op.output[0] for op in model.net.Proto().op if op.type == "LearningRate"]
    if core.IsGPUDeviceType(model._device_type):
        return [model._optimizer.get_gpu_blob_name("lr", gpu, "") for gpu in model._devices]
    return [model._optimizer.get_cpu_blob_name("lr")]

"""Operators that keep the replicas of a model alike: sums of gradients, copies of parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python._data_parallel.grouping import _IsGPUBlob, _IsIDEEPBlob, device_scope
from caffe2.python._data_parallel.worlds import CollectivesConcurrencyControl, Rendezvous, _CreateOrCloneCommonWorld
from caffe2.python._misuse import demand

log = logging.getLogger("data_parallel_model")

TREES = {
    16: [(2 * j, 2 * j + 1) for j in range(8)]
    + [(4 * j, 4 * j + 2) for j in range(4)]
    + [(8 * j, 8 * j + 4) for j in range(2)]
    + [(0, 8)],
    8: [(2 * j, 2 * j + 1) for j in range(4)] + [(4 * j, 4 * j + 2) for j in range(2)] + [(0, 4)],
    4: [(0, 1), (2, 3), (0, 2)],
}
"""Which replicas are added, in turn, by the number of devices; for other numbers all at once."""


def alone(rendezvous: Rendezvous | None) -> bool:
    """Whether one process trains the model."""
    return rendezvous is None or rendezvous["num_shards"] <= 1


def _group(model: Any, name: str) -> list[Any]:
    return list(model._device_grouped_blobs[name].values())


def _option(model: Any, name: str, device: int) -> caffe2_pb2.DeviceOption:
    if _IsGPUBlob(model, name):
        return core.DeviceOption(workspace.GpuDeviceType, device)
    return core.DeviceOption(caffe2_pb2.IDEEP if _IsIDEEPBlob(model, name) else caffe2_pb2.CPU, 0)


def _Broadcast(devices: Sequence[int], model: Any, net: Any, param: str, use_nccl: bool = False) -> None:
    """Copy a blob from the first device to the others."""
    if use_nccl and _IsGPUBlob(model, param):
        with core.DeviceScope(core.DeviceOption(model._device_type, devices[0])):
            net.NCCLBroadcast(_group(model, param), _group(model, param), root=0)
        return
    blobs = model._device_grouped_blobs[param]
    for device in devices[1:]:
        with core.DeviceScope(_option(model, param, device)):
            net.Copy(blobs[devices[0]], blobs[device])


def _AllReduce(
    devices: Sequence[int], model: Any, net: Any, param: str, use_nccl: bool = False, control_input: Any = None
) -> None:
    """Give every device the sum of a blob over all of them."""
    group = _group(model, param)
    if model._device_type == caffe2_pb2.CUDA and use_nccl:
        model.NCCLAllreduce(group, group, control_input=control_input)
        return
    on_gpus = model._device_type == workspace.GpuDeviceType
    reach = workspace.GetGpuPeerAccessPattern() if on_gpus else None
    for members in TREES.get(len(devices), [tuple(range(len(devices)))]):
        numbers, blobs = [model._devices[i] for i in members], [group[i] for i in members]
        with core.DeviceScope(core.DeviceOption(model._device_type, numbers[0])):
            for i, peer in enumerate(numbers[1:], 1):
                if reach is not None and reach.size and not reach[numbers[0], peer]:
                    blobs[i] = model.Copy(blobs[i], f"gpu_{numbers[0]}/{param}_gpu{peer}_copy")
            net.Sum(blobs, [blobs[0]], name="dpm")
    _Broadcast(devices, model, net, param)


def _SyncAllParams(
    devices: Sequence[int],
    model: Any,
    init_net: Any,
    net: Any,
    rendezvous: Rendezvous | None,
    unique_param_names: Iterable[str],
    max_concurrent_distributed_ops: int = 4,
) -> None:
    """Copy blobs from the first device, of the first process, to all others."""
    if alone(rendezvous):
        for param in sorted(unique_param_names):
            _Broadcast(devices, model, net, param)
        return
    if model._broadcast_context is None:
        model._broadcast_context = CollectivesConcurrencyControl(
            "broadcast", max_concurrent_distributed_ops, init_net, rendezvous
        )
    for name in sorted(unique_param_names):
        _broadcast_to_all(devices, model, net, rendezvous, name)


def _broadcast_to_all(devices: Sequence[int], model: Any, net: Any, rendezvous: Rendezvous, name: str) -> None:
    def broadcast(blobs: list[Any]) -> None:
        world, before = model._broadcast_context.get_control_and_context(blobs)
        engine = rendezvous["engine"]
        net.Broadcast(inputs=[world, *blobs], outputs=blobs, name=name, engine=engine, control_input=before)

    group, master = _group(model, name), model._device_grouped_blobs[name][devices[0]]
    here = core.DeviceOption(model._device_type, devices[0]) if _IsGPUBlob(model, name) else _option(model, name, 0)
    if rendezvous["engine"] == "GLOO":
        with core.DeviceScope(here):
            broadcast(group)
        return
    with core.DeviceScope(here):
        on_cpu = net.CopyGPUToCPU(master, f"{master}cpu")
    with core.DeviceScope(core.DeviceOption(caffe2_pb2.CPU)):
        broadcast([on_cpu])
    with core.DeviceScope(here):
        net.CopyCPUToGPU(on_cpu, master)
    _Broadcast(devices, model, net, name)


def AddBlobSync(model: Any, blobs: Sequence[str], net: Any = None) -> None:
    """Copy blobs, named without devices, from the first device to all others whenever `net`, the model's, runs."""
    if not blobs:
        return
    for name in blobs:
        demand(not name.startswith(model._device_prefix), f"Provide unprefixed blob name: {name}")
        model._device_grouped_blobs[name] = {
            d: core.BlobReference(f"{device_scope(model, d)}/{name}") for d in model._devices
        }
    net = model.net if net is None else net
    _SyncAllParams(model._devices, model, model.param_init_net, net, model._rendezvous, set(blobs))


def AddDistributedBlobSync(model: Any, blobs: Sequence[Any]) -> None:
    """Sum blobs over all processes, not over devices, whenever the model's net runs."""
    if model._rendezvous is None:
        return
    name = "blob_sync_cw_" + "_".join(map(str, blobs))
    world = _CreateOrCloneCommonWorld(model.param_init_net, name, rendezvous=model._rendezvous)
    model.net.Allreduce(inputs=[world, *blobs], outputs=list(blobs), engine=model._rendezvous["engine"])


def _AllReduceBlobs(
    blob_names: Sequence[str],
    devices: Sequence[int],
    model: Any,
    net: Any,
    rendezvous: Rendezvous | None,
    use_nccl: bool,
    max_concurrent_distributed_ops: int,
) -> None:
    """Give every device of every process the sum of blobs over all of them."""
    if not alone(rendezvous):
        demand(model.net.Proto().num_workers > 1, "Please specify more than 1 worker")
        most = max_concurrent_distributed_ops
        context = CollectivesConcurrencyControl("allreduce", most, model.param_init_net, rendezvous)
        before = None
        for name in blob_names:
            before = _sum_over_all(name, devices, model, net, rendezvous, context, before)
    elif len(devices) > 1:
        _sum_over_devices(blob_names, devices, model, net, use_nccl)


def _sum_over_all(
    name: str,
    devices: Sequence[int],
    model: Any,
    net: Any,
    rendezvous: Rendezvous,
    context: CollectivesConcurrencyControl,
    before: Any,
) -> Any:
    """Sum one blob over devices and processes; what the next one waits for."""
    here = core.DeviceOption(model._device_type, devices[0])

    def allreduce(blobs: list[Any], **args: Any) -> None:
        with core.DeviceScope(here):
            world, control = context.get_control_and_context(blobs[0])
            engine = rendezvous["engine"]
            net.Allreduce(
                inputs=[world, *blobs], outputs=blobs, name=name, engine=engine, control_input=control, **args
            )

    group, master = _group(model, name), model._device_grouped_blobs[name][devices[0]]
    if rendezvous["engine"] == "GLOO":
        allreduce(group, gpu_direct=rendezvous.get("transport") == "ibverbs")
        return None
    reduced = f"{master}_red"
    with core.DeviceScope(here):
        model.ConstantFill(master, reduced, value=0.0)
        net.NCCLAllreduce(group, group, control_input=before)
        net.Copy(master, reduced)
    allreduce([reduced])
    with core.DeviceScope(here):
        net.Copy(reduced, master)
    _Broadcast(devices, model, net, name)
    return group[0]


def _sum_over_devices(names: Sequence[str], devices: Sequence[int], model: Any, net: Any, use_nccl: bool) -> None:
    last, joined = None, set()
    for name in names:
        group = _group(model, name)
        if len(group) == 1:
            continue
        demand(len(group) == len(devices), f"Each GPU from {devices}, should have a copy of {name}.")
        sparse = isinstance(group[0], core.GradientSlice)
        if _IsGPUBlob(model, name):
            with core.DeviceScope(core.DeviceOption(model._device_type, devices[0])):
                if sparse:
                    _join_slices(name, devices, model, net, joined)
                else:
                    _AllReduce(devices, model, net, name, use_nccl, last)
                    last = group[0]
            continue
        demand(not sparse, "Synchronizing gradient slices not supported")
        with core.DeviceScope(core.DeviceOption(caffe2_pb2.IDEEP if _IsIDEEPBlob(model, name) else caffe2_pb2.CPU)):
            net.Sum(group, [group[0]])
            if not model._shared_model:
                _Broadcast(devices, model, net, name)


def _join_slices(name: str, devices: Sequence[int], model: Any, net: Any, joined: set[Any]) -> None:
    """Give every device the sparse gradients of all: indices, unless another gradient had them joined, and values."""
    slices, prefix = model._device_grouped_blobs[name], f"{device_scope(model, devices[0])}/{name}"
    parts = [] if any(g.indices in joined for g in slices.values()) else [("index", "indices")]
    for word, part in [*parts, ("val", "values")]:
        whole, _ = net.Concat(
            [getattr(g, part) for g in slices.values()],
            [f"{prefix}_{word}_concat", f"{prefix}_{word}_splitinfo"],
            axis=0,
            name="note:data_parallel_model",
        )
        for gpu, g in slices.items():
            with core.DeviceScope(core.DeviceOption(model._device_type, gpu)):
                model.Copy(whole, getattr(g, part))
                joined.add(g.indices)


def _BroadcastComputedParams(
    devices: Sequence[int], model: Any, rendezvous: Rendezvous | None, use_nccl: bool = False
) -> None:
    """Copy computed parameters, such as running means, from the first device to the others of this process."""
    if len(devices) > 1:
        for name in model._computed_param_names:
            _Broadcast(devices, model, model.net, name, use_nccl)
    if rendezvous is not None:
        log.warning("Distributed broadcast of computed params is not implemented yet")

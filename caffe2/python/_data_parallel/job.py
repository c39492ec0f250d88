"""How a model is replicated on several devices and trained there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import cpu_count
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, model_helper, scope, workspace
from caffe2.python._data_parallel.batch_norm import _InterleaveOps, combine_batches
from caffe2.python._data_parallel.grouping import (
    _AnalyzeOperators,
    _ComputeBlobsToSync,
    _GroupByDevice,
    _InferBlobDevice,
    _ValidateParams,
    each_device,
)
from caffe2.python._data_parallel.share import (
    _AddDynamicMemoryOptimization,
    _OptimizeGradientMemorySimple,
    _PruneParametersForSharing,
    _RemapParameterBlobsForSharedModel,
)
from caffe2.python._data_parallel.sync import _AllReduceBlobs, _BroadcastComputedParams, _SyncAllParams
from caffe2.python._data_parallel.worlds import Rendezvous, _AddBarrierToModelNets
from caffe2.python._misuse import demand

log = logging.getLogger("data_parallel_model")


def demand_no_device_scope() -> None:
    """Raise Misuse within the device scope of anything but the CPU."""
    here = scope.CurrentDeviceScope()
    demand(
        here is None or here.device_type == caffe2_pb2.CPU,
        f"Parallelize must be called without device-scope, device scope was: {here}",
    )


def settle_devices(model: Any, devices: Sequence[int], kind: str, rendezvous: Rendezvous | None, shared: bool) -> None:
    """Note in a model where its replicas are; kind: gpu, cpu or ideep."""
    types = {"gpu": workspace.GpuDeviceType, "cpu": caffe2_pb2.CPU, "ideep": caffe2_pb2.IDEEP}
    if kind == "gpu" and any(gpu >= workspace.NumGpuDevices() for gpu in devices):
        log.warning("** Only %s GPUs available, GPUs %s requested", workspace.NumGpuDevices(), devices)
    model._device_type, model._device_prefix = types[kind], kind
    model._devices, model._rendezvous, model._shared_model = devices, rendezvous, shared
    model._sync_barrier_net = model._broadcast_context = None
    model._grad_names = []


def run_on(net: Any, net_type: str, num_workers: int) -> None:
    """Give a net its type and its number of threads."""
    net.Proto().type, net.Proto().num_workers = net_type, num_workers


def _AddGradientOperators(devices: Sequence[int], model: Any, losses_by_gpu: dict[int, Any]) -> None:
    """Add gradients of the losses of all devices, each starting from ones on its device."""
    starts = {}
    for device in devices:
        with core.DeviceScope(core.DeviceOption(model._device_type, device)):
            for loss in losses_by_gpu[device]:
                starts[str(loss)] = str(model.ConstantFill(loss, f"{loss}_grad", value=1.0))
    model.AddGradientOperators(starts)


@dataclass
class Job:
    """One call of Parallelize; its fields are that function's parameters."""

    model_helper_obj: Any
    input_builder_fun: Callable
    forward_pass_builder_fun: Callable
    param_update_builder_fun: Callable | None
    optimizer_builder_fun: Callable | None
    post_sync_builder_fun: Callable | None
    pre_grad_net_transformer_fun: Callable | None
    net_transformer_fun: Callable | None
    devices: Sequence[int] | None
    rendezvous: Rendezvous | None
    net_type: str
    broadcast_computed_params: bool
    optimize_gradient_memory: bool
    dynamic_memory_management: bool
    blobs_to_keep: Iterable[str] | None
    use_nccl: bool
    max_concurrent_distributed_ops: int
    cpu_device: bool
    ideep: bool
    num_threads_per_device: int
    shared_model: bool
    combine_spatial_bn: bool
    barrier_net_timeout_sec: float

    @property
    def trains(self) -> bool:
        return self.param_update_builder_fun is not None or self.optimizer_builder_fun is not None

    def build(self) -> None:
        """Build the replicas and, where the model trains, what keeps them alike."""
        self.check()
        self.settle()
        model = self.model_helper_obj
        fixed = list(model.params)
        losses = self.build_replicas()
        self.group_parameters(fixed)
        if self.pre_grad_net_transformer_fun:
            self.pre_grad_net_transformer_fun(model)
        if self.trains:
            _AddGradientOperators(self.devices, model, losses)
        if self.net_transformer_fun:
            self.net_transformer_fun(model, len(self.devices), model._device_prefix, model._device_type)
        if not self.trains:
            _InferBlobDevice(model)
            return
        if self.combine_spatial_bn:
            _InterleaveOps(model)
            combine_batches(model, self.cpu_device)
        self.sum_gradients(fixed, losses)
        self.update_and_share(losses)

    def check(self) -> None:
        demand_no_device_scope()
        demand(
            self.param_update_builder_fun is None or self.optimizer_builder_fun is None,
            "Can only specify one of param_update_builder_fun, optimizer_builder_fun",
        )
        demand(
            isinstance(self.model_helper_obj, model_helper.ModelHelper),
            f"a ModelHelper is needed, not a {type(self.model_helper_obj).__name__}",
        )
        demand(
            not (self.optimize_gradient_memory and self.dynamic_memory_management),
            "optimize_gradient_memory and dynamic_memory_management do not go together",
        )

    def settle(self) -> None:
        model, kind = self.model_helper_obj, "ideep" if self.ideep else "cpu" if self.cpu_device else "gpu"
        demand(kind != "gpu" or not self.shared_model, "Shared model only supported on CPU")
        demand(not self.shared_model or self.rendezvous is None, "Shared model only supported on single-node currently")
        if self.devices is None:
            self.devices = list(range(workspace.NumCudaDevices() if kind == "gpu" else cpu_count()))
        settle_devices(model, self.devices, kind, self.rendezvous, self.shared_model)
        workers = len(self.devices) * self.num_threads_per_device + (8 if self.rendezvous is not None else 0)
        self.max_concurrent_distributed_ops = min(self.max_concurrent_distributed_ops, workers - 1)
        run_on(model.net, self.net_type, workers)
        if not self.trains and model.init_params:
            log.warning("%s only tests but has init_params=True: its init net overwrites what was trained", model.name)

    def build_replicas(self) -> dict[int, Any]:
        """The losses of each device."""
        shards = 1 if self.rendezvous is None else self.rendezvous["num_shards"]
        scale = 1.0 / (len(self.devices) * shards)

        def build(device: int) -> Any:
            self.input_builder_fun(self.model_helper_obj)
            losses = self.forward_pass_builder_fun(self.model_helper_obj, scale)
            listed = isinstance(losses, list) and all(isinstance(b, core.BlobReference) for b in losses)
            demand(listed or not self.trains, "Model builder function must return list of loss blobs")
            return losses

        return each_device(self.model_helper_obj, build)

    def group_parameters(self, fixed: list[Any]) -> None:
        """fixed: parameters that were there before, and are no replicas."""
        model = self.model_helper_obj
        _ValidateParams(model.params)
        computed = _GroupByDevice(model, self.devices, model.GetComputedParams(""), [])
        model._device_grouped_blobs = _GroupByDevice(model, self.devices, model.params, fixed)
        model._device_grouped_blobs.update(computed)
        model._param_names, model._computed_param_names = list(model._device_grouped_blobs), list(computed)

    def sum_gradients(self, fixed: list[Any], losses: dict[int, Any]) -> None:
        model = self.model_helper_obj
        _ValidateParams(model.params)
        grads = [model.param_to_grad[p] for p in model.params if p in model.param_to_grad]
        grouped = _GroupByDevice(model, self.devices, grads, [model.param_to_grad[p] for p in fixed])
        model._device_grouped_blobs.update(grouped)
        model._grad_names, model._losses_by_gpu = list(grouped), losses
        _InferBlobDevice(model)
        if self.broadcast_computed_params:
            _BroadcastComputedParams(self.devices, model, self.rendezvous, self.use_nccl)
        if not model._grad_names:
            log.info("NOTE: Param builder function did not create any parameters.")
            return
        last_first = list(reversed(model._grad_names))  # in the order in which the gradients come
        most = self.max_concurrent_distributed_ops
        _AllReduceBlobs(last_first, self.devices, model, model.net, self.rendezvous, self.use_nccl, most)

    def update_and_share(self, losses: dict[int, Any]) -> None:
        model, every = self.model_helper_obj, set(self.model_helper_obj.GetParams(""))
        if self.shared_model:
            _PruneParametersForSharing(model)
        if self.param_update_builder_fun is not None:
            each_device(model, lambda device: self.param_update_builder_fun(model))
        else:
            model._optimizer = self.optimizer_builder_fun(model)
        self.copy_parameters()
        if self.optimize_gradient_memory:
            _OptimizeGradientMemorySimple(model, losses, self.devices)
        if self.dynamic_memory_management:
            _AddDynamicMemoryOptimization(model, self.blobs_to_keep, self.devices)
        model._data_parallel_model_init_nets = [model.param_init_net]
        model._data_parallel_model_nets = [model.net]
        _AddBarrierToModelNets(model, self.barrier_net_timeout_sec)
        if self.shared_model:
            _RemapParameterBlobsForSharedModel(model, every)

    def copy_parameters(self) -> None:
        """Have param_init_net copy what it makes on the first device to all others."""
        model = self.model_helper_obj
        blobs, names = _ComputeBlobsToSync(model)
        model._device_grouped_blobs.update(_GroupByDevice(model, self.devices, blobs, []))
        _InferBlobDevice(model)
        _AnalyzeOperators(model)
        model.Proto().arg.add(name="first_iter_only_one_worker", i=1)
        init = model.param_init_net
        _SyncAllParams(self.devices, model, init, init, self.rendezvous, names, max_concurrent_distributed_ops=1)
        if self.post_sync_builder_fun is not None:
            each_device(model, lambda device: self.post_sync_builder_fun(model))

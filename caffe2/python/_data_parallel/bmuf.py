"""Blockwise model-update filtering: devices train on their own, and their models are averaged now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from caffe2.python import core, model_helper, workspace
from caffe2.python._data_parallel.grouping import _GroupByDevice, _InferBlobDevice, _ValidateParams, each_device
from caffe2.python._data_parallel.job import _AddGradientOperators, demand_no_device_scope, run_on, settle_devices
from caffe2.python._data_parallel.share import _OptimizeGradientMemorySimple
from caffe2.python._data_parallel.sync import AddBlobSync, _AllReduceBlobs, _SyncAllParams
from caffe2.python._data_parallel.worlds import Rendezvous, _AddBarrierToModelNets
from caffe2.python._misuse import demand


@dataclass
class BlockJob:
    """One call of Parallelize_BMUF; its fields are that function's parameters."""

    model_helper_obj: Any
    input_builder_fun: Callable
    forward_pass_builder_fun: Callable
    param_update_builder_fun: Callable
    block_learning_rate: float
    block_momentum: float | None
    devices: Sequence[int] | None
    rendezvous: Rendezvous | None
    net_type: str
    master_device: int | None
    use_nccl: bool
    nesterov: bool
    optimize_gradient_memory: bool
    reset_momentum_sgd: bool
    warmup_iterations: int | None
    max_concurrent_distributed_ops: int
    add_blobs_to_sync: Sequence[str] | None
    num_threads_per_device: int
    cpu_device: bool
    barrier_net_timeout_sec: float

    def build(self) -> None:
        """Build the replicas, the net that averages them, and the one that starts that off."""
        demand_no_device_scope()
        self.settle()
        model = self.model_helper_obj
        self.build_replicas()
        names = list(model._device_grouped_blobs)
        if self.warmup_iterations is not None:
            self.warm_up(names)
        for name in names:
            self.start(name)
        updates, most = model._global_model_param_updates_net, self.max_concurrent_distributed_ops
        _AllReduceBlobs(names, self.devices, model, updates, self.rendezvous, self.use_nccl, most)
        for name in names:
            self.update(name)
        _SyncAllParams(self.devices, model, model.param_init_net, updates, self.rendezvous, names, most)
        if self.add_blobs_to_sync is not None:
            AddBlobSync(model, self.add_blobs_to_sync, net=updates)
        self.finish()

    def settle(self) -> None:
        model = self.model_helper_obj
        demand(isinstance(model, model_helper.ModelHelper), f"a ModelHelper is needed, not a {type(model).__name__}")
        if self.devices is None:
            self.devices = list(range(workspace.NumGpuDevices()))
        self.master_device = self.devices[0] if self.master_device is None else self.master_device
        settle_devices(model, self.devices, "cpu" if self.cpu_device else "gpu", self.rendezvous, False)
        self.count = len(self.devices) * (self.rendezvous["num_shards"] if self.rendezvous else 1)
        self.workers = self.num_threads_per_device * len(self.devices) + (8 if self.rendezvous else 0)
        if self.block_momentum is None:
            self.block_momentum = 1.0 - 1.0 / self.count
        self.max_concurrent_distributed_ops = min(self.max_concurrent_distributed_ops, self.workers - 1)
        run_on(model.net, self.net_type, self.workers)
        model._global_model_init_net = self.net("global_model_init")
        model._global_model_param_updates_net = self.net("global_model")

    def net(self, name: str) -> Any:
        made = core.Net(name)
        run_on(made, self.net_type, self.workers)
        return made

    def build_replicas(self) -> None:
        model = self.model_helper_obj
        fixed = list(model.params)

        def build(device: int) -> Any:
            self.input_builder_fun(model)
            return self.forward_pass_builder_fun(model, 1.0 / self.count)

        model._losses_by_gpu = each_device(model, build)
        _ValidateParams(model.params)
        model._device_grouped_blobs = _GroupByDevice(model, self.devices, model.params, fixed)
        model._param_names = list(model._device_grouped_blobs)
        _AddGradientOperators(self.devices, model, model._losses_by_gpu)
        _ValidateParams(model.params)
        _InferBlobDevice(model)
        each_device(model, lambda device: self.param_update_builder_fun(model))

    def on_master(self) -> Any:
        return core.DeviceScope(core.DeviceOption(self.model_helper_obj._device_type, self.master_device))

    def master(self, name: str) -> Any:
        return self.model_helper_obj._device_grouped_blobs[name][self.master_device]

    def warm_up(self, names: Sequence[str]) -> None:
        """A net that copies the first device's parameters to all others after the warm-up."""
        model, most = self.model_helper_obj, self.max_concurrent_distributed_ops
        model._warmup_iterations, model._warmup_broadcast = self.warmup_iterations, self.net("warmup-broadcast")
        init, net = model.param_init_net, model._warmup_broadcast
        _SyncAllParams(self.devices, model, init, net, self.rendezvous, names, most)
        with self.on_master():
            for name in names:
                net.Copy(self.master(name), f"{self.master(name)}_g")

    def start(self, name: str) -> None:
        """The global model is a parameter's first value, its momentum zero."""
        net, param = self.model_helper_obj._global_model_init_net, self.master(name)
        with self.on_master():
            net.ConstantFill(param, f"{param}_v", value=0.0)
            net.Copy(param, f"{param}_g")
            if self.nesterov:
                net.ConstantFill(param, f"{param}_prev", value=0.0)

    def update(self, name: str) -> None:
        """v = momentum v + rate (mean of the devices' parameters - g); g = g + v, with Nesterov's correction."""
        net, param = self.model_helper_obj._global_model_param_updates_net, self.master(name)
        v, g, before = f"{param}_v", f"{param}_g", f"{param}_prev"
        with self.on_master():
            net.Scale(param, param, scale=1.0 / self.count)
            net.Sub([param, g], param)
            net.Scale(param, param, scale=self.block_learning_rate)
            net.Scale(v, v, scale=self.block_momentum)
            net.Add([v, param], v)
            net.Add([g, v], g)
            if self.nesterov:
                net.Sub([v, before], before)
                net.Scale(before, before, scale=self.block_momentum)
                net.Sub([g, before], g)
                net.Copy(v, before)
            net.Copy(g, param)

    def finish(self) -> None:
        model = self.model_helper_obj
        updates = model._global_model_param_updates_net
        if self.reset_momentum_sgd:
            for op in [op for op in model.net.Proto().op if op.type == "MomentumSGDUpdate"]:
                with core.DeviceScope(op.device_option):
                    updates.ConstantFill([op.input[1]], op.input[1], value=0.0)
        if self.optimize_gradient_memory:
            _OptimizeGradientMemorySimple(model, model._losses_by_gpu, self.devices)
        model._data_parallel_model_init_nets = [model.param_init_net, model._global_model_init_net]
        model._data_parallel_model_nets = [model.net, (updates, 1)]
        _AddBarrierToModelNets(model, self.barrier_net_timeout_sec)

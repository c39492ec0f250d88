"""Data-parallel training: replicas of a model on several devices, and of these in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from caffe2.python._data_parallel.batch_norm import _InterleaveOps
from caffe2.python._data_parallel.bmuf import BlockJob
from caffe2.python._data_parallel.grouping import (
    _AnalyzeOperators,
    _ComputeBlobsToSync,
    _GroupByDevice,
    _InferBlobDevice,
    _IsGPUBlob,
    _IsIDEEPBlob,
    _ValidateParams,
    stripBlobName,
)
from caffe2.python._data_parallel.job import Job, _AddGradientOperators
from caffe2.python._data_parallel.running import (
    ConvertNetForDevice,
    CreateNet,
    ExtractPredictorNet,
    FinalizeAfterCheckpoint,
    GetCheckpointParams,
    GetLearningRateBlobNames,
    RunInitNet,
    RunNet,
    RunWarmup,
)
from caffe2.python._data_parallel.share import OptimizeGradientMemory
from caffe2.python._data_parallel.sync import (
    AddBlobSync,
    AddDistributedBlobSync,
    _AllReduce,
    _AllReduceBlobs,
    _Broadcast,
    _BroadcastComputedParams,
    _SyncAllParams,
)
from caffe2.python._data_parallel.worlds import (
    _DEFAULT_BARRIER_NET_TIMEOUT_SEC,
    _DEFAULT_TIMEOUT_SEC,
    CollectivesConcurrencyControl,
    Rendezvous,
    Synchronize,
    _AddBarrierToModelNets,
    _CreateBarrierNet,
    _CreateOrCloneCommonWorld,
    _RunComparison,
)

__all__ = [
    "AddBlobSync",
    "AddDistributedBlobSync",
    "CollectivesConcurrencyControl",
    "ConvertNetForDevice",
    "CreateNet",
    "ExtractPredictorNet",
    "FinalizeAfterCheckpoint",
    "GetCheckpointParams",
    "GetLearningRateBlobNames",
    "OptimizeGradientMemory",
    "Parallelize",
    "Parallelize_BMUF",
    "Parallelize_CPU",
    "Parallelize_CPU_BMUF",
    "Parallelize_GPU",
    "Parallelize_GPU_BMUF",
    "Parallelize_iDeep",
    "RunInitNet",
    "RunNet",
    "RunWarmup",
    "Synchronize",
    "_AddBarrierToModelNets",
    "_AddGradientOperators",
    "_AllReduce",
    "_AllReduceBlobs",
    "_AnalyzeOperators",
    "_Broadcast",
    "_BroadcastComputedParams",
    "_ComputeBlobsToSync",
    "_CreateBarrierNet",
    "_CreateOrCloneCommonWorld",
    "_DEFAULT_BARRIER_NET_TIMEOUT_SEC",
    "_DEFAULT_TIMEOUT_SEC",
    "_GroupByDevice",
    "_InferBlobDevice",
    "_InterleaveOps",
    "_IsGPUBlob",
    "_IsIDEEPBlob",
    "_RunComparison",
    "_SyncAllParams",
    "_ValidateParams",
    "stripBlobName",
]


def Parallelize(
    model_helper_obj: Any,
    input_builder_fun: Callable[[Any], Any],
    forward_pass_builder_fun: Callable[[Any, float], list[Any]],
    param_update_builder_fun: Callable[[Any], Any] | None = None,
    optimizer_builder_fun: Callable[[Any], Any] | None = None,
    post_sync_builder_fun: Callable[[Any], Any] | None = None,
    pre_grad_net_transformer_fun: Callable[[Any], Any] | None = None,
    net_transformer_fun: Callable[[Any, int, str, int], Any] | None = None,
    devices: Sequence[int] | None = None,
    rendezvous: Rendezvous | None = None,
    net_type: str = "dag",
    broadcast_computed_params: bool = True,
    optimize_gradient_memory: bool = False,
    dynamic_memory_management: bool = False,
    blobs_to_keep: Iterable[str] | None = None,
    use_nccl: bool = False,
    max_concurrent_distributed_ops: int = 16,
    cpu_device: bool = False,
    ideep: bool = False,
    num_threads_per_device: int = 4,
    shared_model: bool = False,
    combine_spatial_bn: bool = False,
    barrier_net_timeout_sec: float = _DEFAULT_BARRIER_NET_TIMEOUT_SEC,
) -> None:
    """Build replicas of a model on several devices, and what sums their gradients and copies their parameters.

    A replica's blobs lie in the name scope <gpu|cpu|ideep>_<device>. Without a builder of updates the model only tests.

    input_builder_fun(model): adds inputs; forward_pass_builder_fun(model, loss_scale): adds the model and answers its
        losses, scaled by loss_scale, one over the number of replicas. Both are called in the scopes of every device.
    param_update_builder_fun(model): adds the updates of parameters, on every device; or optimizer_builder_fun(model),
        which is called once, outside of the scopes, and answers the optimizer.
    post_sync_builder_fun(model): adds, on every device, what follows the first copy of the parameters.
    pre_grad_net_transformer_fun(model), net_transformer_fun(model, devices, prefix, device_type): change the net
        before and after the gradients are added.
    devices: their numbers; all GPUs, or as many replicas as there are CPUs, unless given.
    rendezvous: how several processes meet: a dict of kv_handler, num_shards, shard_id and engine ("GLOO").
    shared_model: CPU replicas read the parameters of the first one. combine_spatial_bn: batch normalization is over
        the batches of all devices.

    Raises Misuse, an AssertionError, within a device scope and where builders break this contract.
    """
    Job(**locals()).build()


def Parallelize_GPU(*args: Any, **kwargs: Any) -> None:
    """Parallelize on GPUs."""
    Parallelize(*args, **{**kwargs, "cpu_device": False})


def Parallelize_CPU(*args: Any, **kwargs: Any) -> None:
    """Parallelize on the CPU."""
    Parallelize(*args, **{**kwargs, "cpu_device": True})


def Parallelize_iDeep(*args: Any, **kwargs: Any) -> None:
    """Parallelize on the CPU, with MKL-DNN."""
    Parallelize(*args, **{**kwargs, "ideep": True})


def Parallelize_BMUF(
    model_helper_obj: Any,
    input_builder_fun: Callable[[Any], Any],
    forward_pass_builder_fun: Callable[[Any, float], list[Any]],
    param_update_builder_fun: Callable[[Any], Any],
    block_learning_rate: float = 1.0,
    block_momentum: float | None = None,
    devices: Sequence[int] | None = None,
    rendezvous: Rendezvous | None = None,
    net_type: str = "dag",
    master_device: int | None = None,
    use_nccl: bool = False,
    nesterov: bool = False,
    optimize_gradient_memory: bool = False,
    reset_momentum_sgd: bool = False,
    warmup_iterations: int | None = None,
    max_concurrent_distributed_ops: int = 4,
    add_blobs_to_sync: Sequence[str] | None = None,
    num_threads_per_device: int = 4,
    cpu_device: bool = False,
    barrier_net_timeout_sec: float = _DEFAULT_BARRIER_NET_TIMEOUT_SEC,
) -> None:
    """Build replicas that train on their own, and a net that makes one model of them, run once after so many rounds.

    With p the mean of a parameter over all devices: v = block_momentum v + block_learning_rate (p - g), g = g + v, and
    with nesterov less block_momentum (v - v before); all replicas go on from g. block_momentum: 1 - 1 / devices unless
    given. Chen and Huo, Scalable Training of Deep Learning Machines by Incremental Block Training, 2016.
    """
    BlockJob(**locals()).build()


def Parallelize_GPU_BMUF(*args: Any, **kwargs: Any) -> None:
    """Parallelize_BMUF on GPUs."""
    Parallelize_BMUF(*args, **{**kwargs, "cpu_device": False})


def Parallelize_CPU_BMUF(*args: Any, **kwargs: Any) -> None:
    """Parallelize_BMUF on the CPU."""
    Parallelize_BMUF(*args, **{**kwargs, "cpu_device": True})

"""What optimizers share: blobs of their own, learning rates, sparse gradients."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope, utils, workspace
from caffe2.python._misuse import demand
from caffe2.python.modeling.parameter_info import ParameterInfo


class AuxOptimizerParams(NamedTuple):
    """The blobs that an optimizer keeps between runs: for one parameter each, and for all."""

    local: list[Any]
    shared: list[Any]


_optimizer_instance_count: dict[str, int] = defaultdict(int)
"""How many optimizers were made so far, by class; their blobs are told apart by that number."""


class Optimizer:
    """Called with a net, its init net and a parameter with its gradient, adds the operators of its update.

    The parameter is a ParameterInfo that holds the gradient, or a blob whose gradient is given beside it.
    """

    _rate: ClassVar[str | None] = None
    """The attribute that holds the learning rate."""

    def __init__(self) -> None:
        self._aux_params = AuxOptimizerParams(local=[], shared=[])
        kind = type(self).__name__
        self._instance_num = _optimizer_instance_count[kind]
        _optimizer_instance_count[kind] += 1
        self._lr_multiplier: Any = None
        self._local_lr_multiplier: Any = None
        self._local_lr_multiplier_on_gpu = False

    def __call__(
        self, net: core.Net, param_init_net: core.Net, param: ParameterInfo | core.BlobReference | str, grad: Any = None
    ) -> None:
        if grad is None:
            demand(
                isinstance(param, ParameterInfo), f"a parameter without a gradient is a ParameterInfo, not {param!r}"
            )
            demand(param.grad is not None, f"parameter {param} has no gradient")
        else:
            blob = core.BlobReference(param) if isinstance(param, str) else param
            param = ParameterInfo(param_id=None, param=blob, grad=grad)
        self._run(net, param_init_net, param)

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates a parameter")

    # Blobs

    def get_cpu_blob_name(self, base_str: str, node_name: str = "") -> str:
        """The name of this optimizer's blob `base_str` on the CPU of a node."""
        return f"{type(self).__name__}_{self._instance_num}_{base_str}{node_name}_cpu"

    def get_gpu_blob_name(self, base_str: str, gpu_id: int, node_name: str) -> str:
        """The name of this optimizer's blob `base_str` on a GPU of a node."""
        return f"{type(self).__name__}_{self._instance_num}_{base_str}{node_name}_gpu{gpu_id}"

    def make_unique_blob_name(self, base_str: str) -> str:
        """The name of this optimizer's blob `base_str` on the current device."""
        device = scope.CurrentDeviceScope()
        if device is None:
            return self.get_cpu_blob_name(base_str)
        if core.IsGPUDeviceType(device.device_type):
            return self.get_gpu_blob_name(base_str, device.device_id, device.node_name)
        return self.get_cpu_blob_name(base_str, device.node_name)

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of what sets this optimizer apart from others of its class."""
        attributes = copy.deepcopy(vars(self))
        attributes.pop("_instance_num", None)
        return attributes

    def get_auxiliary_parameters(self) -> AuxOptimizerParams:
        """The blobs that are kept between runs, to be saved with the parameters."""
        return self._aux_params

    # Learning rates

    def build_lr(
        self,
        net: core.Net,
        param_init_net: core.Net,
        base_learning_rate: float,
        learning_rate_blob: str | None = None,
        policy: str = "fixed",
        iter_val: int = 0,
        **kwargs: Any,
    ) -> tuple[core.BlobReference, core.BlobReference]:
        """The learning rate, which is negative where `base_learning_rate` is positive, and the count of runs.

        policy: how the rate changes with the count, which starts at `iter_val`; see the operator LearningRate, which
            `kwargs` go to.
        """
        if learning_rate_blob is None:
            learning_rate_blob = self.make_unique_blob_name("lr")
        iteration = utils.BuildUniqueMutexIter(param_init_net, net, iter_val=iter_val)
        if net.BlobIsDefined(learning_rate_blob):
            lr = net.GetBlobRef(learning_rate_blob)
        else:
            lr = net.LearningRate([iteration], learning_rate_blob, base_lr=-base_learning_rate, policy=policy, **kwargs)
        if self._lr_multiplier is not None:
            multiplier = net.CopyFromCPUInput(self._lr_multiplier, self.make_unique_blob_name("lr_multiplier"))
            lr = net.Mul([lr, multiplier], self.make_unique_blob_name("scaled_lr"), broadcast=1)
        if self._local_lr_multiplier is not None:
            multiplier = self._local_lr_multiplier
            if on_gpu() and not self._local_lr_multiplier_on_gpu:
                multiplier = net.CopyFromCPUInput(multiplier, self.make_unique_blob_name("local_lr_multiplier"))
            lr = net.Mul([lr, multiplier], self.make_unique_blob_name("local_scaled_lr"), broadcast=1)
        return lr, iteration

    def scale_learning_rate(self, scale: float) -> None:
        """Multiply the learning rate by `scale`, before the update is built."""
        if self._rate is None:
            raise NotImplementedError("Optimizer Need to Implement `scale_learning_rate` method.")
        setattr(self, self._rate, getattr(self, self._rate) * scale)

    def add_lr_multiplier(self, lr_multiplier: Any) -> None:
        """Multiply the learning rate of all parameters by the blob `lr_multiplier`, on the CPU; None for none."""
        self._lr_multiplier = lr_multiplier

    def _add_local_lr_multiplier(self, local_lr_multiplier: Any, is_gpu_blob: bool = False) -> None:
        self._local_lr_multiplier = local_lr_multiplier
        self._local_lr_multiplier_on_gpu = is_gpu_blob

    def _clear_local_lr_multiplier(self) -> None:
        self._add_local_lr_multiplier(None)

    def create_lars_inputs(
        self, param_init_net: core.Net, weight_decay: float, trust: float, lr_max: float
    ) -> tuple[core.BlobReference, ...]:
        """Constants of the operator Lars."""
        values = {"weight_decay": weight_decay, "trust": trust, "lr_max": lr_max}
        return tuple(param_init_net.ConstantFill([], name, shape=[1], value=v) for name, v in values.items())

    def _use_lars(
        self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo, offset: float | None
    ) -> None:
        """Scale the rate of a parameter with a dense gradient by ||param|| / (||grad|| + offset); not if it is None.

        Layer-wise adaptive rate scaling: You, Gitman and Ginsburg, 2017.
        """
        self._clear_local_lr_multiplier()
        param, grad = param_info.blob, param_info.grad
        if offset is None or isinstance(grad, core.GradientSlice):
            return
        demand(offset >= 0, f"Lars offset must be nonnegative, got {offset}")
        constants = self.create_lars_inputs(param_init_net, 0.0, 1.0, np.finfo(np.float32).max)
        name = self.make_unique_blob_name(f"{param}_lars")
        multiplier = net.Lars([param, grad, *constants], name, offset=offset, lr_min=0.0)
        self._add_local_lr_multiplier(multiplier, is_gpu_blob=on_gpu())

    # Gradients

    @staticmethod
    def dedup(net: core.Net, sparse_dedup_aggregator: str | None, grad: core.GradientSlice) -> core.GradientSlice:
        """A sparse gradient with every index once, if there is an aggregator, "sum" or "mean", of their values."""
        demand(isinstance(grad, core.GradientSlice), f"only a sparse gradient has repeated indices, not {grad!r}")
        if not sparse_dedup_aggregator:
            return grad
        return net.DeduplicateGradientSlices(grad, aggregator=sparse_dedup_aggregator)


def on_gpu() -> bool:
    """Whether operators created here run on a GPU."""
    device = scope.CurrentDeviceScope()
    return device is not None and core.IsGPUDeviceType(device.device_type)


def device_here() -> caffe2_pb2.DeviceOption:
    """The device of operators created here."""
    device = scope.CurrentDeviceScope()
    return core.DeviceOption(caffe2_pb2.CPU) if device is None else device


def row_constants(
    param_init_net: core.Net, param: core.BlobReference, constants: Mapping[str, Mapping[str, Any]]
) -> Iterable[core.BlobReference]:
    """Blobs PARAM_suffix, by suffix, with one element a row of a parameter and filled with the given arguments."""
    shapes, _ = workspace.InferShapesAndTypes([param_init_net])
    if str(param) in shapes:
        source, shape = [], {"shape": [shapes[str(param)][0]]}
    else:
        whole = param_init_net.Shape(param, f"{param}_shape")
        source = param_init_net.Slice([whole], f"{whole}_numrows", starts=[0], ends=[1])
        shape = {"input_as_shape": 1}
    return [
        param_init_net.ConstantFill(source, f"{param}_{suffix}", **shape, **arguments)
        for suffix, arguments in constants.items()
    ]

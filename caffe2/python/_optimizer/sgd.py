"""Stochastic gradient descent, with and without momentum, in float32, in float16 and in both."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._misuse import Misuse, demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer, device_here
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class SgdOptimizer(Optimizer):
    """p <- p - r g; with momentum m, v <- m v + r g and p <- p - v, or Nesterov's p <- p - (1 + m) v' + m v.

    base_learning_rate: r at the beginning, not negative; 0 leaves parameters as they are.
    policy, kwargs: how r changes; see the operator LearningRate.
    sparse_dedup_aggregator: "sum" or "mean" to add up or average repeated indices of sparse gradients first.
    lars: the offset of layer-wise adaptive rates, or None to go without.
    """

    _rate = "base_learning_rate"

    def __init__(
        self,
        base_learning_rate: float = 0.01,
        policy: str = "fixed",
        momentum: float = 0.0,
        nesterov: bool = True,
        sparse_dedup_aggregator: str | None = None,
        lars: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.base_learning_rate = base_learning_rate
        self.policy = policy
        self.momentum = momentum
        self.nesterov = nesterov
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.lars = lars
        self.init_kwargs = kwargs

    def _is_off(self) -> bool:
        rate = self.base_learning_rate
        demand(rate >= 0, f"Expect positive base learning rate, got {rate}")
        return rate == 0

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self._is_off():
            return
        self._use_lars(net, param_init_net, param_info, self.lars)
        # MomentumSGDUpdate subtracts a positive rate times the gradient; WeightedSum adds a negative one.
        sign = -1 if self.momentum else 1
        rate = self.base_learning_rate * sign
        lr, _ = self.build_lr(net, param_init_net, rate, policy=self.policy, **self.init_kwargs)
        device = device_here()
        name = f"ONE_{device.device_type}_{device.device_id}{device.node_name}"
        one = param_init_net.ConstantFill([], name, shape=[1], value=1.0)
        self._aux_params.shared.append(one)
        if self.momentum > 0:
            self._add_momentum_update(net, param_init_net, param_info, lr)
        else:
            self._add_update(net, param_info, lr, one)

    def _add_update(self, net: core.Net, param_info: ParameterInfo, lr: Any, one: Any) -> None:
        param, grad = param_info.blob, param_info.grad
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            net.ScatterWeightedSum([param, one, grad.indices, grad.values, lr], param)
        else:
            net.WeightedSum([param, one, grad, lr], param)

    def _add_momentum_update(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo, lr: Any) -> None:
        param, grad = param_info.blob, param_info.grad
        momentum = param_init_net.ConstantFill(param, f"{param}_momentum", value=0.0)
        self._aux_params.local.append(momentum)
        arguments = {"momentum": self.momentum, "nesterov": self.nesterov}
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            inputs = [grad.values, momentum, lr, param, grad.indices]
            net.SparseMomentumSGDUpdate(inputs, [grad.values, momentum, param], **arguments)
        else:
            net.MomentumSGDUpdate([grad, momentum, lr, param], [grad, momentum, param], **arguments)


class MultiPrecisionSgdOptimizer(SgdOptimizer):
    """SGD with momentum on the float32 copy of a float16 parameter; plain SGD on one without a copy."""

    def __init__(
        self,
        base_learning_rate: float = 0.1,
        momentum: float = 0.0,
        policy: str = "fixed",
        nesterov: bool = True,
        sparse_dedup_aggregator: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(base_learning_rate, policy, momentum, nesterov, sparse_dedup_aggregator, **kwargs)

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        copies = param_info.blob_copy
        single = copies[core.DataType.FLOAT] if copies is not None else None
        if single is None:
            super()._run(net, param_init_net, param_info)
            return
        if self._is_off():
            return
        param, grad = param_info.blob, param_info.grad
        demand(not isinstance(grad, core.GradientSlice), "MultiPrecisionSgd does not support sparse gradients")
        lr, _ = self.build_lr(net, param_init_net, -self.base_learning_rate, policy=self.policy, **self.init_kwargs)
        momentum = param_init_net.ConstantFill(single, f"{param}_momentum", value=0.0)
        self._aux_params.local.append(momentum)
        grad = net.HalfToFloat(grad, grad + "_fp32")
        net.MomentumSGDUpdate(
            [grad, momentum, lr, single], [grad, momentum, single], momentum=self.momentum, nesterov=self.nesterov
        )
        net.FloatToHalf(single, param)


class FP16SgdOptimizer(SgdOptimizer):
    """SGD with momentum and weight decay on the float16 form of a parameter, or on float32 where it has no other.

    Parameters whose names contain "spatbn", those of batch normalizations, are updated in float32.
    """

    def __init__(
        self,
        base_learning_rate: float = 0.1,
        momentum: float = 0.0,
        policy: str = "fixed",
        nesterov: bool = True,
        weight_decay: float = 0.0001,
        sparse_dedup_aggregator: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(base_learning_rate, policy, momentum, nesterov, sparse_dedup_aggregator, **kwargs)
        self.weight_decay = weight_decay

    def _run(
        self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo, fp32_update: bool = False
    ) -> None:
        if self._is_off():
            return
        grad = param_info.grad
        demand(not isinstance(grad, core.GradientSlice), "FP16Sgd does not support sparse gradients")
        in_float32 = fp32_update or "spatbn" in str(param_info.blob) or param_info.blob_copy is None
        param, single = (param_info.blob, param_info.blob) if in_float32 else self._forms(param_info)
        lr, _ = self.build_lr(net, param_init_net, -self.base_learning_rate, policy=self.policy, **self.init_kwargs)
        momentum = param_init_net.ConstantFill(single, f"{param}_momentum_fp32", value=0.0)
        half_momentum = param_init_net.FloatToHalf(momentum, f"{param}_momentum")
        self._aux_params.local.append(half_momentum)
        update = net.FP32MomentumSGDUpdate if in_float32 else net.FP16MomentumSGDUpdate
        kept = momentum if in_float32 else half_momentum
        update(
            [grad, kept, lr, param],
            [grad, kept, param],
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )

    @staticmethod
    def _forms(param_info: ParameterInfo) -> tuple[core.BlobReference, core.BlobReference]:
        """The float16 and the float32 form of a parameter."""
        copies = param_info.blob_copy
        if core.DataType.FLOAT in copies:
            return param_info.blob, copies[core.DataType.FLOAT]
        if core.DataType.FLOAT16 in copies:
            return copies[core.DataType.FLOAT16], param_info.blob
        raise Misuse(f"parameter {param_info.name} has no copy in float16 or float32 but in {list(copies)}")


def build_sgd(
    model: ModelHelper,
    base_learning_rate: float,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> SgdOptimizer:
    """Update the parameters of a model by SGD, which `kwargs` go to.

    max_gradient_norm: scale the learning rate down so that the vector of all gradients is at most this long.
    allow_lr_injection: multiply the learning rate by a blob, which set_lr_injection sets.
    """
    optimizer = SgdOptimizer(base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)


def build_multi_precision_sgd(
    model: ModelHelper,
    base_learning_rate: float,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> MultiPrecisionSgdOptimizer:
    """Update the float32 copies of a model's float16 parameters by SGD; arguments as for build_sgd."""
    optimizer = MultiPrecisionSgdOptimizer(base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)


def build_fp16_sgd(model: ModelHelper, base_learning_rate: float, **kwargs: Any) -> FP16SgdOptimizer:
    """Update the float16 parameters of a model by SGD, which `kwargs` go to."""
    return _build(model, FP16SgdOptimizer(base_learning_rate, **kwargs))

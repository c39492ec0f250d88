"""WNGrad: a learning rate that one number per parameter adapts."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class WngradOptimizer(Optimizer):
    """Steps -alpha g / (b + epsilon); b grows by ||g||^2 / b and is at first moment_init. Wu, Ward and Bottou, 2018.

    Arguments in common are those of AdagradOptimizer.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 1.0,
        epsilon: float = 1e-9,
        policy: str = "fixed",
        sparse_dedup_aggregator: str | None = None,
        engine: str = "",
        moment_init: float = 100.0,
        lars: float | None = None,
        output_effective_lr: bool = False,
        output_effective_lr_and_update: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.epsilon = epsilon
        self.policy = policy
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.engine = engine
        self.moment_init = moment_init
        self.lars = lars
        self.output_effective_lr = output_effective_lr
        self.output_effective_lr_and_update = output_effective_lr_and_update
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.alpha <= 0:
            return
        param, grad = param_info.blob, param_info.grad
        self._use_lars(net, param_init_net, param_info, self.lars)
        lr, _ = self.build_lr(net, param_init_net, self.alpha, policy=self.policy, **self.init_kwargs)
        moment = param_init_net.ConstantFill([], f"{param}_moment", shape=[1], value=self.moment_init)
        self._aux_params.local.append(moment)
        outputs: list[Any] = [param, moment]
        arguments = {"epsilon": self.epsilon, "engine": self.engine}
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            net.SparseWngrad([param, moment, grad.indices, grad.values, lr], outputs, **arguments)
            return
        if self.output_effective_lr or self.output_effective_lr_and_update:
            outputs.append(f"{param}_effective_lr")
        if self.output_effective_lr_and_update:
            outputs.append(f"{param}_update")
        net.Wngrad([param, moment, grad, lr], outputs, **arguments)


def build_wngrad(
    model: ModelHelper,
    base_learning_rate: float,
    parameters: Any = None,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> WngradOptimizer:
    """Update the parameters of a model by WNGrad; arguments as for build_sgd, `parameters` is not used."""
    optimizer = WngradOptimizer(alpha=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

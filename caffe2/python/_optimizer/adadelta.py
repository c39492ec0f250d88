"""Adadelta, dense and sparse."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class AdadeltaOptimizer(Optimizer):
    """h <- d h + (1 - d) g^2, s = g sqrt((u + e) / (h + e)), u <- d u + (1 - d) s^2, p <- p - alpha s. Zeiler, 2012.

    d is `decay` and e `epsilon`. Arguments in common are those of AdagradOptimizer.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 0.01,
        epsilon: float = 1e-4,
        decay: float = 0.95,
        policy: str = "fixed",
        sparse_dedup_aggregator: str | None = None,
        engine: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.epsilon = epsilon
        self.decay = decay
        self.policy = policy
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.engine = engine
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.alpha <= 0:
            return
        param, grad = param_info.blob, param_info.grad
        lr, _ = self.build_lr(net, param_init_net, self.alpha, policy=self.policy, **self.init_kwargs)
        moment = param_init_net.ConstantFill([param], f"{param}_squared_moment", value=0.0)
        update = param_init_net.ConstantFill([param], f"{param}_squared_moment_update", value=0.0)
        self._aux_params.local.extend((moment, update))
        state = [param, moment, update]
        arguments = {"epsilon": self.epsilon, "decay": self.decay, "engine": self.engine}
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            net.SparseAdadelta([*state, grad.indices, grad.values, lr], state, **arguments)
        else:
            net.Adadelta([*state, grad, lr], state, **arguments)


def build_adadelta(
    model: ModelHelper,
    base_learning_rate: float,
    parameters: Any = None,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> AdadeltaOptimizer:
    """Update the parameters of a model by Adadelta; arguments as for build_sgd, `parameters` is not used."""
    optimizer = AdadeltaOptimizer(alpha=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

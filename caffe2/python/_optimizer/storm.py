"""STORM: momentum and learning rate that adapt to the variance of the gradients."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class StormOptimizer(Optimizer):
    """s <- s + ||g||^2, r = lr / cbrt(beta + s), m <- g + (1 - momentum r^2)(m - g), p <- p - r m.

    s is at first grad_sq_init. After Cutkosky and Orabona, 2019. Arguments in common are those of SgdOptimizer.
    """

    _rate = "lr"

    def __init__(
        self,
        lr: float = 0.1,
        momentum: float = 10.0,
        beta: float = 0.1,
        grad_sq_init: float = 0.01,
        policy: str = "fixed",
        sparse_dedup_aggregator: str | None = None,
        lars: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.lr = lr
        self.momentum = momentum
        self.beta = beta
        self.grad_sq_init = grad_sq_init
        self.policy = policy
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.lars = lars
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.lr <= 0:
            return
        param, grad = param_info.blob, param_info.grad
        self._use_lars(net, param_init_net, param_info, self.lars)
        lr, _ = self.build_lr(net, param_init_net, self.lr, policy=self.policy, **self.init_kwargs)
        moment = param_init_net.ConstantFill(param, f"{param}_moment", value=0.0)
        squares = param_init_net.ConstantFill([], f"{param}_grad_sq_sum", shape=[1], value=self.grad_sq_init)
        self._aux_params.local.extend((moment, squares))
        state = [param, moment, squares]
        arguments = {"momentum": self.momentum, "beta": self.beta}
        if isinstance(grad, core.GradientSlice):
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            net.SparseStorm([*state, grad.values, grad.indices, lr], state, **arguments)
        else:
            net.Storm([*state, grad, lr], state, **arguments)


def build_storm(
    model: ModelHelper,
    base_learning_rate: float,
    parameters: Any = None,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> StormOptimizer:
    """Update the parameters of a model by STORM; arguments as for build_sgd, `parameters` is not used."""
    optimizer = StormOptimizer(lr=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

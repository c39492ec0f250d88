"""Adam, dense and sparse, by element and by row."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer, row_constants
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class AdamOptimizer(Optimizer):
    """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, p <- p - alpha c_t m / (sqrt(v) + epsilon).

    c_t = sqrt(1 - b2^t) / (1 - b1^t) at run t. Kingma and Ba, 2015.

    use_lr_adaption, lr_alpha, normalized_lr_adaption: adapt the learning rate too; see the operator
        LearningRateAdaption.
    rowWise: keep v, then a mean, by row of a parameter with a sparse gradient.
    enableRAdam: rectify the rate, of sparse gradients alone. Liu et al., 2019.
    Other arguments are those of AdagradOptimizer.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        policy: str = "fixed",
        use_lr_adaption: bool = False,
        lr_alpha: float = 0.01,
        normalized_lr_adaption: bool = True,
        sparse_dedup_aggregator: str | None = None,
        rowWise: bool = False,
        engine: str = "",
        enableRAdam: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.policy = policy
        self.use_lr_adaption = use_lr_adaption
        self.lr_alpha = lr_alpha
        self.normalized_lr_adaption = normalized_lr_adaption
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.rowWise = rowWise
        self.engine = engine
        self.enableRAdam = enableRAdam
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.alpha <= 0:
            return
        param, grad = param_info.blob, param_info.grad
        sparse = isinstance(grad, core.GradientSlice)
        demand(sparse or not self.rowWise, f"Adam of {param}: rowWise is for sparse gradients, this one is dense")
        lr, iteration = self.build_lr(net, param_init_net, self.alpha, policy=self.policy, **self.init_kwargs)
        state = [param, *self._moments(param_init_net, param)]
        self._aux_params.shared.append(iteration)
        self._aux_params.local.extend(state[1:])
        effective = f"{param}_effective_grad"
        outputs = [*state, effective] if self.use_lr_adaption else state
        arguments = {"beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}
        if sparse:
            grad = self.dedup(net, self.sparse_dedup_aggregator, grad)
            inputs = [*state, grad.indices, grad.values, lr, iteration]
            self._add_sparse(net, inputs, outputs, arguments)
        else:
            net.Adam([*state, grad, lr, iteration], outputs, **arguments)
        if self.use_lr_adaption:
            net.LearningRateAdaption(
                [lr, grad.values if sparse else grad, effective],
                [lr],
                lr_alpha=self.lr_alpha,
                normalized_lr_adaption=self.normalized_lr_adaption,
            )

    def _moments(self, param_init_net: core.Net, param: core.BlobReference) -> list[core.BlobReference]:
        first = param_init_net.ConstantFill([param], param + "_first_moment", value=0.0)
        if self.rowWise:
            return [first, *row_constants(param_init_net, param, {"avg_second_moment": {"value": 0.0}})]
        return [first, param_init_net.ConstantFill([param], param + "_second_moment", value=0.0)]

    def _add_sparse(self, net: core.Net, inputs: list[Any], outputs: list[Any], arguments: dict[str, Any]) -> None:
        if self.rowWise:
            demand(not self.enableRAdam, "Currently, RowWiseSparseAdam is not supported by RAdam!")
            net.RowWiseSparseAdam(inputs, outputs, **arguments)
        else:
            net.SparseAdam(inputs, outputs, **arguments, enableRAdam=self.enableRAdam)


def build_adam(
    model: ModelHelper,
    base_learning_rate: float,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> AdamOptimizer:
    """Update the parameters of a model by Adam; arguments as for build_sgd."""
    optimizer = AdamOptimizer(alpha=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

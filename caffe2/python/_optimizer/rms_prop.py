"""RMSProp."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer, device_here
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class RmsPropOptimizer(Optimizer):
    """s <- s + (1 - decay)(g^2 - s), v <- alpha (momentum v + g / sqrt(epsilon + s)), p <- p - v. Hinton, 2012.

    Arguments in common are those of AdagradOptimizer.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 0.01,
        decay: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-5,
        policy: str = "fixed",
        engine: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.decay = decay
        self.momentum = momentum
        self.epsilon = epsilon
        self.policy = policy
        self.engine = engine
        self.init_kwargs = kwargs

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        param, grad = param_info.blob, param_info.grad
        demand(self.alpha > 0, f"Expect positive alpha, got {self.alpha}")
        demand(not isinstance(grad, core.GradientSlice), "RmsPropOptimizer doesn't support sparse gradients")
        device = device_here()
        name = f"ONE_{device.device_type}_{device.device_id}"
        one = param_init_net.ConstantFill([], name, shape=[1], value=1.0)
        lr, _ = self.build_lr(net, param_init_net, -self.alpha, policy=self.policy, **self.init_kwargs)
        # ConstantFill has no argument `values`, but the original's nets give it one; its value is 0 in any case.
        scaled, squares, momentum = (
            param_init_net.ConstantFill([param], f"{param}_{suffix}", values=0.0)
            for suffix in ("grad_o", "mean_squares", "momentum")
        )
        self._aux_params.local.extend((squares, momentum))
        net.RmsProp(
            [grad, squares, momentum, one],
            [scaled, squares, momentum],
            decay=self.decay,
            momentum=self.momentum,
            epsilon=self.epsilon,
            engine=self.engine,
        )
        net.MomentumSGDUpdate([scaled, momentum, lr, param], [scaled, momentum, param])


def build_rms_prop(
    model: ModelHelper,
    base_learning_rate: float,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> RmsPropOptimizer:
    """Update the parameters of a model by RMSProp; arguments as for build_sgd."""
    optimizer = RmsPropOptimizer(alpha=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

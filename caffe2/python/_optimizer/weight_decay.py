"""Weight decay: gradients of an L2 penalty, added to those of the loss."""

from __future__ import annotations

from caffe2.python import core
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import Optimizer, device_here
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo


class WeightDecayBuilder(Optimizer):
    """g <- g + weight_decay p. Raises ValueError for a sparse gradient."""

    def __init__(self, weight_decay: float) -> None:
        super().__init__()
        self.weight_decay = weight_decay

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        param, grad = param_info.blob, param_info.grad
        if isinstance(grad, core.GradientSlice):
            raise ValueError(f"parameter {param}: weight decay does not support sparse gradients")
        device = device_here()
        one, decay = (
            param_init_net.ConstantFill([], f"{name}_{device.device_type}_{device.device_id}", shape=[1], value=value)
            for name, value in (("ONE", 1.0), ("wd", self.weight_decay))
        )
        net.WeightedSum([grad, one, param, decay], grad)


def add_weight_decay(model: ModelHelper, weight_decay: float) -> None:
    """Add `weight_decay` times each weight of a model to its gradient, before the update is built."""
    _build(model, WeightDecayBuilder(weight_decay), weights_only=True, use_param_info_optim=False)

"""Optimizers applied to all parameters of a model, each on its device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python._misuse import demand
from caffe2.python._optimizer.optimizer import Optimizer
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo

_LEARNING_RATE_INJECTION = "lr_injection"
"""The blob that the learning rates of optimizers built with allow_lr_injection are multiplied by."""

O = TypeVar("O", bound=Optimizer)


def _get_param_to_device(model: ModelHelper) -> dict[str, caffe2_pb2.DeviceOption]:
    devices = core.InferBlobDevices(model.net)
    devices.update(core.InferBlobDevices(model.param_init_net))
    return devices


def get_param_device(
    param_name: Any,
    grad: Any,
    param_to_device: Mapping[Any, caffe2_pb2.DeviceOption] | None = None,
    default_device: caffe2_pb2.DeviceOption | None = None,
) -> caffe2_pb2.DeviceOption:
    """The device of a parameter, or else that of its gradient, or else the default. Raises Misuse where none is known.

    param_to_device: devices by blob.
    """
    sparse = isinstance(grad, core.GradientSlice)
    known = param_to_device or {}
    for blob in (param_name, *((str(grad.values), str(grad.indices)) if sparse else (str(grad),))):
        if blob in known:
            return known[blob]
    demand(default_device is not None, f"Cannot infer device for {param_name}: no op creates it")
    return default_device


def get_lr_injection() -> np.ndarray:
    """What learning rates are multiplied by, where that was allowed."""
    return workspace.FetchBlob(_LEARNING_RATE_INJECTION)


def set_lr_injection(lr_injection_value: float) -> None:
    """Let learning rates be multiplied by this value, where that was allowed."""
    workspace.FeedBlob(_LEARNING_RATE_INJECTION, np.array([float(lr_injection_value)], np.float32))


def _calc_norm_ratio(
    model: ModelHelper,
    params: Sequence[ParameterInfo],
    name_scope: str,
    param_to_device: Mapping[str, caffe2_pb2.DeviceOption],
    max_gradient_norm: float,
) -> core.BlobReference:
    """c / max(c, ||g||) for the vector g of all gradients, with c = max_gradient_norm."""
    net = model.net
    with core.NameScope(name_scope):
        squared_sums = []
        for i, param in enumerate(params):
            with core.DeviceScope(get_param_device(str(param.blob), param.grad, param_to_device)):
                grad = param.grad.values if isinstance(param.grad, core.GradientSlice) else param.grad
                squared_sums.append(net.EnsureCPUOutput(net.SumSqrElements(grad, f"grad_{i}_squared_sum")))
        with core.DeviceScope(core.DeviceOption(caffe2_pb2.CPU)):
            global_norm = net.Pow(net.Sum(squared_sums, "grad_squared_full_sum"), "global_norm", exponent=0.5)
            clip_norm = model.param_init_net.ConstantFill([], "clip_norm", shape=[], value=float(max_gradient_norm))
            return net.Div([clip_norm, net.Max([global_norm, clip_norm], "max_norm")], "norm_ratio")


def _lr_multiplier(
    model: ModelHelper,
    params: Sequence[ParameterInfo],
    param_to_device: Mapping[str, caffe2_pb2.DeviceOption],
    max_gradient_norm: float | None,
    allow_lr_injection: bool,
) -> Any:
    multiplier = None
    if max_gradient_norm is not None:
        multiplier = _calc_norm_ratio(model, params, "norm_clipped_grad_update", param_to_device, max_gradient_norm)
    if not allow_lr_injection:
        return multiplier
    injection: Any = _LEARNING_RATE_INJECTION
    if not model.net.BlobIsDefined(injection):
        injection = model.param_init_net.ConstantFill([], injection, shape=[1], value=1.0)
    return injection if multiplier is None else model.net.Mul([multiplier, injection], "lr_multiplier", broadcast=1)


def _build(
    model: ModelHelper,
    optimizer: O,
    weights_only: bool = False,
    use_param_info_optim: bool = True,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
) -> O:
    """Add the update of every parameter of a model that has gradients; the optimizer.

    weights_only: of those tagged as weights alone.
    use_param_info_optim: by the parameter's own optimizer, where it has one.
    max_gradient_norm: scale the learning rate down so that the vector of all gradients is at most this long.
    allow_lr_injection: multiply the learning rate by a blob, which set_lr_injection sets.
    """
    param_to_device = _get_param_to_device(model)
    model.Validate()
    params = [p for p in model.GetOptimizationParamInfo() if not weights_only or p.blob in model.weights]
    optimizer.add_lr_multiplier(_lr_multiplier(model, params, param_to_device, max_gradient_norm, allow_lr_injection))
    for info in params:
        own = info.optimizer if use_param_info_optim else None
        with core.DeviceScope(get_param_device(str(info.blob), info.grad, param_to_device)):
            (own or optimizer)(model.net, model.param_init_net, info)
    return optimizer

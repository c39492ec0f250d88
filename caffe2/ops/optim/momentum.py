"""Stochastic gradient descent with momentum; the learning rate is part of the momentum: m = mu m + lr g."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.optim.rows import fitted, rows_of, scalar, update_rows

COMPILED = Kernel("rows", "momentum", "pppqp qq ffq")
UPDATE = "grad -> output_grad, moment -> output_moment, param -> output_param"


def momentum_(g: Tensor, m: Tensor, lr: Tensor, mu: float, nesterov: bool) -> None:
    """In place: m = mu m + lr g, and then g = m, or with nesterov g = lr g + mu m: the step to take off a parameter."""
    m.mul_(mu).addcmul_(g, lr)
    if nesterov:
        g.mul_(lr).add_(m, alpha=mu)
    else:
        g.copy_(m)


@op(
    "MomentumSGD: grad moment lr -> output_grad output_moment",
    inplace="grad -> output_grad, moment -> output_moment",
    types="grad moment lr: float",
    mutates=True,
    like="grad moment",
)
def momentum_sgd(
    grad: Tensor, moment: Tensor, lr: Tensor, *, momentum: float = 0.0, nesterov: bool = False
) -> tuple[Tensor, Tensor]:
    """moment = momentum moment + lr grad and output_grad = moment, the step to take off a parameter.

    With nesterov output_grad = lr grad + momentum moment, with the new moment: Nesterov's accelerated gradient.

    moment: of the shape of grad, 0 at the start.
    lr: the learning rate, one number, positive: the step is to be taken off.
    output_grad: the step.
    """
    momentum_(grad, fitted(moment, grad, "moment"), scalar(lr), momentum, nesterov)
    return grad, moment


@op(
    "MomentumSGDUpdate: grad moment lr param -> output_grad output_moment output_param",
    inplace=UPDATE,
    types="grad moment lr param: float",
    mutates=True,
    like="grad moment param",
)
def momentum_sgd_update(
    grad: Tensor, moment: Tensor, lr: Tensor, param: Tensor, *, momentum: float = 0.0, nesterov: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """MomentumSGD and its step: param = param - output_grad.

    lr: the learning rate, one number, positive: the step is taken off param.
    output_grad: the step that was taken off param.
    """
    step = fitted(grad, param, "grad")
    momentum_(grad, fitted(moment, grad, "moment"), scalar(lr), momentum, nesterov)
    param.sub_(step)
    return grad, moment, param


@op(
    "SparseMomentumSGDUpdate: grad moment lr param indices -> output_grad output_moment output_param",
    inplace="grad -> output_grad, moment => output_moment, param => output_param",
    types="grad moment lr param: float, indices: index",
    mutates=True,
    like="grad moment param",
)
def sparse_momentum_sgd_update(
    grad: Tensor,
    moment: Tensor,
    lr: Tensor,
    param: Tensor,
    indices: Tensor,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """MomentumSGDUpdate of the rows of param and moment that indices name.

    lr: the learning rate, one number, positive: the step is taken off param.
    output_grad: the step of each row, taken off param.
    """
    rate, tables = scalar(lr), (param, fitted(moment, param, "moment"))
    if COMPILED.serves(*tables, indices, grad, lr):
        rows_of(grad, indices, param)
        demand.in_range(indices, param.shape[0], "indices")
        shape = indices.numel(), prod(param.shape[1:])
        COMPILED(*tables, indices, indices.itemsize == 8, grad, *shape, float(rate), momentum, nesterov)
        return grad, moment, param

    def rule(p: Tensor, m: Tensor, g: Tensor) -> Tensor:
        g = g.clone()
        momentum_(g, m, rate, momentum, nesterov)
        p.sub_(g)
        return g

    step = update_rows(rule, tables, indices, rows_of(grad, indices, param))
    return grad.copy_(step.view(grad.shape)), moment, param


def _decayed(
    grad: Tensor, moment: Tensor, lr: Tensor, param: Tensor, momentum: float, nesterov: bool, weight_decay: float
) -> None:
    if grad.shape != param.shape:
        raise EnforceNotMet(f"grad and param have one shape, not {tuple(grad.shape)} and {tuple(param.shape)}")
    rate, m = scalar(lr), fitted(moment, grad, "moment")
    grad.add_(param, alpha=weight_decay)
    momentum_(grad, m, rate, momentum, nesterov)
    param.sub_(grad)


@op(
    "FP32MomentumSGDUpdate: grad moment lr param -> output_grad output_moment output_param",
    inplace=UPDATE,
    types="grad moment lr param: float",
    mutates=True,
    like="grad moment param",
)
def fp32_momentum_sgd_update(
    grad: Tensor,
    moment: Tensor,
    lr: Tensor,
    param: Tensor,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """MomentumSGDUpdate of grad + weight_decay param.

    output_grad: the step that was taken off param.
    lr: the learning rate, one number, positive: the step is taken off param.
    """
    _decayed(grad, moment, lr, param, momentum, nesterov, weight_decay)
    return grad, moment, param


@op(
    "FP16MomentumSGDUpdate: grad moment lr param -> output_grad output_moment output_param",
    inplace=UPDATE,
    types="grad moment param: float16, lr: float",
    mutates=True,
    like="grad moment param",
)
def fp16_momentum_sgd_update(
    grad: Tensor,
    moment: Tensor,
    lr: Tensor,
    param: Tensor,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    fp32_update: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """FP32MomentumSGDUpdate of float16 tensors.

    output_grad: the step that was taken off param.
    fp32_update: computes in float32 and rounds at the end, instead of after every operation.
    """
    if not fp32_update:
        _decayed(grad, moment, lr.half(), param, momentum, nesterov, weight_decay)
        return grad, moment, param
    held = grad, moment, param
    g, m, p = (x.to(torch.float32) for x in held)
    _decayed(g, m, lr, p, momentum, nesterov, weight_decay)
    return tuple(x.copy_(new) for x, new in zip(held, (g, m, p)))

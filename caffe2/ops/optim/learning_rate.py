"""Iteration counters, and the learning rate at an iteration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.optim.policy import Plain, Traced, make_policy
from caffe2.ops.sync.stat import PROCESS


def _checked(count: Tensor) -> Tensor:
    demand.one_number(count, "iter")
    if demand.readable(count) and int(count) < 0:
        raise EnforceNotMet(f"iter holds {int(count)}, a negative number of iterations")
    return count


@op(
    "Iter: iter? -> iter",
    inplace="iter => iter",
    gradient=NONE,
    types="iter: int64",
    host="iter",
    shape=lambda iter=None: torch.empty(1, dtype=torch.int64, device="meta"),
)
class Iter(Op):
    """iter = iter + 1, int64. Without an input it goes on from what its output holds, from 0 where it holds nothing."""

    def bind(self, site: Site) -> None:
        self._cell = site.workspace.cell(site.outputs[0]) if not site.inputs and site.workspace else None

    def __call__(self, iter: Tensor | None = None) -> Tensor:
        if iter is None:
            held = self._cell.value if self._cell is not None else None
            iter = held if isinstance(held, Tensor) else torch.zeros(1, dtype=torch.int64)
        return _checked(iter) + 1


@op(
    "AtomicIter: mutex iter -> iter",
    inplace="iter => iter",
    types="iter: int64",
    host="iter",
    like="iter",
    mutates=True,
)
class AtomicIter(Op):
    """iter = iter + 1, int64, while the mutex is held; it is one that CreateMutex made.

    It adds in place: another operator may have read the blob before it waited for the mutex. The statistics of the
    process count it as atomic_iter/stats/<iter>/num_iter.
    """

    def bind(self, site: Site) -> None:
        self._counted = f"atomic_iter/stats/{site.inputs[1]}/num_iter"

    def __call__(self, mutex: Any, iter: Tensor) -> Tensor:
        with mutex:
            PROCESS.add(self._counted, 1)
            return _checked(iter).add_(1)


@op(
    "LearningRate: input -> output",
    gradient=NONE,
    types="input: int64",
    host="input",
    shape=lambda input: torch.empty((), device="meta"),
)
class LearningRate(Op):
    """base_lr times what the policy says of iteration t, the one number of input: a float32 scalar.

    With * for what the policy takes as arguments (defaults in the module caffe2.ops.optim.policy):

    fixed: 1. step: gamma*^floor(t / stepsize*). exp: gamma*^t. inv: (1 + gamma* t)^-power*.
    poly: (1 - t / max_iter*)^power*. gate: multiplier_1* before num_iter*, multiplier_2* from it on.
    alter: 1 for active_period*, 0 for inactive_period* in turn, active_first* or not.
    linearWarmup: from start_multiplier* to 1 over num_iter*. constantWarmup: multiplier* before num_iter*, then 1.
    pieceWarmup: m1* before n1*, m2* before n2*, then m3*. hill: linearWarmup, then inv, no less than end_multiplier*.
    slope: multiplier_1* before num_iter_1*, then in a line to multiplier_2* at num_iter_2*, no less than it.
    cyclical: up to max_lr* and down in stepsize* each, with decay*. cosine: half cosines from max_lr* to min_lr* in
    period*, with t_mult* and lr_shrink*. constantThenLinearWarmup: start_warmup_multiplier* for
    constant_warmup_num_iter*, to 1 over linear_warmup_num_iter*. compositeCyclical, compositeCosine: the latter, then
    cyclical or cosine, whose arguments are named cyclical_max_lr, cosine_period and so on.
    composite: sub_policy_num_iters* iterations of each of several policies, policy k being sub_policy_k_policy* with
    the arguments sub_policy_k_gamma* and so on, times sub_policy_k_lr_scale*; all count iterations from the start.
    """

    base_lr: float
    policy: str
    device: torch.device

    def bind(self, site: Site) -> None:
        self._factor = make_policy(self.policy, self.base_lr, site.op.arg)

    def __call__(self, input: Tensor) -> Tensor:
        demand.one_number(input, "input")
        if demand.concrete(input):
            rate = self.base_lr * self._factor(int(input), Plain)
            return torch.full((), rate, dtype=torch.float32, device=self.device)
        rate = self.base_lr * self._factor(input.reshape(()).double(), Traced)
        return rate.to(torch.float32).to(self.device)


@op(
    "LearningRateAdaption: lr grad effgrad -> output_lr",
    inplace="lr -> output_lr",
    gradient=NONE,
    types="lr grad effgrad: float",
)
def learning_rate_adaption(
    lr: Tensor, grad: Tensor, effgrad: Tensor, *, lr_alpha: float = 0.01, normalized_lr_adaption: bool = True
) -> Tensor:
    """output_lr = lr (1 - lr_alpha cos(grad, effgrad)), or lr - lr_alpha <grad, effgrad> if not normalized.

    effgrad is the step that the optimizer took; lr is one number (Baydin et al., Online Learning Rate Adaptation with
    Hypergradient Descent, 2018). Norms below 1e-12 count as 1e-12.
    """
    demand.one_number(lr, "lr")
    if grad.numel() != effgrad.numel():
        raise EnforceNotMet(f"grad and effgrad have as many elements, not {grad.numel()} and {effgrad.numel()}")
    g, e = grad.reshape(-1), effgrad.reshape(-1)
    if not normalized_lr_adaption:
        return lr - lr_alpha * torch.dot(g, e)
    norms = torch.linalg.vector_norm(g).clamp(min=1e-12) * torch.linalg.vector_norm(e).clamp(min=1e-12)
    return lr * (1 - lr_alpha * torch.dot(g, e) / norms)

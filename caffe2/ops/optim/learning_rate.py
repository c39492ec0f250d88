"""Iteration counters, and the learning rate at an iteration."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.optim.policy import Plain, Traced, described, make_policy
from caffe2.ops.sync.atomic import Mutex
from caffe2.ops.sync.stat import PROCESS

DOC = f"""The learning rate at iteration t: base_lr times what the policy says of t.

input: t, one number, not negative.
output: one number, float32, of no dimensions.
base_lr: the rate that the policy scales.
policy: the name of one of the policies above; the arguments named there are given beside it.

{described()}
* composite: several policies in turn, each for one of the numbers of iterations in sub_policy_num_iters. Policy k is
  sub_policy_k_policy with the arguments sub_policy_k_gamma and so on, times sub_policy_k_lr_scale = 1.0. All count t
  from the start.
"""


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
    """iter = iter + 1.

    iter: one number, int64, not negative. Without the input it goes on from what the output blob holds, from 0 where
        that holds nothing.
    """

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
    """iter = iter + 1, while a mutex is held.

    It adds in place: another operator may have read the blob before it waited for the mutex. The statistics of the
    process count it as atomic_iter/stats/<iter>/num_iter.

    mutex: what CreateMutex made.
    iter: one number, int64, not negative.
    """

    def bind(self, site: Site) -> None:
        self._counted = f"atomic_iter/stats/{site.inputs[1]}/num_iter"

    def __call__(self, mutex: Mutex, iter: Tensor) -> Tensor:
        with mutex:
            PROCESS.add(self._counted, 1)
            return _checked(iter).add_(1)


@op(
    "LearningRate: input -> output",
    gradient=NONE,
    types="input: int64",
    host="input",
    shape=lambda input: torch.empty((), device="meta"),
    doc=DOC,
)
class LearningRate(Op):
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
    """The learning rate by hypergradient descent: output_lr = lr (1 - lr_alpha cos(grad, effgrad)).

    Without normalized_lr_adaption output_lr = lr - lr_alpha <grad, effgrad>, the inner product. Norms below 1e-12 count
    as 1e-12. Baydin et al., Online Learning Rate Adaptation with Hypergradient Descent, 2018.

    lr: the learning rate, one number.
    grad: the gradient, of any shape.
    effgrad: the step that the optimizer took, of the shape of grad.
    output_lr: one number.
    lr_alpha: the learning rate of the learning rate.
    normalized_lr_adaption: the cosine of the angle between both is taken, not their inner product.
    """
    demand.one_number(lr, "lr")
    if grad.numel() != effgrad.numel():
        raise EnforceNotMet(f"grad and effgrad have as many elements, not {grad.numel()} and {effgrad.numel()}")
    g, e = grad.reshape(-1), effgrad.reshape(-1)
    if not normalized_lr_adaption:
        return lr - lr_alpha * torch.dot(g, e)
    norms = torch.linalg.vector_norm(g).clamp(min=1e-12) * torch.linalg.vector_norm(e).clamp(min=1e-12)
    return lr * (1 - lr_alpha * torch.dot(g, e) / norms)

"""The learning rate of a Caffe solver at an iteration."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, Site, op
from caffe2.ops import demand


@op(
    "CaffeLearningRate: iter -> lr step?",
    gradient=NONE,
    types="iter: int64",
    host="iter step",
    shape=lambda iter: (torch.empty(1, device="meta"), torch.empty(1, dtype=torch.int64, device="meta")),
)
class CaffeLearningRate(Op):
    """lr = base_lr f(t) at iteration t, as the solvers of Caffe have it.

    fixed: f = 1. step: gamma^floor(t / stepsize). exp: gamma^t. inv: (1 + gamma t)^-power.
    poly: (1 - t / max_iter)^power. sigmoid: 1 / (1 + exp(-gamma (t - stepsize))).
    multistep: gamma^k, k of stepvalue being reached, of which an iteration leaves at most one behind.

    iter: t, one number, counted from 0.
    lr: one number; NaN for a negative number to a broken power.
    step: how many steps are done, with step and multistep.
    policy: one of those above.
    base_lr: the rate that f is multiplied with.
    gamma, power: numbers of the policies.
    stepsize: iterations of a step; with sigmoid, the iteration at its middle.
    stepvalue: with multistep, the iterations at which steps begin.
    max_iter: with poly, the iteration at which the rate is 0.
    start_step: how many steps of a multistep were done where the solver went on from a snapshot.
    since: the iteration of that snapshot.
    """

    policy: str
    base_lr: float
    gamma: float = 0.0
    power: float = 0.0
    stepsize: int = 0
    stepvalue: tuple[int, ...] = ()
    max_iter: int = 0
    start_step: int = 0
    since: int = 0
    device: torch.device

    def bind(self, site: Site) -> None:
        if self.policy not in POLICIES:
            raise EnforceNotMet(f"policy is one of {', '.join(POLICIES)}, not {self.policy!r}")
        if self.policy in ("step", "sigmoid") and self.stepsize <= 0:
            raise EnforceNotMet(f"policy {self.policy} takes a positive stepsize, not {self.stepsize}")
        if self.policy == "poly" and self.max_iter <= 0:
            raise EnforceNotMet(f"policy poly takes a positive max_iter, not {self.max_iter}")
        self._begins = accumulate(self.stepvalue[self.start_step :], lambda a, b: max(a + 1, b), initial=self.since - 1)
        self._begins = tuple(self._begins)[1:]

    def __call__(self, iter: Tensor) -> tuple[Tensor, Tensor]:
        demand.one_number(iter, "iter")
        t = iter.reshape(1).double()
        step = torch.zeros_like(iter.reshape(1))
        if self.policy == "step":
            step = iter.reshape(1) // self.stepsize
        elif self.policy == "multistep":
            step = self.start_step + sum((t >= begin).long() for begin in self._begins) + step
        rate = self.base_lr * POLICIES[self.policy](self, t, step)
        return rate.to(self.device, torch.float32), step


POLICIES: dict[str, Callable[[CaffeLearningRate, Tensor, Tensor], Tensor]] = {
    "fixed": lambda p, t, step: torch.ones_like(t),
    "step": lambda p, t, step: p.gamma ** step.double(),
    "exp": lambda p, t, step: p.gamma**t,
    "inv": lambda p, t, step: (1 + p.gamma * t) ** -p.power,
    "multistep": lambda p, t, step: p.gamma ** step.double(),
    "poly": lambda p, t, step: (1 - t / p.max_iter) ** p.power,
    "sigmoid": lambda p, t, step: torch.sigmoid(p.gamma * (t - p.stepsize)),
}

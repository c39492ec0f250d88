"""YellowFin: momentum SGD that tunes its own rate and momentum.

Zhang and Mitliagkas, YellowFin and the Art of Momentum Tuning, 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, op
from caffe2.ops import demand
from caffe2.ops.optim.rows import scalar

STATE = ("param", "moment", "lr", "mu", "curv_win", "g_avg", "g2_avg", "scalars_memory")


@op(
    f"YellowFin: {' '.join(STATE)} grad iter -> {' '.join(f'output_{s}' for s in STATE)}",
    inplace=", ".join(f"{s} -> output_{s}" for s in STATE),
    types=f"{' '.join(STATE)} grad: float, iter: int64",
    same="param moment g_avg g2_avg grad",
    host="iter",
    mutates=True,
    like=" ".join(STATE),
)
class YellowFin(Op):
    """A step of momentum SGD, moment = mu moment + lr grad, param = param - moment, and lr and mu tuned anew.

    lr and mu are moving averages of the tuner's proposals; from iteration 2 on they change. Zhang, Mitliagkas and Re,
    YellowFin and the Art of Momentum Tuning, 2017.

    lr: the learning rate, one number, positive.
    mu: the momentum, one number.
    curv_win: (curv_win_width): a ring of the logarithms of |grad|^2 in the last iterations.
    g_avg, g2_avg: of the shape of param: moving averages of grad and of its square.
    scalars_memory: (5): moving averages of |grad|, |grad|^2, the logarithms of the least and of the largest |grad|^2
        within the ring, and the distance to the optimum.
    iter: the iteration, counted from 1.
    output_lr, output_mu: lr and mu for the next iteration.
    output_curv_win, output_g_avg, output_g2_avg, output_scalars_memory: the state, updated.
    beta: the weight of the past in the moving averages.
    curv_win_width: how many iterations the ring holds.
    nesterov: param = param - (1 + mu) moment + mu (the moment before).
    zero_debias: moving averages are divided by 1 - beta^iter where they are used.
    epsilon: keeps divisors away from 0.
    """

    beta: float = 0.999
    curv_win_width: int = 20
    epsilon: float = 1e-6
    nesterov: bool = False
    zero_debias: bool = True

    def bind(self, site: object) -> None:
        if self.curv_win_width < 1:
            raise EnforceNotMet(f"curv_win_width is positive, not {self.curv_win_width}")

    def __call__(
        self,
        param: Tensor,
        moment: Tensor,
        lr: Tensor,
        mu: Tensor,
        curv_win: Tensor,
        g_avg: Tensor,
        g2_avg: Tensor,
        scalars_memory: Tensor,
        grad: Tensor,
        iter: Tensor,
    ) -> tuple[Tensor, ...]:
        if scalars_memory.numel() != 5 or curv_win.numel() < self.curv_win_width:
            raise EnforceNotMet(f"scalars_memory holds 5 numbers and curv_win {self.curv_win_width}")
        demand.one_number(iter, "iter")
        for name, x in (("moment", moment), ("g_avg", g_avg), ("g2_avg", g2_avg), ("grad", grad)):
            demand.same_shape(x, param, f"{name} and param")
        t = int(iter)
        if t < 1:
            raise EnforceNotMet(f"iter counts from 1; it is {t}")
        self._move(param, moment, scalar(lr), scalar(mu, "mu"), grad)
        debias = 1 / (1 - self.beta**t) if self.zero_debias else 1.0
        tuned = self._measure(curv_win, g_avg, g2_avg, scalars_memory, grad, t, debias)
        if t > 1:
            for average, proposal in zip((mu, lr), self._tune(*tuned)):
                average.lerp_(proposal.reshape(average.shape), 1 - self.beta)
        return param, moment, lr, mu, curv_win, g_avg, g2_avg, scalars_memory

    def _move(self, param: Tensor, moment: Tensor, lr: Tensor, mu: Tensor, grad: Tensor) -> None:
        before = moment * mu
        moment.copy_(before).addcmul_(grad, lr)
        param.sub_(moment * (1 + mu) - before if self.nesterov else moment)

    def _measure(
        self, curv_win: Tensor, g_avg: Tensor, g2_avg: Tensor, memory: Tensor, grad: Tensor, t: int, debias: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Advance the averages; the least and largest curvature, the variance and the distance that they tell."""
        epsilon = self.epsilon
        g_avg.lerp_(grad, 1 - self.beta)
        g2_avg.lerp_(grad.square(), 1 - self.beta)
        norm2 = grad.square().sum().clamp(min=epsilon)
        ring = curv_win.view(-1)[: self.curv_win_width]
        ring[(t - 1) % self.curv_win_width] = norm2.log()
        valid = ring[: min(self.curv_win_width, t)]
        seen = memory.view(-1)
        seen[:4].lerp_(torch.stack([norm2.sqrt(), norm2, valid.min(), valid.max()]), 1 - self.beta)
        seen[4].lerp_(seen[0] / seen[1], 1 - self.beta)
        least, largest = (seen[2:4] * debias).exp().clamp(min=epsilon)
        variance = (seen[1] * debias - (g_avg * debias).square().sum()).clamp(min=epsilon)
        return least, largest, variance, seen[4] * debias

    def _tune(self, least: Tensor, largest: Tensor, variance: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
        """The momentum and the rate that shrink the distance fastest on a quadratic with such curvatures."""
        ratio = (largest / least).sqrt()
        limit = (ratio - 1) / (ratio + 1)
        p = (distance * least).square() / (2 * variance)
        cube = (-(p.square() + 4 / 27 * p**3).sqrt() - p) / 2
        w = torch.where(cube > 0, 1.0, -1.0) * cube.abs() ** (1 / 3)
        root = w - p / 3 / w + 1
        momentum = torch.maximum(root.square(), limit.square())
        return momentum, (1 - momentum.sqrt()).square() / least

"""Learning rate policies: what the base rate is multiplied with at iteration t.

Every policy takes t as a number, or as a tensor while a net is traced, and the arithmetic `m` that goes with it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, get_type_hints

import torch
from torch import Tensor

from caffe2.opdef import Arg, EnforceNotMet, did_you_mean
from caffe2.opdef.arguments import read_arguments
from caffe2.proto import caffe2_pb2

Number = float | Tensor
Policy = Callable[[Number, Any], Number]


class Plain:
    """Arithmetic of Python's numbers."""

    floor, log, cos, maximum = math.floor, math.log, math.cos, max

    @staticmethod
    def where(condition: bool, a: float, b: float) -> float:
        return a if condition else b


class Traced:
    """The same of tensors."""

    floor, log, cos, where = torch.floor, torch.log, torch.cos, torch.where

    @staticmethod
    def maximum(a: Tensor, b: float) -> Tensor:
        return a.clamp(min=b)


def fixed(t: Number, m: Any) -> Number:
    """1."""
    return m.where(t >= 0, 1.0, 1.0)


def alter(
    t: Number, m: Any, *, active_first: bool = True, active_period: int = -1, inactive_period: int = -1
) -> Number:
    """1 for active_period iterations, then 0 for inactive_period, in turn; the inactive first if not active_first."""
    first = active_period if active_first else inactive_period
    return m.where(t % (active_period + inactive_period) < first, float(active_first), float(not active_first))


def step(t: Number, m: Any, *, stepsize: int = 0, gamma: float = 0.0) -> Number:
    """gamma^floor(t / stepsize)."""
    return gamma ** (t // stepsize)


def exp(t: Number, m: Any, *, gamma: float = 0.0) -> Number:
    """gamma^t."""
    return gamma**t


def gate(t: Number, m: Any, *, multiplier_1: float = 1.0, multiplier_2: float = 1.0, num_iter: int = 0) -> Number:
    """multiplier_1 before iteration num_iter, multiplier_2 from it on."""
    return m.where(t >= num_iter, multiplier_2, multiplier_1)


def inv(t: Number, m: Any, *, gamma: float = 0.0, power: float = 0.0) -> Number:
    """(1 + gamma t)^-power."""
    return (1 + gamma * t) ** -power


def poly(t: Number, m: Any, *, power: float = 0.0, max_iter: int = -1) -> Number:
    """(1 - t / max_iter)^power."""
    return (1 - t / max_iter) ** power


def linear_warmup(t: Number, m: Any, *, start_multiplier: float = 0.0, num_iter: int = 0) -> Number:
    """From start_multiplier to 1 in a line over num_iter iterations, then 1."""
    return m.where(t >= num_iter, 1.0, start_multiplier + (1 - start_multiplier) * t / max(num_iter, 1))


def constant_warmup(t: Number, m: Any, *, multiplier: float = 0.5, num_iter: int = 0) -> Number:
    """multiplier before iteration num_iter, then 1."""
    return m.where(t >= num_iter, 1.0, multiplier)


def piece_warmup(
    t: Number, m: Any, *, m1: float = 0.5, n1: int = 0, m2: float = 0.5, n2: int = 0, m3: float = 0.5
) -> Number:
    """m1 before iteration n1, m2 before n2, then m3."""
    return m.where(t < n1, m1, m.where(t < n2, m2, m3))


def hill(
    t: Number,
    m: Any,
    *,
    num_iter: int = 0,
    start_multiplier: float = 0.0,
    gamma: float = 0.0,
    power: float = 0.0,
    end_multiplier: float = 0.0,
) -> Number:
    """linearWarmup over num_iter iterations, then inv counted from there, no less than end_multiplier."""
    up = linear_warmup(t, m, start_multiplier=start_multiplier, num_iter=num_iter)
    down = inv(m.maximum(t - num_iter, 0), m, gamma=gamma, power=power)
    return m.where(t < num_iter, up, m.maximum(down, end_multiplier))


def slope(
    t: Number,
    m: Any,
    *,
    num_iter_1: int = 0,
    multiplier_1: float = 0.0,
    num_iter_2: int = 0,
    multiplier_2: float = 0.0,
) -> Number:
    """multiplier_1 before num_iter_1, then in a line to multiplier_2 at num_iter_2, and no less than it."""
    line = multiplier_1 + (t - num_iter_1) * ((multiplier_2 - multiplier_1) / (num_iter_2 - num_iter_1))
    return m.where(t < num_iter_1, multiplier_1, m.maximum(line, multiplier_2))


def cyclical(
    t: Number, m: Any, *, base_lr: float, max_lr: float = 0.005, stepsize: int = 0, decay: float = 1.0
) -> Number:
    """Between 1 and max_lr / base_lr, up and down in stepsize iterations each, the height decaying every cycle.

    Smith, Cyclical Learning Rates for Training Neural Networks, 2017.
    """
    cycle = t // (2 * stepsize)
    height = m.maximum(1 - abs(t / stepsize - 2 * cycle - 1), 0)
    return 1 + (abs(max_lr) / abs(base_lr) - 1) * height * decay**cycle


def cosine(
    t: Number,
    m: Any,
    *,
    max_lr: float = 0.5,
    min_lr: float = 0.1,
    period: int = 50,
    t_mult: float = 1.0,
    lr_shrink: float = 0.99,
) -> Number:
    """Half a cosine from max_lr to min_lr in each period; a period is t_mult times as long as the one before it,
    and its rates lr_shrink times as high.

    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.
    """
    if t_mult == 1:
        turn = t // period
        length, since = period, t - turn * period
    else:
        turn = m.floor(m.log(1 - t / period * (1 - t_mult)) / math.log(t_mult))
        length, since = t_mult**turn * period, t - (1 - t_mult**turn) / (1 - t_mult) * period
    return lr_shrink**turn * (min_lr + 0.5 * (max_lr - min_lr) * (1 + m.cos(math.pi * since / length)))


def constant_then_linear_warmup(
    t: Number,
    m: Any,
    *,
    start_warmup_multiplier: float = 0.1,
    constant_warmup_num_iter: int = 10_000_000,
    linear_warmup_num_iter: int = 10_000_000,
) -> Number:
    """start_warmup_multiplier for constant_warmup_num_iter, to 1 in a line over linear_warmup_num_iter, then 1."""
    return _warmed(t, m, start_warmup_multiplier, constant_warmup_num_iter, linear_warmup_num_iter)


def _warmed(t: Number, m: Any, start: float, constant: int, linear: int) -> Number:
    return linear_warmup(m.maximum(t - constant, 0), m, start_multiplier=start, num_iter=linear)


def composite_cyclical(
    t: Number,
    m: Any,
    *,
    base_lr: float,
    start_warmup_multiplier: float = 0.1,
    constant_warmup_num_iter: int = 10_000_000,
    linear_warmup_num_iter: int = 10_000_000,
    cyclical_max_lr: float = 0.05,
    cyclical_step_size: int = 1_000_000,
    cyclical_decay: float = 1.0,
) -> Number:
    """constantThenLinearWarmup, then cyclical counted from its end."""
    end = constant_warmup_num_iter + linear_warmup_num_iter
    shape = {"max_lr": cyclical_max_lr, "stepsize": cyclical_step_size, "decay": cyclical_decay}
    warm = _warmed(t, m, start_warmup_multiplier, constant_warmup_num_iter, linear_warmup_num_iter)
    return m.where(t < end, warm, cyclical(m.maximum(t - end, 0), m, base_lr=base_lr, **shape))


def composite_cosine(
    t: Number,
    m: Any,
    *,
    start_warmup_multiplier: float = 0.1,
    constant_warmup_num_iter: int = 10_000_000,
    linear_warmup_num_iter: int = 10_000_000,
    cosine_max_lr: float = 0.5,
    cosine_min_lr: float = 0.1,
    cosine_period: int = 50,
    cosine_t_mult: float = 1.0,
    cosine_lr_shrink: float = 0.99,
) -> Number:
    """constantThenLinearWarmup, then cosine counted from its end."""
    end = constant_warmup_num_iter + linear_warmup_num_iter
    shape = {"max_lr": cosine_max_lr, "min_lr": cosine_min_lr, "period": cosine_period, "t_mult": cosine_t_mult}
    warm = _warmed(t, m, start_warmup_multiplier, constant_warmup_num_iter, linear_warmup_num_iter)
    return m.where(t < end, warm, cosine(m.maximum(t - end, 0), m, lr_shrink=cosine_lr_shrink, **shape))


def composite(t: Number, m: Any, *, starts: list[int], scales: list[float], policies: list[Policy]) -> Number:
    """The policy of the last part that starts at or before t, times its scale."""
    value = policies[0](t, m) * scales[0]
    for start, scale, policy in zip(starts[1:], scales[1:], policies[1:]):
        value = m.where(t >= start, policy(t, m) * scale, value)
    return value


POLICIES: dict[str, Callable[..., Number]] = {
    "fixed": fixed,
    "alter": alter,
    "hill": hill,
    "slope": slope,
    "step": step,
    "exp": exp,
    "gate": gate,
    "inv": inv,
    "poly": poly,
    "linearWarmup": linear_warmup,
    "constantWarmup": constant_warmup,
    "pieceWarmup": piece_warmup,
    "cyclical": cyclical,
    "constantThenLinearWarmup": constant_then_linear_warmup,
    "compositeCyclical": composite_cyclical,
    "cosine": cosine,
    "compositeCosine": composite_cosine,
}


def described() -> str:
    """Every policy with its arguments and what it says, a line each."""
    lines = []
    for name, function in POLICIES.items():
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        given = ", ".join(f"{p.name} = {p.default}" for p in own if p.name != "base_lr")
        said = " ".join(inspect.getdoc(function).split("\n\n")[0].split())
        lines.append(f"* {name}{f' ({given})' if given else ''}: {said}")
    return "\n".join(lines)


DIVISORS = {"stepsize", "period", "cyclical_step_size", "cosine_period"}
"""Arguments that a policy divides by: they must be positive."""


def make_policy(name: str, base_lr: float, args: Sequence[caffe2_pb2.Argument], prefix: str = "") -> Policy:
    """A policy with its arguments, whose names bear a prefix, read from those of an operator.

    Raises EnforceNotMet for an unknown policy or an argument that it cannot work with.
    """
    if name == "composite" and not prefix:
        return _make_composite(base_lr, args)
    if name not in POLICIES:
        raise EnforceNotMet(f"LearningRate\n  no policy is named {name!r}{did_you_mean(name, POLICIES)}")
    function = POLICIES[name]
    hints = get_type_hints(function)
    declared = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    own = [p for p in declared if p.name != "base_lr"]
    read = read_arguments([Arg(prefix + p.name, hints[p.name], p.default) for p in own], args, "LearningRate")
    given = {k[len(prefix) :]: v for k, v in read.items()}
    for p in own:
        if p.name in DIVISORS and given.get(p.name, p.default) <= 0:
            raise EnforceNotMet(f"LearningRate\n  {prefix}{p.name} of the policy {name} is positive")
    return partial(function, **given, **({"base_lr": base_lr} if len(own) < len(declared) else {}))


def _make_composite(base_lr: float, args: Sequence[caffe2_pb2.Argument]) -> Policy:
    counts = next((list(a.ints) for a in args if a.name == "sub_policy_num_iters"), [])
    if not counts or min(counts) <= 0:
        raise EnforceNotMet(f"LearningRate\n  sub_policy_num_iters are one positive number or more, not {counts}")
    parts = {"starts": list(accumulate(counts, initial=1))[:-1], "scales": [], "policies": []}
    for k in range(len(counts)):
        prefix = f"sub_policy_{k}_"
        declared = [Arg(f"{prefix}policy", str, ""), Arg(f"{prefix}lr_scale", float, 1.0)]
        read = read_arguments(declared, args, "LearningRate")
        parts["scales"].append(read.get(f"{prefix}lr_scale", 1.0))
        parts["policies"].append(make_policy(read.get(f"{prefix}policy", ""), base_lr, args, prefix))
    return partial(composite, **parts)

"""Constraints: parameters put back into bounds after each update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from caffe2.python import core, utils
from caffe2.python._misuse import demand
from caffe2.python._regularizer.regularizer import Regularizer, demand_factor, demand_sparse

Blob = core.BlobReference


class MaxNorm(Regularizer):
    """Rows that a sparse gradient touches are scaled down to Euclidean norm <= norm."""

    _use_max_norm: ClassVar[bool] = True

    def __init__(self, norm: float = 1.0) -> None:
        super().__init__()
        self.norm = norm

    def _run_after_optimizer(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any) -> None:
        demand(self.norm > 0, f"a norm is positive: {self.norm}")
        demand_sparse(grad, self)
        net.SparseNormalize([param, grad.indices], [param], use_max_norm=self._use_max_norm, norm=self.norm)


class ConstantNorm(MaxNorm):
    """Rows that a sparse gradient touches are scaled to Euclidean norm = norm."""

    _use_max_norm = False


class SparseLpNorm(Regularizer):
    """Rows that a sparse gradient touches step by reg_lambda down the penalty sum |p|, or p^2 / 2 for p = 2."""

    def __init__(self, p: float, reg_lambda: float) -> None:
        super().__init__()
        demand(p in (1.0, 2.0), f"Sparse Lp regularization only implemented for p = 1.0 and p = 2.0, not {p}")
        demand_factor(reg_lambda, positive=True)
        self.p = p
        self.reg_lambda = reg_lambda

    def _run_after_optimizer(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any) -> None:
        demand_sparse(grad, self)
        net.SparseLpRegularizer([param, grad.indices], [param], p=self.p, reg_lambda=self.reg_lambda)


class SparseL1Norm(SparseLpNorm):
    """SparseLpNorm with p = 1."""

    def __init__(self, reg_lambda: float) -> None:
        super().__init__(p=1.0, reg_lambda=reg_lambda)


class SparseL2Norm(SparseLpNorm):
    """SparseLpNorm with p = 2."""

    def __init__(self, reg_lambda: float) -> None:
        super().__init__(p=2.0, reg_lambda=reg_lambda)


class LogBarrier(Regularizer):
    """Keeps a parameter positive by the penalty -d_t sum log(p), and by clipping it after each update.

    d_t: reg_lambda at first, and then lower by `discount_policy` with `discount_options`, as a learning rate.
    """

    def __init__(
        self, reg_lambda: float, discount_policy: str = "inv", discount_options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        demand_factor(reg_lambda, positive=True)
        self.reg_lambda = reg_lambda
        self.discount_policy = discount_policy
        self.discount_options = discount_options or {"gamma": 1.0, "power": 1.0}

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        iteration = utils.BuildUniqueMutexIter(param_init_net, net)
        discount = net.LearningRate(
            [iteration],
            [net.NextScopedBlob(param + "_log_barrier_discount")],
            base_lr=-self.reg_lambda,
            policy=self.discount_policy,
            **self.discount_options,
        )
        positive = net.Clip([param], [net.NextScopedBlob(param + "_non_neg")], min=self.kEpsilon)
        logarithms = net.Log([positive], [net.NextScopedBlob(param + "_log")])
        summed = net.SumElements([logarithms], [net.NextScopedBlob(param + "_log_sum")])
        return net.Mul([summed, discount], [net.NextScopedBlob(param + "_log_barrier")], broadcast=1)

    def _run_after_optimizer(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any) -> None:
        self._ensure_clipped(net, param, grad, min=0, open_range=True)


class BoundedGradientProjection(Regularizer):
    """Clips a parameter to [lb, ub] after each update; an end that is open by `epsilon` less, None is no bound."""

    def __init__(
        self,
        lb: float | None = None,
        ub: float | None = None,
        left_open: bool = False,
        right_open: bool = False,
        epsilon: float | None = None,
    ) -> None:
        super().__init__()
        lb = None if lb is None else float(lb)
        ub = None if ub is None else float(ub)
        epsilon = self.kEpsilon if epsilon is None else float(epsilon)
        demand(epsilon > 0, f"Bounded Gradient Projection with invalid eps={epsilon}")
        if lb is not None and ub is not None:
            bounds = f"{'(' if left_open else '['}{lb}, {ub}{')' if right_open else ']'} with epsilon {epsilon}"
            least, most = lb + epsilon * bool(left_open), ub - epsilon * bool(right_open)
            demand(least <= most, f"there is nothing between the bounds {bounds}")
        self.left_open = left_open
        self.right_open = right_open
        self.kEpsilon = epsilon
        self.lb = lb
        self.ub = ub

    def _run_after_optimizer(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any) -> None:
        self._ensure_clipped(
            net, param, grad, min=self.lb, max=self.ub, left_open=self.left_open, right_open=self.right_open
        )

"""What regularizers share: when they apply, and pieces of nets."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, utils
from caffe2.python._misuse import demand


class RegularizationBy:
    """When a regularizer applies: a penalty is part of the loss, a constraint is restored after each update."""

    AFTER_OPTIMIZER = "after_optimizer"
    ON_LOSS = "on_loss"


class Regularizer:
    """Called with a net, its init net, a parameter and `by`, adds a penalty or restores a constraint.

    Called by ON_LOSS, it gives the blob of the penalty, or None where there is none.
    """

    def __init__(self) -> None:
        self.kEpsilon = 1e-9

    def __call__(
        self,
        net: core.Net,
        param_init_net: core.Net,
        param: core.BlobReference,
        grad: Any = None,
        by: str | None = None,
    ) -> core.BlobReference | None:
        demand(isinstance(param, core.BlobReference), f"a parameter is a BlobReference, not {param!r}")
        times = utils.EnumClassKeyVals(RegularizationBy).values()
        demand(by in times, f"{type(self).__name__} applies by {' or '.join(times)}, not by {by!r}")
        return getattr(self, f"_run_{by}")(net, param_init_net, param, grad)

    def _run_on_loss(
        self, net: core.Net, param_init_net: core.Net, param: core.BlobReference, grad: Any = None
    ) -> core.BlobReference | None:
        return None

    def _run_after_optimizer(
        self, net: core.Net, param_init_net: core.Net, param: core.BlobReference, grad: Any
    ) -> None:
        return None

    def _feature_grouping(self, param: core.BlobReference, net: core.Net) -> core.BlobReference:
        """The Euclidean norm of each column."""
        squares = net.Mul([param, param], [net.NextScopedBlob("param_mul")])
        sums = net.ReduceFrontSum([squares], [net.NextScopedBlob("param_reduced")])
        return net.Pow([sums], [net.NextScopedBlob("grouped_feature_weight_vec")], exponent=0.5)

    def _ensure_clipped(
        self,
        net: core.Net,
        param: core.BlobReference,
        grad: Any = None,
        min: float | None = None,
        max: float | None = None,
        open_range: bool = False,
        left_open: bool = False,
        right_open: bool = False,
    ) -> None:
        """Clip a parameter, or the rows that a sparse gradient touches, to a range that is closed unless said open."""
        if min is not None and (open_range or left_open):
            min += self.kEpsilon
        if max is not None and (open_range or right_open):
            max -= self.kEpsilon
        touched = [grad.indices, grad.values] if isinstance(grad, core.GradientSlice) else []
        net.EnsureClipped([param, *touched], [param], min=min, max=max)


def demand_factor(factor: float, positive: bool = False) -> None:
    """Raise Misuse unless the factor of a penalty is at least, or above, 0."""
    holds = factor > 0 if positive else factor >= 0
    demand(holds, f"the factor of a regularizer is {'positive' if positive else 'not negative'}: {factor}")


def demand_sparse(grad: Any, what: object) -> None:
    """Raise NotImplementedError for a dense gradient."""
    if not isinstance(grad, core.GradientSlice):
        raise NotImplementedError(f"{type(what).__name__} is not supported for dense parameters")

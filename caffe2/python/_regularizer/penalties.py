"""Penalties: terms of the loss that keep parameters small or sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._regularizer.regularizer import Regularizer, demand_factor

Blob = core.BlobReference


class L1Norm(Regularizer):
    """reg_lambda sum |p|."""

    def __init__(self, reg_lambda: float) -> None:
        super().__init__()
        demand_factor(reg_lambda)
        self.reg_lambda = reg_lambda

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        return _norm(net, param, 1, self.reg_lambda, "_l1_regularization")


class L2Norm(Regularizer):
    """reg_lambda sum p^2."""

    def __init__(self, reg_lambda: float) -> None:
        super().__init__()
        demand_factor(reg_lambda)
        self.reg_lambda = reg_lambda

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        return _norm(net, param, 2, self.reg_lambda, "_l2_regularization")


class LpNorm(Regularizer):
    """reg_lambda times the p_value-norm of the vector of the Euclidean norms of the columns."""

    def __init__(self, reg_lambda: float, p_value: float = 0.5) -> None:
        super().__init__()
        demand_factor(reg_lambda, positive=True)
        demand(p_value > 0, f"p_value is positive: {p_value}")
        self.p_value = p_value
        self.reg_lambda = reg_lambda

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        output = net.NextScopedBlob(param + "_dense_feature_regularization")
        norms = self._feature_grouping(param, net)
        raised = net.Pow([norms], [net.NextScopedBlob("lp_vec_raised")], exponent=self.p_value)
        summed = net.ReduceFrontSum([raised], [net.NextScopedBlob("lp_vec_summed")])
        norm = net.Pow([summed], [net.NextScopedBlob("lp_vec")], exponent=1 / self.p_value)
        return net.Scale([norm], [output], scale=self.reg_lambda)


class L0ApproxNorm(Regularizer):
    """reg_lambda max(s - budget, 0) with s = sum min(n, alpha) / alpha over the norms n of the columns.

    s approximates the number of columns that are not 0; without a budget the penalty is reg_lambda s.
    """

    def __init__(self, reg_lambda: float, alpha: float = 0.01, budget: float = 0) -> None:
        super().__init__()
        demand_factor(reg_lambda, positive=True)
        demand(alpha > 0, f"alpha is positive: {alpha}")
        demand(budget >= 0, f"the budget is not negative: {budget}")
        self.reg_lambda = reg_lambda
        self.alpha = alpha
        self.budget = float(budget)

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        output = net.NextScopedBlob(param + "_dense_feature_regularization")
        norms = self._feature_grouping(param, net)
        magnitudes = net.Abs([norms], [net.NextScopedBlob("l0_abs")])
        clipped = net.Clip([magnitudes], [net.NextScopedBlob("l0_min")], max=self.alpha)
        summed = net.ReduceFrontSum([clipped], [net.NextScopedBlob("l0_summed")])
        count = net.Scale([summed], [net.NextScopedBlob("l0_norm")], scale=1 / self.alpha)
        if self.budget:
            budget = net.ConstantFill([], "budget", shape=[1], value=self.budget)
            excess = net.Sub([count, budget], [net.NextScopedBlob("l0_budget")])
            count = net.Relu([excess], [net.NextScopedBlob("relu_l0_sub_budget")])
        return net.Scale([count], [output], scale=self.reg_lambda)


class L1NormTrimmed(Regularizer):
    """reg_lambda sum |p| over all elements but the k of largest magnitude, of each row. Yun, Zheng et al., 2019."""

    def __init__(self, reg_lambda: float, k: int) -> None:
        super().__init__()
        demand_factor(reg_lambda)
        demand(isinstance(k, int) and k >= 1, f"k is an integer of at least 1, not {k!r}")
        self.reg_lambda = reg_lambda
        self.k = k

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        output = net.NextScopedBlob(param + "_l1_trimmed_regularization")
        return _trimmed_l1(net, param, output, self.k, self.reg_lambda)


class ElasticNet(Regularizer):
    """l1 sum |p| + l2 sum p^2. Zou and Hastie, 2005."""

    def __init__(self, l1: float, l2: float) -> None:
        super().__init__()
        self.l1 = l1
        self.l2 = l2

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        output = net.NextScopedBlob(param + "_elastic_net_regularization")
        l2, l1 = (net.NextScopedBlob(param + suffix) for suffix in ("_l2_blob", "_l1_blob"))
        net.LpNorm([param], [l2], p=2)
        net.LpNorm([param], [l1], p=1)
        net.Scale([l2], [l2], scale=self.l2)
        net.Scale([l1], [l1], scale=self.l1)
        return net.Add([l1, l2], [output])


class ElasticNetL1NormTrimmed(Regularizer):
    """l1 sum |p| over all elements but the k of largest magnitude, of each row, plus l2 sum p^2."""

    def __init__(self, l1: float, l2: float, k: int) -> None:
        super().__init__()
        self.l1 = l1
        self.l2 = l2
        self.k = k

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        output = net.NextScopedBlob(param + "_elastic_net_l1_trimmed_regularization")
        l2 = _norm(net, param, 2, self.l2, "_l2_blob")
        l1 = _trimmed_l1(net, param, net.NextScopedBlob(param + "_l1_blob"), self.k, self.l1)
        return net.Add([l1, l2], [output])


class GroupL1Norm(Regularizer):
    """reg_lambda sum over groups g of columns of sqrt(|g| (sum of their p^2 + stabilizing_val)). Simon et al., 2013.

    groups: the number of columns in each group.
    """

    def __init__(self, reg_lambda: float, groups: list[int], stabilizing_val: float = 0) -> None:
        super().__init__()
        demand_factor(reg_lambda)
        demand(isinstance(groups, list), f"groups are a list, not {groups!r}")
        self.reg_lambda = reg_lambda
        self.groups = groups
        self.stabilizing_val = stabilizing_val

    def _run_on_loss(self, net: core.Net, param_init_net: core.Net, param: Blob, grad: Any = None) -> Blob:
        shape = [len(self.groups)]
        columns = net.ReduceSum(net.Sqr(param), axes=[0], keepdims=0)
        lengths = net.GivenTensorIntFill([], 1, shape=shape, values=self.groups)
        sums = net.LengthsSum([columns, lengths])
        if self.stabilizing_val:
            net.Add([sums, net.ConstantFill([], 1, value=self.stabilizing_val)], [sums], broadcast=1)
        norms = net.Sqrt(sums)
        factors = net.GivenTensorFill([], shape=shape, values=np.sqrt(self.groups) * self.reg_lambda)
        scaled = net.Mul([norms, factors], ["normalized_l2_norm_scaled"])
        return net.LpNorm(scaled, ["group_l1_nrom"], p=1)


def _norm(net: core.Net, param: Blob, p: int, factor: float, suffix: str) -> Blob:
    """factor sum |param|^p, in the blob PARAM + suffix."""
    output = net.NextScopedBlob(param + suffix)
    net.LpNorm([param], [output], p=p)
    return net.Scale([output], [output], scale=factor)


def _trimmed_l1(net: core.Net, param: Blob, output: Blob, k: int, factor: float) -> Blob:
    """factor times the sum of all magnitudes but the k largest of each row, in the blob `output`."""
    magnitudes = net.Abs([param], [net.NextScopedBlob("abs")])
    total = net.SumElements([magnitudes], [net.NextScopedBlob("sum_abs")], average=False)
    largest, _, _ = net.TopK([magnitudes], [net.NextScopedBlob(name) for name in ("topk", "id", "flat_id")], k=k)
    trimmed = net.SumElements([largest], [net.NextScopedBlob("topk_sum")], average=False)
    net.Sub([total, trimmed], [output])
    return net.Scale([output], [output], scale=factor)

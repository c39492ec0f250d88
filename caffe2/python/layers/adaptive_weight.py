"""AdaptiveWeight: losses added up with weights that are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.regularizer import BoundedGradientProjection, LogBarrier


class AdaptiveWeight(ModelLayer):
    """sum_i w_i L_i - log(2 w_i) / 2 for losses L_i of unknown variance. Kendall, Gal and Cipolla, 2018.

    weights: w_i at the beginning, by default 1 / n.
    estimation_method: what is learned: "log_std", m_i with w_i = exp(-m_i) / 2, or "inv_var", k_i with w_i = k_i / 2.
    pos_optim_method: what keeps k_i positive: "log_barrier", with reg_lambda, or "pos_grad_proj".
    enable_diagnose: make each w_i a metric to plot.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "adaptive_weight",
        optimizer: Any = None,
        weights: Sequence[float] | None = None,
        enable_diagnose: bool = False,
        estimation_method: str = "log_std",
        pos_optim_method: str = "log_barrier",
        reg_lambda: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("adaptive_weight"))
        self.data = self.input_record.field_blobs()
        self.num = len(self.data)
        self.optimizer = optimizer
        weights = [1.0 / self.num] * self.num if weights is None else weights
        demand(len(weights) == self.num and min(weights) > 0, f"{self.num} positive weights are expected: {weights}")
        self.weights = np.array(weights).astype(np.float32)
        self.estimation_method = str(estimation_method).lower()
        self.pos_optim_method = str(pos_optim_method).lower()
        self.reg_lambda = float(reg_lambda)
        self.enable_diagnose = enable_diagnose
        self.init_func = getattr(self, self.estimation_method + "_init")
        self.weight_func = getattr(self, self.estimation_method + "_weight")
        self.reg_func = getattr(self, self.estimation_method + "_reg")
        self.init_func()
        if self.enable_diagnose:
            self.weight_i = [self.get_next_blob_reference(f"adaptive_weight_{i}") for i in range(self.num)]
            for blob in self.weight_i:
                self.model.add_ad_hoc_plot_blob(blob)

    def _learned(self, name: str, values: np.ndarray, regularizer: Any = None) -> core.BlobReference:
        fill = ("GivenTensorFill", {"values": values, "dtype": core.DataType.FLOAT})
        return self.create_param(name, [self.num], fill, self.optimizer, regularizer=regularizer)

    def concat_data(self, net: core.Net) -> core.BlobReference:
        """The losses as one vector."""
        reshaped = [net.NextScopedBlob(f"reshaped_data_{i}") for i in range(self.num)]
        for i in range(self.num):
            net.Reshape([self.data[i]], [reshaped[i], net.NextScopedBlob(f"new_shape_{i}")], shape=[1])
        outputs = [net.NextScopedBlob("concated_data"), net.NextScopedBlob("concated_new_shape")]
        return net.Concat(reshaped, outputs, axis=0)[0]

    def log_std_init(self) -> None:
        """Create the parameter m = -log(2 w)."""
        self.mu = self._learned("mu", np.log(1.0 / 2.0 / self.weights))

    def log_std_weight(self, x: core.BlobReference, net: core.Net, weight: core.BlobReference) -> None:
        """w = exp(-m) / 2."""
        negative = net.Negative(self.mu, net.NextScopedBlob("mu_neg"))
        net.Scale(net.Exp(negative, net.NextScopedBlob("mu_neg_exp")), weight, scale=0.5)

    def log_std_reg(self, net: core.Net, reg: core.BlobReference) -> None:
        """m / 2, which is -log(2 w) / 2."""
        net.Scale(self.mu, reg, scale=0.5)

    def inv_var_init(self) -> None:
        """Create the parameter k = 2 w."""
        if self.pos_optim_method == "log_barrier":
            regularizer = LogBarrier(reg_lambda=self.reg_lambda)
        elif self.pos_optim_method == "pos_grad_proj":
            regularizer = BoundedGradientProjection(lb=0, left_open=True)
        else:
            raise TypeError(f"unknown positivity optimization method: {self.pos_optim_method}")
        self.k = self._learned("k", 2.0 * self.weights, regularizer)

    def inv_var_weight(self, x: core.BlobReference, net: core.Net, weight: core.BlobReference) -> None:
        """w = k / 2."""
        net.Scale(self.k, weight, scale=0.5)

    def inv_var_reg(self, net: core.Net, reg: core.BlobReference) -> None:
        """-log(k) / 2."""
        net.Scale(net.Log(self.k, net.NextScopedBlob("log_k")), reg, scale=-0.5)

    def _add_ops_impl(self, net: core.Net, enable_diagnose: bool) -> None:
        x = self.concat_data(net)
        names = ("weight", "reg", "weighted_x", "weighted_x_add_reg")
        weight, reg, weighted_x, weighted_x_add_reg = map(net.NextScopedBlob, names)
        self.weight_func(x, net, weight)
        self.reg_func(net, reg)
        net.Mul([weight, x], weighted_x)
        net.Add([weighted_x, reg], weighted_x_add_reg)
        net.SumElements(weighted_x_add_reg, self.output_schema())
        if enable_diagnose:
            for i in range(self.num):
                net.Slice(weight, self.weight_i[i], starts=[i], ends=[i + 1])

    def add_ops(self, net: core.Net) -> None:
        self._add_ops_impl(net, self.enable_diagnose)

"""Adagrad, dense and sparse, by element and by row, with pruning and averaging."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from caffe2.python import core, workspace
from caffe2.python._misuse import demand
from caffe2.python._optimizer.build import _build
from caffe2.python._optimizer.optimizer import row_constants
from caffe2.python._optimizer.pruning import Pruning
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterInfo

logger = logging.getLogger(__name__)

FP16_ENGINES = ["SIMD_Q_FP16", "SIMD_Q_STOC_FP16", "SIMD_Q_STOC_MKL_FP16"]

_SWA_OPTIONS = (
    "swa_avg_start_it",
    "swa_avg_end_it",
    "swa_feedback_start_it",
    "swa_feedback_step",
    "swa_feedback_end_it",
)
_EMA_OPTIONS = ("ema_start", "ema_end", "ema_step", "ema_alpha")


class AdagradOptimizer(Pruning):
    """h <- decay h + g^2, p <- p - alpha g / (sqrt(h) + epsilon). Duchi, Hazan and Singer, 2011.

    alpha: the learning rate, which changes by `policy`; where it is not positive nothing is updated.
    weight_decay: weight_decay p is added to g, for parameters of more than one axis.
    sparse_dedup_aggregator: "sum" or "mean" to add up or average repeated indices of sparse gradients first.
    rowWise: keep h, then a mean, by row of a parameter with a sparse gradient.
    engine: of the operator; for FP16_ENGINES h is float16.
    lars: the offset of layer-wise adaptive rates, or None to go without.
    output_effective_lr, output_effective_lr_and_update: write alpha / (sqrt(h) + epsilon) to PARAM_effective_lr, and
        the latter the change of the parameter to PARAM_update.
    pruning_options: a dictionary; see Pruning.
    swa_options, ema_options: average the parameter over runs into PARAM_swa, or exponentially into PARAM_ema; see the
        operators SWA and EMA for what the dictionaries hold.
    weight_scale: an object with stepsize, upper_bound_iter, scale and to_aux; see the operator WeightScale.
    counter_halflife: where positive, count how often rows are updated, with this half-life in runs.
    """

    _rate = "alpha"

    def __init__(
        self,
        alpha: float = 0.01,
        epsilon: float = 1e-4,
        decay: float = 1,
        weight_decay: float = 0.0,
        policy: str = "fixed",
        sparse_dedup_aggregator: str | None = None,
        rowWise: bool = False,
        engine: str = "",
        lars: float | None = None,
        output_effective_lr: bool = False,
        output_effective_lr_and_update: bool = False,
        pruning_options: Mapping[str, Any] | None = None,
        swa_options: Mapping[str, Any] | None = None,
        ema_options: Mapping[str, Any] | None = None,
        weight_scale: Any = None,
        counter_halflife: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(pruning_options)
        self.alpha = alpha
        self.epsilon = epsilon
        self.decay = decay
        self.weight_decay = float(weight_decay)
        self.policy = policy
        self.sparse_dedup_aggregator = sparse_dedup_aggregator
        self.rowWise = rowWise
        self.engine = engine
        self.lars = lars
        self.output_effective_lr = output_effective_lr
        self.output_effective_lr_and_update = output_effective_lr_and_update
        self.counter_halflife = counter_halflife
        self.init_kwargs = kwargs
        self.weight_scale = weight_scale
        self.swa_enabled = bool(swa_options)
        self.ema_enabled = bool(ema_options)
        for names, options in ((_SWA_OPTIONS, swa_options), (_EMA_OPTIONS, ema_options)):
            vars(self).update({name: options.get(name) for name in names} if options else {})

    def _run(self, net: core.Net, param_init_net: core.Net, param_info: ParameterInfo) -> None:
        if self.alpha <= 0:
            return
        param, grad = param_info.blob, param_info.grad
        sparse = isinstance(grad, core.GradientSlice)
        self._demand_supported(param, sparse)
        self._use_lars(net, param_init_net, param_info, self.lars)
        lr, iteration = self.build_lr(net, param_init_net, self.alpha, policy=self.policy, **self.init_kwargs)
        if self.counter_halflife > 0:
            self._aux_params.shared.append(iteration)
        squared_sum = self._squared_sum(param_init_net, param)
        mask = self._mask(param_init_net, param, sparse)
        self._aux_params.local.append(squared_sum)
        counters = self._counters(param_init_net, param)
        decay = self._weight_decay_of(param_init_net, param)
        if sparse:
            indices = self._add_sparse(net, param_info, squared_sum, lr, mask, decay)
            if counters:
                inputs = [*counters, indices, iteration]
                net.RowWiseCounter(inputs, counters, counter_halflife=self.counter_halflife)
        else:
            self._add_dense(net, param_info, squared_sum, lr, mask, decay, iteration)
            if self.swa_enabled and not self.use_mask:
                self._add_swa(net, param_init_net, param, iteration)
        if self.ema_enabled:
            self._add_ema(net, param_init_net, param, iteration)
        if self.weight_scale:
            self._add_weight_scale(net, param, squared_sum, iteration)

    def _demand_supported(self, param: core.BlobReference, sparse: bool) -> None:
        where = f"Adagrad of {param}: "
        demand(
            not self.weight_decay or not (self.use_mask or (self.lars is not None and not sparse)),
            where + "weight decay is not implemented for LARS and masks",
        )
        demand(not self.weight_decay or self.engine not in FP16_ENGINES, where + f"{self.engine} has no weight decay")
        demand(sparse or not self.rowWise, where + "rowWise is for sparse gradients, this one is dense")
        demand(not sparse or self.decay == 1.0, where + "decay is not implemented for sparse gradients and must be 1")
        outputs = self.output_effective_lr or self.output_effective_lr_and_update
        demand(sparse or not (self.use_mask and outputs), where + "a masked update does not output effective_lr")

    def _squared_sum(self, param_init_net: core.Net, param: core.BlobReference) -> core.BlobReference:
        if self.rowWise:
            return row_constants(param_init_net, param, {"avg_squared_sum": {"value": 0.0}})[0]
        if self.engine not in FP16_ENGINES:
            return param_init_net.ConstantFill([param], f"{param}_squared_sum", value=0.0)
        shape = self._shape(param_init_net, param)
        return param_init_net.Float16ConstantFill([], f"{param}_squared_sum", value=0.0, shape=shape)

    @staticmethod
    def _shape(param_init_net: core.Net, param: core.BlobReference) -> list[int]:
        shapes, _ = workspace.InferShapesAndTypes([param_init_net])
        demand(str(param) in shapes, f"the shape of parameter {param} is not known from net {param_init_net.Name()}")
        return shapes[str(param)]

    def _counters(self, param_init_net: core.Net, param: core.BlobReference) -> list[core.BlobReference]:
        if self.counter_halflife <= 0:
            return []
        constants = {
            "update_counter": {"value": 0.0, "dtype": core.DataType.DOUBLE},
            "prev_update_iter": {"value": 0, "dtype": core.DataType.INT64},
        }
        counter, last = row_constants(param_init_net, param, constants)
        self._aux_params.local.extend((counter, last))
        return [last, counter]

    def _weight_decay_of(self, param_init_net: core.Net, param: core.BlobReference) -> dict[str, float]:
        """The argument, for a parameter that decays."""
        if not self.weight_decay:
            return {}
        if len(self._shape(param_init_net, param)) == 1:
            logger.warning("no weight decay for %s, which has one axis", param)
            return {}
        return {"weight_decay": self.weight_decay}

    def _add_sparse(
        self, net: core.Net, param_info: ParameterInfo, squared_sum: Any, lr: Any, mask: list[Any], decay: dict
    ) -> Any:
        """Add the update; the rows that it updates."""
        param = param_info.blob
        grad = self.dedup(net, self.sparse_dedup_aggregator, param_info.grad)
        operator = f"{'Masked' if self.use_mask else ''}{'RowWise' if self.rowWise else ''}SparseAdagrad"
        getattr(net, operator)(
            [param, squared_sum, grad.indices, grad.values, lr, *mask],
            [param, squared_sum],
            epsilon=self.epsilon,
            **decay,
            engine=self.engine,
        )
        return grad.indices

    def _add_dense(
        self,
        net: core.Net,
        param_info: ParameterInfo,
        squared_sum: Any,
        lr: Any,
        mask: list[Any],
        decay: dict,
        iteration: Any,
    ) -> None:
        param = param_info.blob
        inputs, outputs = [param, squared_sum, param_info.grad, lr], [param, squared_sum]
        arguments = {"epsilon": self.epsilon, "decay": float(self.decay)}
        if self.use_mask:
            pruned, state = self._pruning_blobs(mask, iteration)
            arguments.update(self._pruning_arguments())
            net.MaskedAdagrad([*inputs, *pruned], [*outputs, *state], **arguments, engine=self.engine)
            return
        if self.output_effective_lr or self.output_effective_lr_and_update:
            outputs.append(f"{param}_effective_lr")
        if self.output_effective_lr_and_update:
            outputs.append(f"{param}_update")
        net.Adagrad(inputs, outputs, **arguments, **decay, engine=self.engine)

    def _average(self, param_init_net: core.Net, param: core.BlobReference, suffix: str) -> str:
        average = f"{param}_{suffix}"
        if not param_init_net.BlobIsDefined(average):
            param_init_net.ConstantFill([param], average, value=0.0)
            self._aux_params.local.append(average)
        return average

    def _add_swa(self, net: core.Net, param_init_net: core.Net, param: core.BlobReference, iteration: Any) -> None:
        average = self._average(param_init_net, param, "swa")
        net.SWA(
            [param, average, iteration],
            [param, average],
            avg_start=self.swa_avg_start_it,
            avg_end=self.swa_avg_end_it,
            feedback_start=self.swa_feedback_start_it,
            feedback_step=self.swa_feedback_step,
            feedback_end=self.swa_feedback_end_it,
        )

    def _add_ema(self, net: core.Net, param_init_net: core.Net, param: core.BlobReference, iteration: Any) -> None:
        average = self._average(param_init_net, param, "ema")
        arguments = {name: getattr(self, name) for name in _EMA_OPTIONS}
        net.EMA([param, average, iteration], [param, average], **arguments)

    def _add_weight_scale(self, net: core.Net, param: Any, squared_sum: Any, iteration: Any) -> None:
        scale = self.weight_scale
        for blob in (param, squared_sum) if scale.to_aux else (param,):
            net.WeightScale(
                [blob, iteration],
                [blob],
                stepsize=scale.stepsize,
                upper_bound_iter=scale.upper_bound_iter,
                scale=float(scale.scale),
            )


def build_adagrad(
    model: ModelHelper,
    base_learning_rate: float,
    parameters: Any = None,
    max_gradient_norm: float | None = None,
    allow_lr_injection: bool = False,
    **kwargs: Any,
) -> AdagradOptimizer:
    """Update the parameters of a model by Adagrad; arguments as for build_sgd, `parameters` is not used."""
    optimizer = AdagradOptimizer(alpha=base_learning_rate, **kwargs)
    return _build(model, optimizer, max_gradient_norm=max_gradient_norm, allow_lr_injection=allow_lr_injection)

"""Steps along gradients whose norm, taken over all parameters, is clipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe2.python import core
from caffe2.python.models.seq2seq.seq2seq_model_helper import Seq2SeqModelHelper


def norm_clipped_update(
    model: Seq2SeqModelHelper, learning_rate: Any, scope: str, max_norm: float, sparse: bool
) -> None:
    """Append p <- p - learning_rate * min(1, max_norm / n) g for all parameters with a dense, or a sparse, gradient.

    n is the norm of all those gradients together (Pascanu, Mikolov and Bengio, 2013).
    """
    gradients = {p: model.param_to_grad[p] for p in model.GetParams(top_scope=True) if p in model.param_to_grad}
    params = [p for p, grad in gradients.items() if isinstance(grad, core.GradientSlice) == sparse]
    one = model.param_init_net.ConstantFill([], "ONE", shape=[1], value=1.0)
    if not params:
        return
    values = [gradients[p].values if sparse else gradients[p] for p in params]
    ratio = _ratio(model, values, max_norm, scope)
    for param, value in zip(params, values):
        rate = model.net.Negative([learning_rate], "negative_learning_rate")
        with core.NameScope(scope):
            factor = model.net.Mul([rate, ratio], "update_coeff", broadcast=1)
        if sparse:
            model.net.ScatterWeightedSum([param, one, gradients[param].indices, value, factor], param)
        else:
            model.net.WeightedSum([param, one, value, factor], param)


def _ratio(model: Seq2SeqModelHelper, gradients: Sequence[Any], max_norm: float, scope: str) -> core.BlobReference:
    """What the gradients are scaled by."""
    net = model.net
    with core.NameScope(scope):
        sums = []
        for i, gradient in enumerate(gradients):
            squared = net.Sqr([gradient], f"grad_{i}_squared")
            sums.append(net.SumElements(squared, f"grad_{i}_squared_sum"))
        norm = net.Pow(net.Sum(sums, "grad_squared_full_sum"), "global_norm", exponent=0.5)
        limit = model.param_init_net.ConstantFill([], "clip_norm", shape=[], value=float(max_norm))
        return net.Div([limit, net.Max([norm, limit], "max_norm")], "norm_ratio")

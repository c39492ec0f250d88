"""Elementwise linear functions and their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob, Fill, filled
from caffe2.python.modeling.parameter_info import ParameterTags

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["elementwise_linear"]


def _elementwise_linear(
    model: ModelHelper,
    op_call: Callable[..., core.BlobReference],
    blob_in: Blob,
    blob_out: Blob | None,
    dim: int,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    blob_out = blob_out or model.net.NextName()
    weight = filled(model, blob_out + "_w", [dim], weight_init or ("ConstantFill", {"value": 1.0}))
    bias = filled(model, blob_out + "_b", [dim], bias_init or ("ConstantFill", {"value": 0.0}))
    model.AddParameter(weight, ParameterTags.WEIGHT)
    model.AddParameter(bias, ParameterTags.BIAS)
    return op_call([blob_in, weight, bias], blob_out, **kwargs)


def elementwise_linear(model: ModelHelper, *args: Any, **kwargs: Any) -> core.BlobReference:
    """elementwise_linear(model, blob_in, blob_out, dim, weight_init=None, bias_init=None, **kwargs).

    OUT[i, j] = IN[i, j] OUT_w[j] + OUT_b[j] with `dim` columns j and new parameters that start at 1 and 0.
    """
    return _elementwise_linear(model, model.net.ElementwiseLinear, *args, **kwargs)

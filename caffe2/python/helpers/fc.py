"""Fully connected layers and their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import CONSTANT, XAVIER, Blob, Fill, filled, initializer
from caffe2.python.modeling.initializers import Initializer, update_initializer
from caffe2.python.modeling.parameter_info import ParameterTags

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["fc", "fc_decomp", "fc_prune", "fc_sparse", "packed_fc"]


def _FC_or_packed_FC(
    model: ModelHelper,
    op_call: Callable[..., core.BlobReference],
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    WeightInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    enable_tensor_core: bool = False,
    float16_compute: bool = False,
    **kwargs: Any,
) -> core.BlobReference:
    blob_out = blob_out or model.net.NextName()
    frozen = [ParameterTags.COMPUTED_PARAM] if "freeze_bias" in kwargs else []
    weight = model.create_param(
        param_name=blob_out + "_w",
        shape=[dim_out, dim_in],
        initializer=initializer(model, WeightInitializer, weight_init, XAVIER),
        tags=ParameterTags.WEIGHT,
    )
    bias = model.create_param(
        param_name=blob_out + "_b",
        shape=[dim_out],
        initializer=initializer(model, BiasInitializer, bias_init, CONSTANT),
        tags=[ParameterTags.BIAS, *frozen],
    )
    if enable_tensor_core:
        kwargs["engine"] = "TENSORCORE"
    if float16_compute:
        kwargs["float16_compute"] = True
    return op_call([blob_in, weight, bias], blob_out, **kwargs)


def fc(model: ModelHelper, *args: Any, **kwargs: Any) -> core.BlobReference:
    """fc(model, blob_in, blob_out, dim_in, dim_out, weight_init=None, bias_init=None, **kwargs).

    OUT = IN OUT_w^T + OUT_b, with new parameters OUT_w of shape (dim_out, dim_in) and OUT_b of shape (dim_out).

    weight_init, bias_init: operators that fill the parameters, by default XavierFill and ConstantFill with 0.
    WeightInitializer, BiasInitializer: classes of initializers, such as PseudoFP16Initializer.
    freeze_bias: give it, with any value, to make the bias a computed parameter, which is not trained.
    """
    return _FC_or_packed_FC(model, model.net.FC, *args, **kwargs)


def packed_fc(model: ModelHelper, *args: Any, **kwargs: Any) -> core.BlobReference:
    """fc by the operator PackedFC, which packs the weight once."""
    return _FC_or_packed_FC(model, model.net.PackedFC, *args, **kwargs)


def fc_decomp(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    rank_approx: int = 5,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    WeightInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    """fc by a weight of rank `rank_approx`: OUT = IN OUT_v OUT_u^T + OUT_b."""
    weight = update_initializer(WeightInitializer, weight_init, XAVIER)
    bias = update_initializer(BiasInitializer, bias_init, CONSTANT)
    blob_out = blob_out or model.net.NextName()
    inputs = [
        blob_in,
        model.create_param(param_name=blob_out + "_u", shape=[dim_out, rank_approx], initializer=weight),
        model.create_param(param_name=blob_out + "_v", shape=[dim_in, rank_approx], initializer=weight),
        model.create_param(param_name=blob_out + "_b", shape=[dim_out], initializer=bias),
    ]
    return model.net.FC_Decomp(inputs, blob_out, **kwargs)


def fc_prune(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    mask_init: Fill | None = None,
    threshold: float = 0.00001,
    need_compress_rate: bool = False,
    comp_lb: float = 0.05,
    **kwargs: Any,
) -> Any:
    """fc whose weights of magnitude below `threshold` are masked out, until the share `comp_lb` of them is left.

    need_compress_rate: also write the share that is left to the blob OUT_compress_rate.
    """
    mask_init = mask_init or CONSTANT
    blob_out = blob_out or model.net.NextName()
    shape = [dim_out, dim_in]
    lower = filled(model, blob_out + "_lb", [1], ("ConstantFill", {"value": comp_lb}))
    weight = filled(model, blob_out + "_w", shape, weight_init or XAVIER)
    mask = filled(model, blob_out + "_m", shape, ("ConstantFill", {"value": 1.0}))
    aggregated = filled(model, blob_out + "_ag_dw", shape, mask_init)
    bias = filled(model, blob_out + "_b", [dim_out], bias_init or CONSTANT)
    masks = filled(model, blob_out + "_mask_seq", shape, mask_init)
    least = filled(model, blob_out + "_thres", [1], ("ConstantFill", {"value": threshold}))
    model.AddParameter(weight)
    model.AddParameter(bias)
    outputs = [blob_out, blob_out + "_compress_rate"] if need_compress_rate else blob_out
    return model.net.FC_Prune([blob_in, weight, mask, bias, aggregated, masks, least, lower], outputs, **kwargs)


def fc_sparse(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, w_csr: Any, iw: Any, jw: Any, bias: Any, **kwargs: Any
) -> core.BlobReference:
    """fc by a sparse weight in compressed rows: values `w_csr`, starts of rows `iw` and columns `jw`, blobs given."""
    for param in (w_csr, iw, jw, bias):
        model.AddParameter(param)
    return model.net.FC_Sparse([blob_in, w_csr, iw, jw, bias], blob_out, **kwargs)

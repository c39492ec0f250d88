"""Normalizations, their parameters and running statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope
from caffe2.python.helpers._parameters import CONSTANT, Blob, choose_cudnn, initializer
from caffe2.python.modeling.initializers import Initializer
from caffe2.python.modeling.parameter_info import ParameterTags

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = [
    "instance_norm",
    "layer_norm",
    "lrn",
    "moments_with_running_stats",
    "softmax",
    "spatial_bn",
    "spatial_gn",
]


def _constant_param(
    model: ModelHelper, name: Blob, dim: int, value: float, kind: type[Initializer] | None, tag: str
) -> core.BlobReference:
    """A new parameter of `dim` elements, filled with `value`."""
    init = initializer(model, kind, ("ConstantFill", {"value": value}), CONSTANT)
    return model.create_param(param_name=name, shape=[dim], initializer=init, tags=tag)


def _running_statistics(
    model: ModelHelper, blob_out: Blob, dim: int, mean: type[Initializer] | None, variance: type[Initializer] | None
) -> list[core.BlobReference]:
    computed = ParameterTags.COMPUTED_PARAM
    return [
        _constant_param(model, blob_out + "_rm", dim, 0.0, mean, computed),
        _constant_param(model, blob_out + "_riv", dim, 1.0, variance, computed),
    ]


def lrn(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, order: str = "NCHW", use_cudnn: bool = False, **kwargs: Any
) -> core.BlobReference:
    """Local response normalization over neighbouring channels."""
    device = kwargs.get("device_option", scope.CurrentDeviceScope())
    if use_cudnn and device is not None and device.device_type != caffe2_pb2.CPU:
        choose_cudnn(kwargs, use_cudnn)
        return model.net.LRN(blob_in, blob_out, order=order, **kwargs)
    return model.net.LRN(blob_in, [blob_out, "_" + blob_out + "_scale"], order=order, **kwargs)[0]


def softmax(
    model: ModelHelper, blob_in: Blob, blob_out: Blob | None = None, use_cudnn: bool = False, **kwargs: Any
) -> core.BlobReference:
    """exp(x) of each row, scaled to the sum 1."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.Softmax(blob_in, blob_out, **kwargs)


def instance_norm(
    model: ModelHelper, blob_in: Blob, blob_out: Blob | None, dim_in: int, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """Each channel of each image to mean 0 and variance 1, times the parameter OUT_s, plus the parameter OUT_b."""
    blob_out = blob_out or model.net.NextName()
    fill = model.param_init_net.ConstantFill
    scale = fill([], blob_out + "_s", shape=[dim_in], value=1.0)
    bias = fill([], blob_out + "_b", shape=[dim_in], value=0.0)
    model.AddParameter(scale, ParameterTags.WEIGHT)
    model.AddParameter(bias, ParameterTags.BIAS)
    inputs = [blob_in, scale, bias]
    if kwargs.get("is_test"):
        return model.net.InstanceNorm(inputs, [blob_out], order=order, **kwargs)
    return model.net.InstanceNorm(inputs, [blob_out, blob_out + "_sm", blob_out + "_siv"], order=order, **kwargs)[0]


def spatial_bn(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    init_scale: float = 1.0,
    init_bias: float = 0.0,
    ScaleInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    RunningMeanInitializer: type[Initializer] | None = None,
    RunningVarianceInitializer: type[Initializer] | None = None,
    order: str = "NCHW",
    **kwargs: Any,
) -> core.BlobReference:
    """Each channel to mean 0 and variance 1 over the batch, times the parameter OUT_s, plus the parameter OUT_b.

    The running mean OUT_rm and variance OUT_riv are kept as computed parameters, and used if `is_test`.
    Batch normalization: Ioffe and Szegedy, 2015.
    """
    blob_out = blob_out or model.net.NextName()
    scale = _constant_param(model, blob_out + "_s", dim_in, init_scale, ScaleInitializer, ParameterTags.WEIGHT)
    bias = _constant_param(model, blob_out + "_b", dim_in, init_bias, BiasInitializer, ParameterTags.BIAS)
    running = _running_statistics(model, blob_out, dim_in, RunningMeanInitializer, RunningVarianceInitializer)
    inputs = [blob_in, scale, bias, *running]
    if kwargs.get("is_test"):
        return model.net.SpatialBN(inputs, [blob_out], order=order, **kwargs)
    outputs = [blob_out, *running, blob_out + "_sm", blob_out + "_siv"]
    return model.net.SpatialBN(inputs, outputs, order=order, **kwargs)[0]


def spatial_gn(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    init_scale: float = 1.0,
    init_bias: float = 0.0,
    ScaleInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    RunningMeanInitializer: type[Initializer] | None = None,
    RunningVarianceInitializer: type[Initializer] | None = None,
    order: str = "NCHW",
    **kwargs: Any,
) -> core.BlobReference:
    """Each group of channels of each image to mean 0 and variance 1, times OUT_s, plus OUT_b, by channel.

    `order` is not passed on to the operator, as in the original. Group normalization: Wu and He, 2018.
    """
    blob_out = blob_out or model.net.NextName()
    scale = _constant_param(model, blob_out + "_s", dim_in, init_scale, ScaleInitializer, ParameterTags.WEIGHT)
    bias = _constant_param(model, blob_out + "_b", dim_in, init_bias, BiasInitializer, ParameterTags.BIAS)
    outputs = [blob_out, blob_out + "_mean", blob_out + "_std"]
    return model.net.GroupNorm([blob_in, scale, bias], outputs, **kwargs)[0]


def layer_norm(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob,
    dim_in: int | Sequence[int],
    axis: int = 1,
    epsilon: float = 1e-4,
    initial_scale: float = 1.0,
    initial_bias: float = 0.0,
) -> tuple[core.BlobReference, core.BlobReference, core.BlobReference]:
    """Each example to mean 0 and variance 1 over the axes from `axis` on, times OUT_scale, plus OUT_bias.

    dim_in: the size of these axes, for the shape of the parameters.
    Returns the normalized blob, the means and the standard deviations. Layer normalization: Ba et al., 2016.
    """
    shape = [dim_in] if isinstance(dim_in, int) else dim_in
    scale, bias = (
        model.create_param(
            param_name=f"{blob_out}_{suffix}",
            shape=shape,
            initializer=Initializer("ConstantFill", value=value),
            tags=tag,
        )
        for suffix, value, tag in (
            ("scale", initial_scale, ParameterTags.WEIGHT),
            ("bias", initial_bias, ParameterTags.BIAS),
        )
    )
    outputs = [blob_out, blob_out + "_mean", blob_out + "_std"]
    inputs = [blob_in, scale, bias]
    return model.net.LayerNorm(inputs, outputs, axis=axis, epsilon=epsilon, elementwise_affine=True)


def moments_with_running_stats(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob,
    dim_in: int,
    RunningMeanInitializer: type[Initializer] | None = None,
    RunningVarianceInitializer: type[Initializer] | None = None,
    order: str = "NCHW",
    **kwargs: Any,
) -> tuple[core.BlobReference, core.BlobReference]:
    """The mean OUT_sm and variance OUT_sv of each channel; parameters OUT_rm and OUT_riv are made for running ones."""
    _running_statistics(model, blob_out, dim_in, RunningMeanInitializer, RunningVarianceInitializer)
    axes = {"NCHW": [0, 2, 3], "NHWC": [0, 1, 2]}.get(order)
    if axes is None:
        raise ValueError(f"the order of the axes is NCHW or NHWC, not {order!r}")
    outputs = [blob_out + "_sm", blob_out + "_sv"]
    return model.net.Moments([blob_in], outputs, axes=axes, order=order, keepdims=False, **kwargs)

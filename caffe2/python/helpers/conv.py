"""Convolutions and their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.helpers._parameters import (
    CONSTANT,
    XAVIER,
    Blob,
    Fill,
    choose_cudnn_algorithm,
    filled,
    initializer,
)
from caffe2.python.modeling.initializers import Initializer
from caffe2.python.modeling.parameter_info import ParameterTags

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["conv", "conv_nd", "conv_transpose", "group_conv", "group_conv_deprecated"]


def _ConvBase(
    model: ModelHelper,
    is_nd: bool,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    kernel: int | list[int],
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    WeightInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    group: int = 1,
    transform_inputs: Callable[[ModelHelper, Blob, list[Blob]], None] | None = None,
    use_cudnn: bool = False,
    order: str = "NCHW",
    cudnn_exhaustive_search: bool = False,
    ws_nbytes_limit: int | None = None,
    float16_compute: bool = False,
    **kwargs: Any,
) -> core.BlobReference:
    """The cross-correlation of `blob_in` with the parameter OUT_w, plus the parameter OUT_b unless `no_bias`."""
    _demand_engine(kwargs.get("engine"), use_cudnn)
    choose_cudnn_algorithm(kwargs, use_cudnn, cudnn_exhaustive_search, ws_nbytes_limit)
    blob_out = blob_out or model.net.NextName()
    sizes = _sizes(kernel, is_nd)
    channels = [dim_in // group]
    weight = model.create_param(
        param_name=blob_out + "_w",
        shape=[dim_out, *channels, *sizes] if order == "NCHW" else [dim_out, *sizes, *channels],
        initializer=initializer(model, WeightInitializer, weight_init, XAVIER),
        tags=ParameterTags.WEIGHT,
    )
    inputs = [blob_in, weight]
    if not kwargs.pop("no_bias", False):
        bias = initializer(model, BiasInitializer, bias_init, CONSTANT)
        inputs.append(model.create_param(blob_out + "_b", [dim_out], bias, tags=ParameterTags.BIAS))
    if transform_inputs is not None:
        transform_inputs(model, blob_out, inputs)
    if float16_compute:
        kwargs["float16_compute"] = True
    if group != 1:
        kwargs["group"] = group
    if is_nd:
        window = {"kernels": sizes}
    elif isinstance(kernel, list):
        window = {"kernel_h": kernel[0], "kernel_w": kernel[1]}
    else:
        window = {"kernel": kernel}
    return model.net.Conv(inputs, blob_out, **window, order=order, **kwargs)


def _demand_engine(engine: str | None, use_cudnn: bool) -> None:
    if engine is None or (engine == "CUDNN") == bool(use_cudnn):
        return
    other = "CUDNN" if use_cudnn else "any engine but CUDNN"
    raise ValueError(f"with use_cudnn={use_cudnn} a convolution takes {other}, not {engine!r}")


def _sizes(kernel: int | list[int], is_nd: bool) -> list[int]:
    if is_nd:
        return kernel if isinstance(kernel, list) else [kernel]
    sizes = kernel if isinstance(kernel, list) else [kernel] * 2
    demand(len(sizes) == 2, f"the kernel of conv has two sizes, not {len(sizes)}; conv_nd takes any number")
    return sizes


def conv_nd(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    kernel: int | list[int],
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    WeightInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    group: int = 1,
    transform_inputs: Callable[[ModelHelper, Blob, list[Blob]], None] | None = None,
    order: str = "NCHW",
    **kwargs: Any,
) -> core.BlobReference:
    """Convolution over as many axes as `kernel` has sizes, of NCHW blobs. Arguments are those of conv."""
    demand(order == "NCHW", f"conv_nd takes the order NCHW, not {order}")
    inits = (weight_init, bias_init, WeightInitializer, BiasInitializer)
    return _ConvBase(
        model, True, blob_in, blob_out, dim_in, dim_out, kernel, *inits, group, transform_inputs, order=order, **kwargs
    )


def conv(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    kernel: int | list[int],
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    WeightInitializer: type[Initializer] | None = None,
    BiasInitializer: type[Initializer] | None = None,
    group: int = 1,
    transform_inputs: Callable[[ModelHelper, Blob, list[Blob]], None] | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    """Convolution over two axes: OUT = IN * OUT_w + OUT_b, with new parameters OUT_w and OUT_b.

    dim_in, dim_out: numbers of channels. OUT_w has shape (dim_out, dim_in / group, kernel, kernel), or for NHWC
        (dim_out, kernel, kernel, dim_in / group); OUT_b has (dim_out).
    kernel: one size, or a list of height and width.
    weight_init, bias_init: operators that fill the parameters, by default XavierFill and ConstantFill with 0.
    transform_inputs: called with the model, `blob_out` and the list of inputs, which it may change.
    kwargs: `no_bias` to leave the bias out; all others go to the operator. Raises ValueError where the engine asked
        for contradicts use_cudnn.
    """
    inits = (weight_init, bias_init, WeightInitializer, BiasInitializer)
    return _ConvBase(
        model, False, blob_in, blob_out, dim_in, dim_out, kernel, *inits, group, transform_inputs, **kwargs
    )


def conv_transpose(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    kernel: int,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    use_cudnn: bool = False,
    order: str = "NCHW",
    cudnn_exhaustive_search: bool = False,
    ws_nbytes_limit: int | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    """Transposed convolution by OUT_w, of shape (dim_in, dim_out, kernel, kernel), or with dim_out last, plus OUT_b."""
    blob_out = blob_out or model.net.NextName()
    window = [kernel, kernel]
    shape = [dim_in, dim_out, *window] if order == "NCHW" else [dim_in, *window, dim_out]
    weight = filled(model, blob_out + "_w", shape, weight_init or XAVIER)
    bias = filled(model, blob_out + "_b", [dim_out], bias_init or CONSTANT)
    model.AddParameter(weight, ParameterTags.WEIGHT)
    model.AddParameter(bias, ParameterTags.BIAS)
    choose_cudnn_algorithm(kwargs, use_cudnn, cudnn_exhaustive_search, ws_nbytes_limit)
    return model.net.ConvTranspose([blob_in, weight, bias], blob_out, kernel=kernel, order=order, **kwargs)


def group_conv(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob | None,
    dim_in: int,
    dim_out: int,
    kernel: int | list[int],
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    group: int = 1,
    **kwargs: Any,
) -> core.BlobReference:
    """Convolution of each of `group` groups of channels by itself."""
    return conv(
        model,
        blob_in,
        blob_out,
        dim_in,
        dim_out,
        kernel,
        weight_init=weight_init,
        bias_init=bias_init,
        group=group,
        **kwargs,
    )


def group_conv_deprecated(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob,
    dim_in: int,
    dim_out: int,
    kernel: int,
    weight_init: Fill | None = None,
    bias_init: Fill | None = None,
    group: int = 1,
    use_cudnn: bool = False,
    order: str = "NCHW",
    cudnn_exhaustive_search: bool = False,
    ws_nbytes_limit: int | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    """Convolution in groups by an operator a group, with parameters OUT_gconv_0_w, OUT_gconv_0_b, OUT_gconv_1_w ...

    Raises ValueError where a number of channels is not a multiple of `group`.
    """
    choose_cudnn_algorithm(kwargs, use_cudnn, cudnn_exhaustive_search, ws_nbytes_limit)
    for name, dim in (("dim_in", dim_in), ("dim_out", dim_out)):
        if dim % group:
            raise ValueError(f"{name} should be divisible by group: {dim} is not by {group}")
    use_bias = not kwargs.pop("no_bias", False)
    parts = [blob_out + f"_gconv_{i}" for i in range(group)]
    splits = ["_" + blob_out + f"_gconv_split_{i}" for i in range(group)]
    split = model.net.DepthSplit(blob_in, splits, dimensions=[dim_in // group] * group, order=order)
    channels, window = [dim_in // group], [kernel, kernel]
    shape = [dim_out // group, *(channels + window if order == "NCHW" else window + channels)]
    outputs = []
    for name, part in zip(parts, split if group > 1 else [split]):
        inputs = [filled(model, name + "_w", shape, weight_init or XAVIER)]
        if use_bias:
            inputs.append(filled(model, name + "_b", [dim_out // group], bias_init or CONSTANT))
        for param, tag in zip(inputs, (ParameterTags.WEIGHT, ParameterTags.BIAS)):
            model.AddParameter(param, tag)
        outputs.append(part.Conv(inputs, name, kernel=kernel, order=order, **kwargs))
    return model.net.Concat(outputs, [blob_out, "_" + blob_out + "_concat_dims"], order=order)[0]

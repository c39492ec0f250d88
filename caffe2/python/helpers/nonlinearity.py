"""Activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob, Fill, choose_cudnn, filled

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["prelu", "relu", "tanh"]


def prelu(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: Blob,
    num_channels: int = 1,
    slope_init: Fill | None = None,
    **kwargs: Any,
) -> core.BlobReference:
    """max(x, 0) + OUT_slope min(x, 0), with one new slope, or one a channel, that starts at 0.25."""
    slope = filled(model, blob_out + "_slope", [num_channels], slope_init or ("ConstantFill", {"value": 0.25}))
    model.AddParameter(slope)
    return model.net.PRelu([blob_in, slope], [blob_out])


def relu(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """max(x, 0)."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.Relu(blob_in, blob_out, order=order, **kwargs)


def tanh(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """The hyperbolic tangent."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.Tanh(blob_in, blob_out, order=order, **kwargs)

"""Poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob, choose_cudnn

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["average_pool", "max_pool", "max_pool_with_index"]


def max_pool(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """The largest element of each window."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.MaxPool(blob_in, blob_out, order=order, **kwargs)


def average_pool(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """The mean of each window."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.AveragePool(blob_in, blob_out, order=order, **kwargs)


def max_pool_with_index(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, order: str = "NCHW", **kwargs: Any
) -> core.BlobReference:
    """The largest element of each window; where it was goes to the blob OUT_index."""
    return model.net.MaxPoolWithIndex(blob_in, [blob_out, blob_out + "_index"], order=order, **kwargs)[0]

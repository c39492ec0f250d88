"""Concatenations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["concat", "depth_concat"]


def concat(model: ModelHelper, blobs_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """Blobs joined along `axis`, or along the channels of `order`; an axis other than 0 makes the order void."""
    if kwargs.get("order") and kwargs.get("axis"):
        kwargs.pop("order")
    return model.net.Concat(blobs_in, [blob_out, "_" + blob_out + "_concat_dims"], **kwargs)[0]


def depth_concat(model: ModelHelper, blobs_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The old name of concat."""
    print("DepthConcat is deprecated. use Concat instead.")
    return concat(model, blobs_in, blob_out, **kwargs)

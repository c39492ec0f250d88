"""Quantized blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["fused_8bit_rowwise_quantized_to_float"]


def fused_8bit_rowwise_quantized_to_float(model: ModelHelper, blob_in: Blob, blob_out: Blob) -> core.BlobReference:
    """The floats of rows quantized to 8 bits, with scale and bias behind each row."""
    return model.net.Fused8BitRowwiseQuantizedToFloat(blob_in, blob_out)

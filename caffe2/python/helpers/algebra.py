"""Sums, products and transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.helpers._parameters import Blob, choose_cudnn

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = [
    "arg_min",
    "batch_mat_mul",
    "mat_mul",
    "reduce_sum",
    "sparse_lengths_sum_4bit_rowwise_sparse",
    "sub",
    "sum",
    "transpose",
]


def transpose(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, **kwargs: Any
) -> core.BlobReference:
    """The axes permuted, by `axes`, or reversed."""
    choose_cudnn(kwargs, use_cudnn)
    return model.net.Transpose(blob_in, blob_out, **kwargs)


def sum(model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The elementwise sum of blobs of one shape."""
    return model.net.Sum(blob_in, blob_out, **kwargs)


def reduce_sum(model: ModelHelper, blob_in: Blob, blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The sum over `axes`, or over all."""
    return model.net.ReduceSum(blob_in, blob_out, **kwargs)


def sub(model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The difference of two blobs."""
    return model.net.Sub(blob_in, blob_out, **kwargs)


def mat_mul(model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The product of two matrices."""
    return model.net.MatMul(blob_in, blob_out, **kwargs)


def arg_min(model: ModelHelper, blob_in: Blob, blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The index of the least element along `axis`."""
    return model.net.ArgMin(blob_in, blob_out, **kwargs)


def batch_mat_mul(
    model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, enable_tensor_core: bool = False, **kwargs: Any
) -> core.BlobReference:
    """The products of two stacks of matrices, one by one."""
    if enable_tensor_core:
        kwargs["engine"] = "TENSORCORE"
    return model.net.BatchMatMul(blob_in, blob_out, **kwargs)


def sparse_lengths_sum_4bit_rowwise_sparse(
    model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, **kwargs: Any
) -> core.BlobReference:
    """The sums of segments of rows picked from a pruned table, whose rows are quantized to 4 bits."""
    return model.net.SparseLengthsSum4BitRowwiseSparse(blob_in, blob_out, **kwargs)

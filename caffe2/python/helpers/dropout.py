"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["dropout"]


def dropout(
    model: ModelHelper, blob_in: Blob, blob_out: Blob, use_cudnn: bool = False, **kwargs: Any
) -> core.BlobReference:
    """Elements set to 0 with probability `ratio` and the others divided by 1 - ratio; all as they are if `is_test`.

    Raises Misuse unless `is_test` is given.
    """
    kwargs["engine"] = "CUDNN" if use_cudnn else "DEFAULT"
    demand("is_test" in kwargs, "dropout needs the argument is_test")
    return model.net.Dropout(blob_in, [blob_out, "_" + blob_out + "_mask"], **kwargs)[0]

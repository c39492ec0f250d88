"""Input of images and videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["image_input", "video_input"]


def image_input(
    model: ModelHelper,
    blob_in: Blob,
    blob_out: list[Blob],
    order: str = "NCHW",
    use_gpu_transform: bool = False,
    **kwargs: Any,
) -> tuple[core.BlobReference, ...]:
    """The next images and labels of a reader, cropped, scaled and normalized.

    Raises Misuse unless `is_test` is given.
    """
    demand("is_test" in kwargs, "image_input needs the argument is_test")
    if order != "NCHW":
        return model.net.ImageInput(blob_in, blob_out, **kwargs)
    if use_gpu_transform:
        return model.net.ImageInput(blob_in, blob_out, **kwargs, use_gpu_transform=1)
    images, *others = model.net.ImageInput(blob_in, [blob_out[0] + "_nhwc", *blob_out[1:]], **kwargs)
    return model.net.NHWC2NCHW(images, blob_out[0]), *others


def video_input(model: ModelHelper, blob_in: Blob, blob_out: Sequence[Blob], **kwargs: Any) -> Any:
    """The next clips of a reader, as many outputs as the arguments ask for."""
    return model.net.VideoInput(blob_in, blob_out, **kwargs)

"""What building functions share: parameters filled or found, and the arguments that choose cuDNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caffe2.python import core
from caffe2.python.modeling.initializers import ExternalInitializer, Initializer, update_initializer

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

Blob = core.BlobReference | str
"""A blob by reference or by name."""

Fill = tuple[str, Mapping[str, Any]]
"""An operator that fills a parameter, and its arguments."""

XAVIER: Fill = ("XavierFill", {})
CONSTANT: Fill = ("ConstantFill", {})


def initializer(
    model: ModelHelper, kind: type[Initializer] | None, fill: Fill | None, default: Fill
) -> Initializer | ExternalInitializer:
    """The initializer of class `kind` by `fill`, or else by `default`; none where the model does not initialize."""
    return update_initializer(kind, fill, default) if model.init_params else ExternalInitializer()


def filled(model: ModelHelper, name: Blob, shape: Sequence[int], fill: Fill) -> core.BlobReference:
    """The blob `name`, filled in the model's init net unless the model does not initialize."""
    if not model.init_params:
        return core.ScopedBlobReference(str(name), model.param_init_net)
    operator, arguments = fill
    return getattr(model.param_init_net, operator)([], name, shape=shape, **arguments)


def choose_cudnn(kwargs: dict[str, Any], use_cudnn: bool) -> None:
    """Ask for cuDNN as the engine, if it is to be used."""
    if use_cudnn:
        kwargs["engine"] = "CUDNN"


def choose_cudnn_algorithm(
    kwargs: dict[str, Any], use_cudnn: bool, exhaustive_search: bool, ws_nbytes_limit: int | None
) -> None:
    """Ask for cuDNN, if it is to be used, and say how it looks for an algorithm, within how many bytes of scratch."""
    if use_cudnn:
        kwargs["engine"] = "CUDNN"
        kwargs["exhaustive_search"] = exhaustive_search
        if ws_nbytes_limit:
            kwargs["ws_nbytes_limit"] = ws_nbytes_limit

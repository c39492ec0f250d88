"""Iterations, accuracy and weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope
from caffe2.python.helpers._parameters import Blob

if TYPE_CHECKING:
    from caffe2.python.model_helper import ModelHelper

__all__ = ["accuracy", "add_weight_decay", "iter"]


def _get_weights(model: ModelHelper, namescope: str | None = None) -> list[core.BlobReference]:
    """The weights of exactly this scope, by default the current one; all where it is empty."""
    namescope = scope.CurrentNameScope() if namescope is None else namescope
    return [w for w in model.weights if namescope in ("", w.GetNameScope())]


def iter(model: ModelHelper, blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """A counter of runs, on the CPU, int64, that starts at 0."""
    kwargs.pop("device_option", None)
    cpu = core.DeviceOption(caffe2_pb2.CPU, 0)
    zero = {"shape": [1], "value": 0, "dtype": core.DataType.INT64, "device_option": cpu}
    model.param_init_net.ConstantFill([], blob_out, **zero, **kwargs)
    return model.net.Iter(blob_out, blob_out, **kwargs)


def accuracy(model: ModelHelper, blob_in: Sequence[Blob], blob_out: Blob, **kwargs: Any) -> core.BlobReference:
    """The share of examples whose label has the largest prediction, for blobs [predictions, labels].

    top_k: one of the k largest; as in the original, it counts on devices other than the CPU alone, from which the
        blobs are copied for it.
    """
    device = kwargs.get("device_option", scope.CurrentDeviceScope())
    on_cpu = device is None or device.device_type == caffe2_pb2.CPU
    if on_cpu or kwargs.get("top_k", 1) <= 1:
        return model.net.Accuracy(blob_in, blob_out)
    on_host = [model.net.CopyGPUToCPU(blob, blob + "_host") for blob in blob_in[:2]]
    kwargs["device_option"] = core.DeviceOption(caffe2_pb2.CPU, 0)
    return model.net.Accuracy(on_host, blob_out, **kwargs)


def add_weight_decay(model: ModelHelper, weight_decay: float) -> None:
    """Add `weight_decay` times each weight of the current scope to its gradient; nothing where it is not positive."""
    if weight_decay <= 0.0:
        return
    decay = model.param_init_net.ConstantFill([], "wd", shape=[1], value=weight_decay)
    one = model.param_init_net.ConstantFill([], "ONE", shape=[1], value=1.0)
    for param in _get_weights(model):
        grad = model.param_to_grad[param]
        model.net.WeightedSum([grad, one, param, decay], grad)

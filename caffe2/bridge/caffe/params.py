"""The parameters of layers, and which of them layers share by name."""

from __future__ import annotations

import math

from caffe2.bridge.caffe.blobs import blob_of_message, shape_text
from caffe2.bridge.caffe.errors import NetError, WeightsError
from caffe2.bridge.caffe.layers import Layer, Param
from caffe2.proto import caffe_pb2

_PERMISSIVE = caffe_pb2.ParamSpec.PERMISSIVE

Owners = dict[str, tuple[Layer, int, Param]]


def share(layer: Layer, owners: Owners) -> None:
    """Sets `layer.params` from what its reference declares and its `param` fields say; registers names in `owners`.

    Raises:
        NetError: too many `param` fields; a shared parameter of another shape, lr_mult or decay_mult than its owner's.
        WeightsError: blobs written into the prototxt itself do not fit.
    """
    weights, specs = layer.reference.weights, layer.proto.param
    if len(specs) > len(weights):
        what = f"{len(specs)} param fields for {len(weights)} parameter(s)"
        raise layer.error(what, "param", NetError)
    for index, weight in enumerate(weights):
        spec = specs[index] if index < len(specs) else layer.reference.default_spec()
        param = Param(weight.shape, weight.filler, spec.name, spec.lr_mult, spec.decay_mult)
        layer.params.append(param)
        if spec.name in owners and spec.name:
            _join(layer, index, param, owners[spec.name])
        elif spec.name:
            owners[spec.name] = (layer, index, param)
    _own_blobs(layer)


def _join(layer: Layer, index: int, param: Param, owner: tuple[Layer, int, Param]) -> None:
    other, other_index, root = owner
    spec = layer.proto.param[index]
    permissive = spec.share_mode == _PERMISSIVE
    same = math.prod(param.shape) == math.prod(root.shape) if permissive else param.shape == root.shape
    if not same:
        what = (
            f'cannot share param "{param.name}" of layer "{other.name}": its shape there is {shape_text(root.shape)}, '
            f"here {shape_text(param.shape)}"
        )
        raise layer.error(what, "param", NetError)
    theirs = other.proto.param[other_index]
    for name in ("lr_mult", "decay_mult"):
        if spec.HasField(name):
            if theirs.HasField(name) and getattr(spec, name) != getattr(root, name):
                raise layer.error(
                    f'shared param "{param.name}" has another {name} in "{other.name}"', "param", NetError
                )
            if not theirs.HasField(name):
                setattr(root, name, getattr(spec, name))
    param.owner, param.lr_mult, param.decay_mult = root, root.lr_mult, root.decay_mult


def _own_blobs(layer: Layer) -> None:
    """Takes the `blobs` that the prototxt itself gives to a layer."""
    blobs = [blob_of_message(blob) for blob in layer.proto.blobs]
    if blobs and len(blobs) != len(layer.params):
        raise layer.error(f"{len(blobs)} blobs for {len(layer.params)} parameter(s)", "blobs", WeightsError)
    for param, blob in zip(layer.params, blobs, strict=False):
        if not blob.fits(param.shape) or not blob.complete():
            raise layer.error(
                f"blob of shape {shape_text(blob.shape)}, not {shape_text(param.shape)}", "blobs", WeightsError
            )
        param.root.blob = blob.reshaped(param.shape)
    layer.proto.ClearField("blobs")

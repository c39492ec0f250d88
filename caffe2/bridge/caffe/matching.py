"""Weights put to the layers of a net by name, as Caffe's CopyTrainedLayersFrom does."""

from __future__ import annotations

from collections.abc import Sequence

from caffe2.bridge.caffe.blobs import Blob, shape_text
from caffe2.bridge.caffe.errors import WeightsError
from caffe2.bridge.caffe.layers import Layer, Param
from caffe2.bridge.caffe.weights import Weights

_NAMED = 8


def put_weights(layers: Sequence[Layer], weights: Weights, notes: list[str]) -> None:
    """Gives each layer the blobs that `weights` has under its name; layers of the file that the net lacks are ignored.

    A layer whose type or shapes are not known takes its parameters as the file has them.
    Notes what was ignored and which layers stay without weights.

    Raises:
        WeightsError: another number of blobs than the layer has, or another shape.
    """
    targets: dict[str, Layer] = {}
    for layer in layers:
        targets.setdefault(layer.name, layer)
    ignored = []
    for stored in weights.layers:
        layer = targets.get(stored.name)
        if layer is None:
            ignored += [stored.name] if stored.blobs else []
        elif layer.reference and layer.checked:
            _put(layer, stored.blobs, weights)
        else:
            layer.params = [Param(blob.shape, blob=blob) for blob in stored.blobs]
    _note(notes, "ignored weights of layers that this net has not", ignored)
    missing = [layer.name for layer in layers if any(param.root.blob is None for param in layer.params)]
    _note(notes, "no weights for layers, which keep their initial values", missing)


def _note(notes: list[str], what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        notes.append(f"{what}: {', '.join(names[:_NAMED])}{more}")


def _put(layer: Layer, blobs: Sequence[Blob], weights: Weights) -> None:
    where = weights.path or "the weights"
    shared_left_out = weights.partial and all(param.owner for param in layer.params[len(blobs) :])
    if len(blobs) != len(layer.params) and not (len(blobs) < len(layer.params) and shared_left_out):
        what = f"{where} has {len(blobs)} blob(s) for this layer, which takes {len(layer.params)}"
        raise layer.error(what, "blobs", WeightsError)
    for index, (param, blob) in enumerate(zip(layer.params, blobs, strict=False)):
        if not blob.fits(param.shape):
            what = (
                f"blob {index} in {where} has the shape {shape_text(blob.shape)}, but the layer takes "
                f"{shape_text(param.shape)}; to train it anew, give the layer another name"
            )
            raise layer.error(what, "blobs", WeightsError)
        if not blob.complete():
            what = f"blob {index} in {where} has the shape {shape_text(blob.shape)} but {blob.size:,} numbers"
            raise layer.error(what, "blobs", WeightsError)
        param.root.blob = blob.reshaped(param.root.shape)

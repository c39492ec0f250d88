"""The V0 generation, `layers { layer { type: "conv" ... } }`, brought to V1: Caffe's upgrade, field by field."""

from __future__ import annotations

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import UpgradeError
from caffe2.bridge.caffe.source import Source
from caffe2.bridge.caffe.values import is_repeated
from caffe2.proto import caffe_pb2

TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}
_PARAMS = {
    "conv": "convolution_param",
    "innerproduct": "inner_product_param",
    "pool": "pooling_param",
    "dropout": "dropout_param",
    "lrn": "lrn_param",
    "concat": "concat_param",
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "window_data": "window_data_param",
    "infogain_loss": "infogain_loss_param",
}
_SOURCES = ("data", "hdf5_data", "images", "window_data")
_FIELDS = {
    "num_output": ("num_output", ("conv", "innerproduct")),
    "biasterm": ("bias_term", ("conv", "innerproduct")),
    "weight_filler": ("weight_filler", ("conv", "innerproduct")),
    "bias_filler": ("bias_filler", ("conv", "innerproduct")),
    "pad": ("pad", ("conv", "pool")),
    "kernelsize": ("kernel_size", ("conv", "pool")),
    "group": ("group", ("conv",)),
    "stride": ("stride", ("conv", "pool")),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", (*_SOURCES, "infogain_loss")),
    "batchsize": ("batch_size", _SOURCES),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
}
"""V0 field: its name in the parameter message of the layer types that take it."""

_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_KEPT = ("name", "blobs", "blobs_lr", "weight_decay")


def needs_v0(net: Message) -> bool:
    """Whether any layer is of the V0 generation."""
    return any(layer.HasField("layer") for layer in net.layers)


def upgrade_v0(source: Source) -> None:
    """Turns the V0 layers of `source.net` into V1 ones, padding layers into the pads of their consumers.

    Raises:
        UpgradeError: an unknown layer type, or a padding layer used in a way that Caffe refuses.
    """
    source.note("upgraded from the V0 format: layers { layer { ... } }")
    _remove_padding(source)
    old = source.net
    net = caffe_pb2.NetParameter(input=old.input, input_dim=old.input_dim)
    for name in ("name", "force_backward"):
        if old.HasField(name):
            setattr(net, name, getattr(old, name))
    for name in ("state", "input_shape", "debug_info"):
        if getattr(old, name) and name in {field.name for field, _ in old.ListFields()}:
            source.note(f"dropped {name}, which the V0 format did not have (Caffe drops it, too)")
    for index, layer in enumerate(old.layers):
        _upgrade_layer(layer, net.layers.add(), source, index)
    old.CopyFrom(net)


def _remove_padding(source: Source) -> None:
    net, last_top = source.net, dict.fromkeys(source.net.input, -1)
    old, trees = list(net.layers), source.trees
    kept: list[Message] = []
    kept_trees = []
    for index, (layer, tree) in enumerate(zip(old, trees, strict=True)):
        layer = _copy(layer)
        for j, name in enumerate(layer.bottom):
            if name not in last_top:
                raise source.error(UpgradeError, index, f'unknown bottom blob "{name}"', "bottom")
            maker = old[last_top[name]] if last_top[name] >= 0 else None
            if maker is not None and maker.layer.type == "padding":
                _check_padding(source, index, layer, maker)
                layer.layer.pad = maker.layer.pad
                layer.bottom[j] = maker.bottom[0]
                source.note(f'padding layer "{maker.layer.name}" became pad {maker.layer.pad} of "{layer.layer.name}"')
        if layer.layer.type != "padding":
            kept.append(layer)
            kept_trees.append(tree)
        last_top.update((name, index) for name in layer.top)
    del net.layers[:]
    net.layers.extend(kept)
    source.trees = kept_trees


def _check_padding(source: Source, index: int, layer: Message, maker: Message) -> None:
    if layer.layer.type not in ("conv", "pool"):
        what = f'a padding layer feeds type "{layer.layer.type}"; only conv and pool can take its padding'
    elif len(layer.bottom) != 1:
        what = f"a padded layer takes one bottom, not {len(layer.bottom)}"
    elif len(maker.bottom) != 1 or len(maker.top) != 1:
        what = f'padding layer "{maker.layer.name}" takes one bottom and gives one top'
    else:
        return
    raise source.error(UpgradeError, index, what, "bottom")


def _upgrade_layer(old: Message, new: Message, source: Source, index: int) -> None:
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    v0 = old.layer
    if v0.HasField("type"):
        if v0.type not in TYPES:
            raise source.error(UpgradeError, index, f'the V0 format has no layer type "{v0.type}"', "type")
        new.type = caffe_pb2.V1LayerParameter.LayerType.Value(TYPES[v0.type])
    for field, value in v0.ListFields():
        name = field.name
        if name in _KEPT:
            _put(new, name, value)
        elif name in _TRANSFORM:
            _put(new.transform_param, _TRANSFORM[name], value)
        elif name in _FIELDS and v0.type in _FIELDS[name][1]:
            _put(getattr(new, _PARAMS[v0.type]), _FIELDS[name][0], value)
        elif name == "hdf5_output_param" and v0.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(value)
        elif name != "type":
            source.note(
                f'layer "{v0.name}": dropped {name}, which type "{v0.type}" does not take (Caffe drops it, too)'
            )


def _put(message: Message, name: str, value: object) -> None:
    target = message.DESCRIPTOR.fields_by_name[name]
    if is_repeated(target):
        getattr(message, name).extend(value if hasattr(value, "__len__") else [value])
    elif target.message_type is not None:
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


def _copy(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy

"""Older generations of nets and solvers brought to the newest, in Caffe's own steps and to Caffe's own result."""

from __future__ import annotations

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import Position, UpgradeError
from caffe2.bridge.caffe.forks import fork_fields
from caffe2.bridge.caffe.source import Source
from caffe2.bridge.caffe.upgrade_v0 import needs_v0, upgrade_v0
from caffe2.proto import caffe_pb2

_V1 = caffe_pb2.V1LayerParameter
_V1_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DECONVOLUTION": "Deconvolution",
    "DATA": "Data",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "ELTWISE": "Eltwise",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "SLICE": "Slice",
    "TANH": "TanH",
    "WINDOW_DATA": "WindowData",
    "THRESHOLD": "Threshold",
}
_DATA_PARAMS = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_TRANSFORMS = ("scale", "mean_file", "crop_size", "mirror")
_SOLVERS = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def upgrade_net(source: Source) -> None:
    """Brings `source.net` to the newest generation, noting each step taken.

    Raises:
        UpgradeError: what Caffe's own upgrade refuses.
    """
    net = source.net
    source.from_v0 = needs_v0(net)
    if source.from_v0:
        upgrade_v0(source)
    if any(_old_transforms(layer) for layer in net.layers):
        _upgrade_transforms(source)
    if net.layers:
        _upgrade_v1(source)
    if net.input:
        _upgrade_input(source)
    _upgrade_batch_norm(source)


def upgrade_solver(solver: Message, path: str, notes: list[str]) -> None:
    """Turns the enumeration `solver_type` of `solver` into the string `type`.

    Raises:
        UpgradeError: both are given.
    """
    if not solver.HasField("solver_type"):
        return
    if solver.HasField("type"):
        raise UpgradeError(
            "both solver_type and type are given; keep type", field="solver_type", position=Position(path)
        )
    name = caffe_pb2.SolverParameter.SolverType.Name(solver.solver_type)
    solver.type = _SOLVERS[name]
    solver.ClearField("solver_type")
    notes.append(f'solver_type: {name} became type: "{solver.type}"')


def _data_param(layer: Message) -> Message | None:
    name = _DATA_PARAMS.get(_V1.LayerType.Name(layer.type))
    return getattr(layer, name) if name else None


def _old_transforms(layer: Message) -> list[str]:
    param = _data_param(layer)
    return [name for name in _TRANSFORMS if param is not None and param.HasField(name)]


def _upgrade_transforms(source: Source) -> None:
    for layer in source.net.layers:
        if (param := _data_param(layer)) is None:
            continue
        moved = _old_transforms(layer)
        for name in moved:
            setattr(layer.transform_param, name, getattr(param, name))
            param.ClearField(name)
        # Caffe touches both messages of every data layer once any of them needs the step, so they exist afterwards.
        param.SetInParent()
        layer.transform_param.SetInParent()
        if moved:
            source.note(f'layer "{layer.name}": moved {", ".join(moved)} to transform_param')


def _upgrade_v1(source: Source) -> None:
    net = source.net
    if net.layer:
        what = '"layers" (V1) and "layer" (newest) in one file; Caffe refuses to upgrade that: write all as "layer"'
        raise UpgradeError(what, position=Position(source.path))
    if not source.from_v0:
        source.note("upgraded from the V1 format: layers { type: ENUM ... }")
    for old in net.layers:
        _upgrade_v1_layer(old, net.layer.add())
    net.ClearField("layers")


def _upgrade_v1_layer(old: Message, new: Message) -> None:
    for field, value in old.ListFields():
        if field.name in ("type", "param", "blob_share_mode", "blobs_lr", "weight_decay", "layer"):
            continue
        if field.message_type is None and field.name != "name":
            getattr(new, field.name).extend(value)
        elif field.name == "name":
            new.name = value
        else:
            getattr(new, field.name).MergeFrom(value)
    if old.HasField("type"):
        new.type = _V1_TYPES[_V1.LayerType.Name(old.type)]
    specs = {
        "name": old.param,
        "share_mode": old.blob_share_mode,
        "lr_mult": old.blobs_lr,
        "decay_mult": old.weight_decay,
    }
    for name, values in specs.items():
        for index, value in enumerate(values):
            while len(new.param) <= index:
                new.param.add()
            setattr(new.param[index], name, value)
    fork = fork_fields(old)
    if fork.HasField("v1_type"):
        new.type = fork.v1_type
        fork.ClearField("v1_type")
    new.MergeFromString(fork.SerializePartialToString())


def _upgrade_input(source: Source) -> None:
    net, count = source.net, len(source.net.input)
    if net.input_shape or net.input_dim:
        layer = caffe_pb2.LayerParameter(name="input", type="Input", top=net.input)
        layer.input_param.shape.extend(_input_shapes(source))
        rest = list(net.layer)
        net.ClearField("layer")
        net.layer.extend([layer, *rest])
        source.trees.insert(0, None)
        source.note(f'{count} "input" field{"s" * (count > 1)} became the Input layer "input"')
    else:
        source.note(f"ignored {count} input(s) without input_shape or input_dim, as Caffe does")
    for name in ("input", "input_shape", "input_dim"):
        net.ClearField(name)


def _input_shapes(source: Source) -> list[Message]:
    net, count, place = source.net, len(source.net.input), Position(source.path)
    if net.input_shape:
        if len(net.input_shape) < count:
            what = f"{count} inputs but {len(net.input_shape)} input_shape; give one for each input"
            raise UpgradeError(what, field="input_shape", position=place)
        return list(net.input_shape)[:count]
    if len(net.input_dim) < 4 * count:
        what = f"{count} inputs but {len(net.input_dim)} input_dim; give four for each input"
        raise UpgradeError(what, field="input_dim", position=place)
    return [caffe_pb2.BlobShape(dim=net.input_dim[4 * i : 4 * i + 4]) for i in range(count)]


def _upgrade_batch_norm(source: Source) -> None:
    for layer in source.net.layer:
        if layer.type != "BatchNorm" or len(layer.param) != 3:
            continue
        if any(spec.lr_mult or spec.decay_mult for spec in layer.param):
            source.note(f'BatchNorm "{layer.name}": its three statistics are not learned; lr_mult, decay_mult set to 0')
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0

"""The nets of a Caffe training as models: with gradients, without those that no parameter needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from caffe2.bridge.caffe.errors import Problem, UntranslatableError
from caffe2.bridge.caffe.training import LearningNet, Training, update_nets
from caffe2.bridge.caffe.training.flow import behind
from caffe2.bridge.caffe.translate.model import Custom
from caffe2.proto import caffe2_pb2
from caffe2.python import core
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_info import ParameterTags


class Models:
    """The nets of a training, for a device.

    train: the model that computes the loss and the gradients. tests: those of the test nets, with the same parameters.
    update: the solver's step. init_net: fills all that they read. learning, testing: the translated nets of the models.
    Raises UntranslatableError listing all layers that cannot be trained.
    """

    def __init__(self, training: Training, custom: Custom | None, device: caffe2_pb2.DeviceOption) -> None:
        self.learning = LearningNet(training.train, custom)
        self.learning.check()
        self.train = _model(self.learning, "train")
        gradients = _add_gradients(self.train, self.learning)
        taken = {*self.learning.names, *_outputs(self.train.net.Proto())}
        self.update = update_nets(training.param, self.learning.params, gradients, sorted(taken), training.snapshot)
        for blob, total in self.update.sums.items():
            self.train.net.Sum([total, gradients[blob]], total)
        taken |= {*_outputs(self.update.init_net), *_outputs(self.update.net)}
        self.testing = [LearningNet(net, custom, taken) for net in training.tests]
        for net in self.testing:
            net.like(self.learning)
        self.tests = [_model(net, f"test_{index}") for index, net in enumerate(self.testing)]
        self.init_net = self._filling()
        for net in self.nets:
            net.external_input[:] = _read_first(net.op)
        _place(device, [self.init_net, *self.nets], training.param.random_seed)

    def _filling(self) -> caffe2_pb2.NetDef:
        """The init net of the model that trains, which now fills what the other nets read, too."""
        init = self.train.param_init_net.Proto()
        for net in (*(model.param_init_net.Proto() for model in self.tests), self.update.init_net):
            init.op.extend(net.op)
        init.external_output[:] = dict.fromkeys(_outputs(init))
        return init

    @property
    def nets(self) -> list[caffe2_pb2.NetDef]:
        """The nets to run many times: that of the training, that of the step, those of the tests."""
        return [self.train.net.Proto(), self.update.net, *(model.net.Proto() for model in self.tests)]


def _outputs(net: caffe2_pb2.NetDef) -> Iterable[str]:
    return (name for op in net.op for name in op.output)


def _read_first(ops: Iterable[caffe2_pb2.OperatorDef]) -> list[str]:
    """The blobs that operators read before any of them writes it."""
    found, written = {}, set()
    for op in ops:
        found.update(dict.fromkeys(name for name in op.input if name not in written))
        written.update(op.output)
    return list(found)


def _model(net: LearningNet, kind: str) -> ModelHelper:
    """A ModelHelper of a translated net; parameters that are not trained are computed ones."""
    model = ModelHelper(name=f"{net.net.name or 'caffe'}_{kind}")
    model.param_init_net.extend_ops(net.fill_ops())
    for name in _read_first(net.made.ops):
        model.net.AddExternalInput(name)
    model.net.extend_ops(net.made.ops)
    for p in net.params:
        model.AddParameter(core.BlobReference(p.blob), None if p.trained else ParameterTags.COMPUTED_PARAM)
    return model


def _add_gradients(model: ModelHelper, net: LearningNet) -> dict[str, str]:
    """Append the operators for the gradients of the parameters that are trained; the name of each, by parameter."""
    proto, forward = model.net.Proto(), len(model.net.Proto().op)
    found = model.AddGradientOperators([net.loss])
    gradients = {str(blob): str(found[blob]) for blob in model.params if blob in found}
    kept = _needed(proto.op[forward:], set(gradients.values()))
    del proto.op[forward:]
    proto.op.extend(kept)
    _demand_all(net, gradients)
    return gradients


def _needed(ops: Sequence[caffe2_pb2.OperatorDef], wanted: set[str]) -> list[caffe2_pb2.OperatorDef]:
    """The operators whose outputs, or what is made of them, are wanted."""
    kept = []
    for op in reversed(ops):
        if not wanted.isdisjoint(op.output):
            wanted.update(op.input)
            kept.append(op)
    return kept[::-1]


def _demand_all(net: LearningNet, gradients: Mapping[str, str]) -> None:
    """Raises UntranslatableError for parameters of which the loss depends, and no operator gives a gradient."""
    seen = behind(net.made.ops, net.loss)
    what = "its parameter {} gets no gradient; set its lr_mult to 0"
    problems = [
        Problem(p.layer.name, p.layer.type, "param.lr_mult", p.layer.position, what.format(p.index))
        for p in net.params
        if p.trained and p.blob not in gradients and p.blob in seen
    ]
    if problems:
        raise UntranslatableError(problems)


def _place(device: caffe2_pb2.DeviceOption, nets: Iterable[caffe2_pb2.NetDef], seed: int) -> None:
    """Put every operator on a device; from a seed of 0 on, give each a generator of random numbers of its own."""
    for number, op in enumerate(op for net in nets for op in net.op):
        if not op.HasField("device_option"):
            op.device_option.CopyFrom(device)
        if seed >= 0:
            op.device_option.random_seed = seed + number

"""A Caffe net as operators that can be trained: its total loss, and the parameters that it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import NetError, Problem, UntranslatableError
from caffe2.bridge.caffe.layers import AUTOMATIC, Layer, Param
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.training.flow import moving, untrainable
from caffe2.bridge.caffe.training.versions import name_versions
from caffe2.bridge.caffe.translate import Builder
from caffe2.bridge.caffe.translate.builder import filler
from caffe2.bridge.caffe.translate.model import Custom, add_layers, fill
from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2

CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclass(frozen=True)
class Learned:
    """A parameter of a net, as Caffe counts them: shared ones once. `blob` holds it, in whatever shape."""

    blob: str
    layer: Layer
    index: int

    @property
    def param(self) -> Param:
        return self.layer.params[self.index]

    @property
    def trained(self) -> bool:
        return self.param.lr_mult != 0


class LearningNet:
    """A net translated for a solver.

    made: the Translation. loss: the blob of the total loss, the sum of all tops times their loss weights; "" where no
    top has one. params: list[Learned]. outputs: {blob: loss weight} of what the net gives.
    """

    def __init__(self, net: Net, custom: Custom | None = None, taken: Iterable[str] = ()) -> None:
        """taken: names of blobs that are another's, which operators must not use for their own."""
        self.net, self._stored = net, [_bare(layer) for layer in net.layers]
        if net.phase == "TRAIN":
            name_versions(net)
        build = Builder([*net.shapes, *net.inputs, *taken], is_test=net.phase == "TEST", trains=True)
        self.made = add_layers(net, custom or {}, build)
        self._stop_gradients(build)
        weights = {top: w for layer in net.layers for top, w in zip(layer.tops, layer.loss_weights) if w}
        self.loss = _total(build, weights)
        self.outputs = {name: weights.get(name, 0.0) for name in net.outputs if name != AUTOMATIC}
        self.params = [
            Learned(self._place(build, layer, index), layer, index)
            for layer in net.layers
            for index, param in enumerate(layer.params)
            if param.owner is None
        ]
        self.names = build.names()
        self._spare_inputs()

    def _place(self, build: Builder, layer: Layer, index: int) -> str:
        """The blob of a parameter, one that no operator reads included: snapshots have all."""
        return self.made.places.get((layer.name, index)) or build.param(layer, index, f"blob{index}")

    def check(self) -> None:
        """Raises UntranslatableError that lists all layers which cannot be trained."""
        problems = [problem for layer in self.net.layers for problem in self._shared_apart(layer)]
        if not self.loss:
            what = "there is nothing to learn: no layer of it is a loss, or has a loss_weight"
            problems.append(Problem("", "", "loss_weight", self.net.layers[-1].position, what))
        else:
            problems += untrainable(self.made, self.loss, [p.blob for p in self.params if p.trained])
        if problems:
            raise UntranslatableError(problems)

    def _shared_apart(self, layer: Layer) -> list[Problem]:
        """A parameter that is shared, and yet another blob here, since its layer takes it in another shape."""
        owners = {id(p.param): p.blob for p in self.params}
        apart = [
            param
            for index, param in enumerate(layer.params)
            if param.owner is not None and self.made.places.get((layer.name, index)) != owners.get(id(param.owner))
        ]
        what = "shares its parameter {!r} in another shape, which cannot be trained; share it in one shape"
        return [Problem(layer.name, layer.type, "param", layer.position, what.format(p.name)) for p in apart]

    def _stop_gradients(self, build: Builder) -> None:
        """Put StopGradient before layers with propagate_down: false."""
        for layer in self.net.layers:
            bottoms = zip(layer.bottoms, layer.proto.propagate_down)
            stopped = {name: build.fresh(name) for name, wanted in bottoms if not wanted}
            mine = [k for k, origin in enumerate(self.made.origins) if origin is layer]
            for k in mine:
                self.made.ops[k].input[:] = [stopped.get(name, name) for name in self.made.ops[k].input]
            for name, new in stopped.items() if mine else ():
                stop = caffe2_pb2.OperatorDef(type="StopGradient", input=[name], output=[new])
                self.made.ops.insert(mine[0], stop)
                self.made.origins.insert(mine[0], layer)

    def _spare_inputs(self) -> None:
        """Have convolutions compute no gradient of what no parameter changes, such as the data."""
        moved = moving(self.made.ops, [p.blob for p in self.params if p.trained])
        for op in self.made.ops:
            if op.type in CONVOLUTIONS and op.input[0] not in moved:
                op.arg.append(make_argument("no_gradient_to_input", 1))

    def rename(self, names: Mapping[str, str]) -> None:
        """Gives blobs the names of another net's."""
        for op in [*self.made.ops, *self.made.fills]:
            op.input[:] = [names.get(name, name) for name in op.input]
            op.output[:] = [names.get(name, name) for name in op.output]
        self.made.params = {names.get(name, name): array for name, array in self.made.params.items()}

    def like(self, other: LearningNet) -> None:
        """Take the parameters of the layers of `other` that have the same name, and fill only the others.

        Raises NetError where such a parameter has another shape.
        """
        theirs, shapes = other.made.places, {p.blob: p.param.shape for p in other.params}
        for p in self.params:
            blob = theirs.get((p.layer.name, p.index))
            if blob is not None and shapes.get(blob, p.param.shape) != p.param.shape:
                what = (
                    f"parameter {p.index} has the shape {p.param.shape} in the test net and {shapes[blob]} in training"
                )
                raise p.layer.error(what, "", NetError)
        self.rename({name: theirs[place] for place, name in self.made.places.items() if place in theirs})
        known = {*theirs.values()}
        self.made.params = {name: array for name, array in self.made.params.items() if name not in known}
        self.made.fills = [op for op in self.made.fills if op.output[0] not in known]

    def fill_ops(self) -> list[caffe2_pb2.OperatorDef]:
        """The operators that fill parameters, constants and, with zeros, inputs."""
        inputs = [filler(name, shape, None) for name, shape in self.made.inputs.items() if shape is not None]
        return [*(fill(name, array) for name, array in self.made.params.items()), *self.made.fills, *inputs]

    def layers(self, fetch: Callable[[str], np.ndarray], shared: bool) -> Iterator[tuple[Message, list[np.ndarray]]]:
        """Each layer as its file has it, with its parameters, in Caffe's shapes; `shared` ones too, or only owned.

        fetch: the value of a blob.
        """
        blobs = {id(p.param): p.blob for p in self.params}
        for proto, layer in zip(self._stored, self.net.layers, strict=True):
            params = [p for p in layer.params if shared or p.owner is None]
            yield proto, [fetch(blobs[id(p.root)]).reshape(p.shape) for p in params]


def _bare(layer: Layer) -> Message:
    """The LayerParameter of a layer, as it stands in its file."""
    proto = type(layer.proto)()
    proto.CopyFrom(layer.proto)
    return proto


def _total(build: Builder, weights: Mapping[str, float]) -> str:
    """The sum of all numbers of each top times its weight."""
    if not weights:
        return ""
    sums = [(build.op("SumElements", top), weight) for top, weight in weights.items()]
    terms = [total if weight == 1 else build.op("Scale", total, "", scale=weight) for total, weight in sums]
    return build.op("Sum", terms, build.named("total_loss"))

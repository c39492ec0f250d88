"""A net read from its files and set up as Caffe sets it up: wired, checked, with shapes, parameters and weights."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import Problem, UntranslatableError
from caffe2.bridge.caffe.fed import given_shapes, note_missing, override_inputs
from caffe2.bridge.caffe.forks import fork_fields
from caffe2.bridge.caffe.layers import AUTOMATIC, Layer, Param, Shape
from caffe2.bridge.caffe.matching import put_weights
from caffe2.bridge.caffe.params import share
from caffe2.bridge.caffe.phases import kept, net_state
from caffe2.bridge.caffe.prototxt import read_prototxt
from caffe2.bridge.caffe.reference import TYPES, checked
from caffe2.bridge.caffe.source import Source
from caffe2.bridge.caffe.unknown import replace_python as replaced
from caffe2.bridge.caffe.unknown import unknown_type
from caffe2.bridge.caffe.upgrade import upgrade_net
from caffe2.bridge.caffe.weights import Weights, read_weights, weights_of_message
from caffe2.bridge.caffe.wiring import check_wiring
from caffe2.proto import caffe_pb2


@dataclass
class Net:
    """A net of Caffe's; see the package's description."""

    name: str
    path: str
    phase: str
    level: int
    stages: tuple[str, ...]
    proto: Message
    layers: list[Layer] = field(default_factory=list)
    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    shapes: dict[str, Shape | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def require(self, types: Collection[str] = ()) -> None:
        """Raises UntranslatableError listing every problem, but for those of layers of the given `types`."""
        if problems := [problem for problem in self.problems if problem.type not in types]:
            raise UntranslatableError(problems)


def read_net(
    prototxt: str | os.PathLike | Message,
    caffemodel: str | os.PathLike | Message | Weights | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Iterable[str] = (),
    input_shapes: Mapping[str, Shape] | None = None,
    replace_python: bool = False,
) -> Net:
    """The net of a prototxt (a path or a NetParameter) with the weights of a weights file (likewise), set up.

    `input_shapes` gives shapes to inputs and to tops of data layers, whose files may be elsewhere; a data layer that
    nothing here understands becomes an input where all its tops have one. `replace_python` puts layers that compute
    the same in the place of Python layers that many nets have. Unknown layer types and fields are in `Net.problems`.

    Raises:
        TranslatorError: whatever Caffe refuses: the files, the wiring, a layer's parameters or shapes, the weights.
    """
    source = _source(prototxt)
    state = net_state(source.net, phase, level, stages)
    indices = kept(source, state)
    net = Net(source.net.name, source.path, phase, level, tuple(state.stage), _without_layers(source.net, state))
    net.notes = source.notes
    for index in indices:
        proto = _proto(source.net.layer[index], state)
        if replace_python and (note := replaced(proto, phase == "TRAIN")):
            net.notes.append(note)
        net.layers.append(Layer(proto, fork_fields(proto), source.path, source.trees[index]))
    net.proto.layer.extend(layer.proto for layer in net.layers)
    net.problems = _of_kept_layers(source, set(indices))
    _set_up(net, override_inputs(net, input_shapes or {}))
    note_missing(net)
    net.problems.sort(key=lambda problem: (problem.position.line, problem.position.column))
    if caffemodel is not None:
        put_weights(net.layers, _weights(caffemodel), net.notes)
    return net


def _source(prototxt: str | os.PathLike | Message) -> Source:
    if not isinstance(prototxt, Message):
        return read_prototxt(prototxt)
    net = caffe_pb2.NetParameter()
    net.CopyFrom(prototxt)
    source = Source(net, trees=[None] * len(net.layers or net.layer))
    upgrade_net(source)
    return source


def _weights(caffemodel: str | os.PathLike | Message | Weights) -> Weights:
    if isinstance(caffemodel, Weights):
        return caffemodel
    return weights_of_message(caffemodel) if isinstance(caffemodel, Message) else read_weights(caffemodel)


def _without_layers(net: Message, state: Message) -> Message:
    proto = caffe_pb2.NetParameter(name=net.name, force_backward=net.force_backward, debug_info=net.debug_info)
    proto.state.CopyFrom(state)
    return proto


def _proto(layer: Message, state: Message) -> Message:
    proto = caffe_pb2.LayerParameter()
    proto.CopyFrom(layer)
    if not proto.HasField("phase"):
        proto.phase = state.phase
    return proto


def _of_kept_layers(source: Source, indices: set[int]) -> list[Problem]:
    """The problems outside of layers that the net's state leaves out."""
    trees = [(index, tree.token) for index, tree in enumerate(source.trees) if tree is not None]
    places = [(token.line, token.column) for _, token in trees]

    def stays(problem: Problem) -> bool:
        before = bisect_right(places, (problem.position.line, problem.position.column))
        return before == 0 or not problem.type or trees[before - 1][0] in indices

    return [problem for problem in source.problems if stays(problem)]


def _set_up(net: Net, given: dict[str, Shape]) -> None:
    owners: dict[str, tuple[Layer, int, Param]] = {}
    for layer in net.layers:
        cls = TYPES.get(layer.type)
        layer.reference = cls(layer) if cls else None
        layer.tops = _tops(layer)
        net.problems += [] if cls is None else _ignored_fork_fields(layer)
    net.outputs = check_wiring(net.layers)
    for layer in net.layers:
        layer.bottom_shapes = tuple(net.shapes[name] for name in layer.bottoms)
        layer.top_shapes = given_shapes(layer, _checked(net, layer), given)
        net.shapes.update(zip(layer.tops, layer.top_shapes, strict=True))
        layer.loss_weights = _loss_weights(layer)
        if layer.reference and layer.checked:
            share(layer, owners)
        if layer.type == "Input":
            net.inputs.update(zip(layer.tops, layer.top_shapes, strict=True))


def _ignored_fork_fields(layer: Layer) -> list[Problem]:
    """The fields that a fork added to one of Caffe's own messages and that the layer's type here does not mind."""
    names = [
        f"{outer.name}.{inner.name}"
        for outer, value in layer.fork.ListFields()
        if outer.message_type is not None and outer.message_type.name.startswith("Fork")
        for inner, _ in value.ListFields()
    ]
    ignored = [name for name in names if not {name, name.split(".")[0]} & layer.reference.forks]
    what = "a field of a fork of Caffe that this layer type does not mind here"
    return [Problem(layer.name, layer.type, name, layer.position_of(name), what) for name in ignored]


def _tops(layer: Layer) -> tuple[str, ...]:
    tops = tuple(layer.proto.top)
    if layer.reference and layer.reference.loss:
        tops += (AUTOMATIC,) * (layer.reference.count_tops()[0] - len(tops))
    return tops


def _checked(net: Net, layer: Layer) -> tuple[Shape | None, ...]:
    unknown = (None,) * len(layer.tops)
    if layer.reference is None:
        net.problems.append(Problem(layer.name, layer.type, "", layer.position_of("type"), unknown_type(layer)))
        return unknown
    layer.reference.count_checked()
    if None in layer.bottom_shapes:
        return unknown
    return checked(layer.reference, layer.bottom_shapes)


def _loss_weights(layer: Layer) -> tuple[float, ...]:
    weights = tuple(layer.proto.loss_weight)
    if not weights and layer.reference and layer.reference.loss:
        weights = (1.0,)
    if weights and len(weights) != len(layer.tops):
        what = f"give no loss_weight, or one for each of the {len(layer.tops)} top(s); {len(weights)} count(s) as given"
        raise layer.error(what, "loss_weight")
    return weights or (0.0,) * len(layer.tops)

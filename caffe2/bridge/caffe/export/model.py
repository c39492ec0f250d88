"""A whole net of Caffe2 as a net of Caffe, its weights, and the proof that both compute the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import TranslatorError
from caffe2.bridge.caffe.export.draft import Draft, Drafted, Weight, exporters
from caffe2.bridge.caffe.export.merge import merged
from caffe2.bridge.caffe.export.naming import name_layers, overwrite
from caffe2.bridge.caffe.export.patterns import absorb
from caffe2.bridge.caffe.export.program import Params, Program, observe, prepared
from caffe2.bridge.caffe.export.site import Obstacle, Refusal, Shape, Site
from caffe2.bridge.caffe.net import read_net
from caffe2.bridge.caffe.verify import Report
from caffe2.opdef import UNKNOWN, registry
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.runtime import packed
from caffe2.runtime.workspace import Workspace


class InexpressibleError(TranslatorError):
    """Every operator of a net that no layer of Caffe can stand for, listed at once in `obstacles`."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        self.obstacles = tuple(obstacles)
        lines = "\n  ".join(map(str, self.obstacles[:100]))
        more = f"\n  and {len(obstacles) - 100} more" if len(obstacles) > 100 else ""
        super().__init__(f"{len(obstacles)} part(s) of this net cannot be written as Caffe's:\n  {lines}{more}")


@dataclass
class CaffeNet:
    """A net of Caffe: its layers in order, and what they were made of.

    proto: caffe_pb2.NetParameter without weights; forks: for each layer the fields that a fork added, or None;
    weights: for each layer its parameters, float32; notes: what a user should know.
    predict: the Caffe2 net, its blobs named as the layers name them; inputs: what it was tried on, and workspace:
    what it gave, each of `blobs` under the name there.
    report: the proof, where one was made.
    """

    proto: Message
    forks: list[Message | None] = field(default_factory=list)
    weights: list[list[np.ndarray]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    predict: caffe2_pb2.NetDef = field(default_factory=caffe2_pb2.NetDef)
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    workspace: Workspace = field(default_factory=Workspace)
    blobs: dict[str, str] = field(default_factory=dict)
    report: Report | None = None

    def structure(self) -> Message:
        """The NetParameter without weights, the fields of forks as unknown ones."""
        made = caffe_pb2.NetParameter()
        made.CopyFrom(self.proto)
        for layer, fork in zip(made.layer, self.forks, strict=True):
            layer.MergeFromString(fork.SerializeToString() if fork is not None else b"")
        return made

    def message(self) -> Message:
        """The NetParameter with the weights in it and the fields of forks as unknown ones: a .caffemodel."""
        made = self.structure()
        for layer, arrays in zip(made.layer, self.weights, strict=True):
            for array in arrays:
                packed.extend(layer.blobs.add(shape={"dim": array.shape}), "data", array)
        return made


def export(
    init_net: Params,
    predict_net: caffe2_pb2.NetDef,
    *,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
    bvlc: bool = False,
) -> CaffeNet:
    """The Caffe net that computes what a Caffe2 net does; blobs keep their names.

    init_net: fills the parameters; or arrays by blob name. input_shapes: shapes of the inputs, where the init net does
    not tell them. inputs: what to try the net on; without them noise. bvlc: use no layers of forks of Caffe.
    Raises InexpressibleError, listing every operator that cannot be written; NetError: an input without a shape.
    """
    program = prepared(init_net, predict_net, input_shapes, inputs)
    observe(program)
    draft = Draft(program, bvlc=bvlc)
    for name, value in program.inputs.items():
        draft.layer("Input", [], name, name=name, input_param={"shape": [{"dim": value.shape}]})
    if program.sized:
        draft.note("sizes that the net itself asks for are those that it has now")
    absorb(draft)
    obstacles = [found for site in program.sites if (found := _written(site, draft))] + program.obstacles
    if obstacles:
        raise InexpressibleError(sorted(obstacles, key=lambda o: o.index))
    for name in program.net.external_output:
        if name in program.constants and name in program.writers:
            draft.bottom(name)
    return _finished(program, draft)


def _written(site: Site, draft: Draft) -> Obstacle | None:
    """Write an operator; what is wrong where it cannot be."""
    settled = site.outputs and all(name in draft.program.constants for name in site.outputs)
    if site.index in draft.done or settled:
        return None
    if site.type not in exporters:
        return site.obstacle(_unknown(site))
    if site.outputs and not site.after:  # the run ended before
        return None
    if None in (*site.before.values(), *site.after.values()):
        return site.obstacle(Refusal("it has blobs that are no tensors, and Caffe's are nothing else"))
    before, draft.site = len(draft.layers), site
    try:
        draft.groups[site.index]() if site.index in draft.groups else exporters[site.type](site, draft)
    except Refusal as refusal:
        del draft.layers[before:]
        return site.obstacle(refusal)
    return None


def _unknown(site: Site) -> Refusal:
    if site.type not in registry:
        return Refusal("no operator has this name")
    if site.type.endswith("Gradient"):
        return Refusal("Caffe derives gradients itself", advice="give the net without them")
    return Refusal("no layer of Caffe computes it", advice="leave it out, or compute it outside of the net")


def _finished(program: Program, draft: Draft) -> CaffeNet:
    layers = merged(draft)
    overwrite(layers, draft)
    name_layers(layers)
    _share(layers)
    made = CaffeNet(caffe_pb2.NetParameter(name=program.net.name), notes=draft.notes)
    for layer in layers:
        made.proto.layer.append(layer.proto)
        made.forks.append(layer.fork)
        made.weights.append([_float32(weight, layer, draft) for weight in layer.weights])
    written = {top for layer in layers for top in layer.proto.top}
    for name, blob in program.origins.items():
        if name in program.net.external_output and name in written:
            draft.note(f"blob {blob!r}, which the net writes over, is called {name!r} in the end")
    made.predict, made.inputs, made.workspace = program.net, program.inputs, program.workspace
    outputs = {name: name for op in program.net.op for name in op.output}
    _accepted(made, layers)
    made.blobs = outputs | {name: old for name, old in program.held.items() if name in outputs}
    return made


def _accepted(made: CaffeNet, layers: Sequence[Drafted]) -> None:
    """Set the net up as Caffe does. Raises InexpressibleError for a layer that it refuses, or gives another shape."""
    try:
        read = read_net(made.structure())
    except TranslatorError as error:
        sites = {layer.proto.name: layer.site for layer in layers}
        site, what = sites.get(error.layer), f"Caffe refuses layer {error.layer!r}: {error.what}"
        raise InexpressibleError([_told(site, what)]) from None
    if wrong := [found for layer in layers if (found := _misshapen(layer, read.shapes))]:
        raise InexpressibleError(wrong)


def _misshapen(layer: Drafted, shapes: Mapping[str, Shape | None]) -> Obstacle | None:
    """What is wrong where a layer gives other shapes than the operator, unless data tell them."""
    if layer.site is None or layer.site.definition.shape is UNKNOWN:
        return None
    for top in layer.proto.top:
        found, wanted = shapes.get(top), layer.site.after.get(top)
        if None not in (found, wanted) and found != wanted:
            what = f"layer {layer.proto.name!r} gives the shape {list(found)}, and the operator {list(wanted)}"
            return _told(layer.site, what)
    return None


def _told(site: Site | None, what: str) -> Obstacle:
    return site.obstacle(Refusal(what)) if site else Obstacle(0, "", "", "", "", what)


def _share(layers: Sequence[Drafted]) -> None:
    """Name the parameters that several layers have, so that Caffe trains them as one."""
    uses = Counter(weight.source for layer in layers for weight in layer.weights if weight.source)
    for layer in layers:
        if any(uses[weight.source] > 1 for weight in layer.weights):
            fixed = {"lr_mult": 0.0} if layer.proto.type == "BatchNorm" else {}
            for weight in layer.weights:
                layer.proto.param.add(**fixed, **({"name": weight.source} if uses[weight.source] > 1 else {}))


def _float32(weight: Weight, layer: Drafted, draft: Draft) -> np.ndarray:
    if weight.array.dtype != np.float32:
        draft.note(f"weights of layer {layer.proto.name!r} are {weight.array.dtype}, and are written as float32")
    return np.asarray(weight.array, np.float32, order="C")

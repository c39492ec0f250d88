"""A net made ready to be written as Caffe's: its parameters, its inputs, and the shapes that one run of it shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from caffe2.bridge.caffe.errors import NetError
from caffe2.bridge.caffe.export.names import single_assignment
from caffe2.bridge.caffe.export.site import Obstacle, Shape, Site
from caffe2.opdef import EnforceNotMet, registry
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

Params = caffe2_pb2.NetDef | Mapping[str, Any]


@dataclass
class Program:
    """The operators of a net in order, who reads what, the parameters and the inputs."""

    net: caffe2_pb2.NetDef
    workspace: Workspace
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    readers: dict[str, list[Site]] = field(default_factory=lambda: defaultdict(list))
    writers: dict[str, Site] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)  # blobs of whole numbers
    sized: bool = False  # whether operators read the sizes of blobs
    outputs: frozenset[str] = frozenset()
    origins: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)  # names given at last, and those in the workspace
    obstacles: list[Obstacle] = field(default_factory=list)

    @cached_property
    def written_over(self) -> set[str]:
        """Names of blobs that operators both read and write."""
        return {name for site in self.sites for name in site.outputs if name in site.inputs}

    @property
    def params(self) -> set[str]:
        """Names of the blobs that are there before the net runs, besides the inputs."""
        return set(self.workspace.names()) - set(self.inputs)


def prepared(
    params: Params,
    predict_net: caffe2_pb2.NetDef,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
) -> Program:
    """The program of a net. It is not run yet, see `observe`.

    params: an init net, which is run in a workspace of its own, or arrays by blob name.
    Raises NetError: an input without a shape, a shape for what is no input.
    """
    if not predict_net.op:
        raise NetError("the net has no operators: there is nothing to write")
    init = _on_host(params if isinstance(params, caffe2_pb2.NetDef) else caffe2_pb2.NetDef())
    workspace = Workspace()
    workspace.run_net_once(init)
    for name, value in ({} if isinstance(params, caffe2_pb2.NetDef) else params).items():
        workspace.feed(name, np.asarray(value))
    given = {name: tuple(map(int, shape)) for name, shape in (input_shapes or {}).items()}
    given |= {name: np.shape(value) for name, value in (inputs or {}).items()}
    shapes = _input_shapes(predict_net, init, workspace, given)
    net, origins = single_assignment(_on_host(predict_net), {*shapes, *workspace.names()})
    program = Program(net, workspace, origins=origins, outputs=_outputs(net))
    for index, op in enumerate(net.op):
        site = Site(index, op)
        program.sites.append(site)
        for name in dict.fromkeys(op.input):
            program.readers[name].append(site)
        program.writers.update(dict.fromkeys(op.output, site))
    rng = np.random.default_rng(0)
    program.inputs = {name: _sample(program, name, shape, rng) for name, shape in shapes.items()}
    program.inputs |= {name: np.asarray(value) for name, value in (inputs or {}).items()}
    return program


def _on_host(net: caffe2_pb2.NetDef) -> caffe2_pb2.NetDef:
    """The net without devices and executors; itself where it has none."""
    if not (
        net.HasField("device_option") or net.HasField("type") or any(op.HasField("device_option") for op in net.op)
    ):
        return net
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    made.ClearField("device_option")
    made.ClearField("type")
    for op in made.op:
        op.ClearField("device_option")
    return made


def _input_shapes(
    net: caffe2_pb2.NetDef, init: caffe2_pb2.NetDef, workspace: Workspace, given: dict[str, Shape]
) -> dict[str, Shape]:
    """The blobs that are fed, with their shapes.

    They are those read before they are written that the init net does not fill, those that have a shape given, and
    the first external inputs as far as the init net fills them with nothing but a shape, as translators do.
    """
    written: set[str] = set()
    read: dict[str, None] = {}
    for op in net.op:
        read.update(dict.fromkeys(name for name in op.input if name not in written))
        written.update(op.output)
    read.update(dict.fromkeys(name for name in net.external_output if name not in written))
    plain = {op.output[0] for op in init.op if op.type == "ConstantFill" and {a.name for a in op.arg} == {"shape"}}
    shapes = {}
    for name in net.external_input:
        if name not in plain:
            break
        shapes[name] = tuple(workspace.fetch(name).shape)
    shapes |= {name: () for name in read if name not in workspace and name not in shapes}
    if unknown := [name for name in given if name not in read and name not in shapes]:
        raise NetError(f"no input is called {', '.join(map(repr, unknown))}; it cannot be given a shape")
    missing = [name for name in shapes if name not in given and name not in workspace]
    if missing:
        which = ", ".join(map(repr, missing))
        raise NetError(f"the shape of the input {which} is not known; give it: input_shapes={{{missing[0]!r}: (...)}}")
    return {**shapes, **given}


def _outputs(net: caffe2_pb2.NetDef) -> frozenset[str]:
    """The external outputs; in a net that declares none what operators give first and nobody reads."""
    read = {name for op in net.op for name in op.input}
    return frozenset(net.external_output or (op.output[0] for op in net.op if op.output and op.output[0] not in read))


def _sample(program: Program, name: str, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Something to feed: noise, or zeros and ones where labels and indices are asked for."""
    wanted = _wanted(program, name, set())
    if wanted is None:
        return rng.standard_normal(shape).astype(np.float32)
    return rng.integers(0, 2, shape).astype(wanted)


_COUNTING = {"label", "labels", "alike", "selector", "cont", "INDICES", "indices"}
_PASSING = {"Cast", "FlattenToVec", "Reshape", "Flatten", "Copy"}


def _wanted(program: Program, name: str, seen: set[str]) -> type | None:
    """The element type of whole numbers that readers of a blob ask for; None for any numbers."""
    seen.add(name)
    for site in program.readers[name]:
        d = site.definition
        if d is None:
            continue
        if site.type in _PASSING and site.y not in seen:
            if _wanted(program, site.y, seen) is not None:
                return np.float32 if site.type == "Cast" else _wanted(program, site.y, set())
            continue
        slots = [slot for slot, blob in d.header.inputs.assign(site.inputs).items() if blob == name]
        for slot in slots:
            types = d.types.get(slot)
            if types and torch.float32 not in types:
                return np.int32 if torch.int32 in types else np.int64
            if slot in _COUNTING:
                return np.float32
    return None


def observe(program: Program) -> None:
    """Run the net once, operator by operator, and note the shapes; what fails becomes an obstacle."""
    for name in program.params & set(program.readers):
        program.constants[name] = _held(program, name)
    for name, value in program.inputs.items():
        program.workspace.feed(name, value)
    for site in program.sites:
        site.before = {name: _shape(program.workspace, name) for name in site.inputs}
        try:
            program.workspace.run_operator_once(site.op)
        except (EnforceNotMet, RuntimeError, ValueError, TypeError, OSError) as error:
            if site.type in registry:
                what = f"it does not run on the inputs tried: {_cause(error)}"
                advice = "give the inputs' shapes, or inputs that it takes"
                program.obstacles.append(Obstacle(site.index, site.type, site.op.name, _first(site), "", what, advice))
            return
        site.after = {name: _shape(program.workspace, name) for name in site.outputs}
        program.whole.update(name for name in site.outputs if _whole(program, name))
        settled = site.outputs if _settled(program, site) else [site.outputs[k] for k in _sizes(program, site)]
        program.constants.update((name, _held(program, name)) for name in settled)


def _held(program: Program, name: str) -> np.ndarray:
    """The numbers of a blob, those of the workspace themselves unless an operator writes them anew."""
    value = program.workspace.require(name).value
    plain = isinstance(value, torch.Tensor) and value.dtype == torch.float32
    return value.numpy() if plain and name not in program.written_over else program.workspace.fetch(name)


def _whole(program: Program, name: str) -> bool:
    value = program.workspace.require(name).value
    return isinstance(value, torch.Tensor) and not value.is_floating_point()


def _settled(program: Program, site: Site) -> bool:
    """Whether an operator gives the same in every run."""
    if not site.inputs:
        return site.type.startswith("GivenTensor")
    fixed = not site.definition.random and site.definition.stores
    return fixed and bool(site.outputs) and all(name in program.constants for name in site.inputs)


SIZES = {"Shape": 0, "Size": 0, "Reshape": 1, "Concat": 1, "DepthConcat": 1}
"""Which output of an operator is the sizes of a blob."""


def _sizes(program: Program, site: Site) -> list[int]:
    """The outputs that are sizes, and are read: constants as long as inputs have the shapes that they have."""
    k = SIZES.get(site.type, len(site.outputs))
    read = k < len(site.outputs) and program.readers[site.outputs[k]]
    program.sized |= bool(read)
    return [k] if read else []


def _cause(error: Exception) -> str:
    """The line of an error that says what is wrong: behind the operator's header, where there is one."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next(iter(lines[1:2] or lines), type(error).__name__)


def _first(site: Site) -> str:
    return next(iter([*site.outputs, *site.inputs]), "")


def _shape(workspace: Workspace, name: str) -> Shape | None:
    value = workspace.require(name).value
    return tuple(value.shape) if isinstance(value, (torch.Tensor, np.ndarray)) else None

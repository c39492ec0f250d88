"""A solver with the nets that it trains and tests, read and set up as Caffe does it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import FileError, Position, Problem, UntranslatableError
from caffe2.bridge.caffe.fed import tops_fed
from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.matching import put_weights
from caffe2.bridge.caffe.net import Net, read_net
from caffe2.bridge.caffe.prototxt import Solver, read_prototxt, read_solver
from caffe2.bridge.caffe.snapshot import Snapshot, read_snapshot
from caffe2.bridge.caffe.training.checks import check_solver
from caffe2.bridge.caffe.weights import read_weights
from caffe2.proto import caffe_pb2

PathLike = str | os.PathLike


@dataclass
class Training:
    """A solver: its `param`, the `train` net, the `tests`, and the `snapshot` to go on from, if any.

    `prefix` begins the names of the snapshots that it writes, `notes` are for the user.
    """

    param: Message
    path: str
    prefix: str
    train: Net
    tests: list[Net] = field(default_factory=list)
    snapshot: Snapshot | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def fed(self) -> list[str]:
        """The blobs that a program has to feed, in the order of the layers; those of the tests too."""
        return list(dict.fromkeys(name for net in (self.train, *self.tests) for name in tops_fed(net)))

    def demand_data(self) -> None:
        """Raises UntranslatableError that lists the layers whose tops nobody makes unless they are fed."""
        layers = [layer for net in (self.train, *self.tests) for layer in net.layers]
        waiting = [layer for layer in layers if layer.reference and not layer.reference.here()]
        if problems := list(dict.fromkeys(map(_without_data, waiting))):
            raise UntranslatableError(problems)


def read_training(
    solver: PathLike | Message,
    weights: Sequence[PathLike] = (),
    snapshot: PathLike | None = None,
    *,
    max_iter: int | None = None,
    level: int | None = None,
    stages: Sequence[str] = (),
    input_shapes: Mapping[str, Shape] | None = None,
) -> Training:
    """The training that a solver's prototxt (a path or a SolverParameter) describes.

    weights: files to take the weights from, by layer name, the last one counting; else those that the solver names.
    snapshot: a `.solverstate` or `.solverstate.h5` to go on from, whose `.caffemodel` has the weights.
    max_iter: instead of the solver's. level, stages: for the state of the training net.
    input_shapes: of what is fed where the nets do not tell, such as data layers whose files are elsewhere.
    Raises TranslatorError: a file that cannot be read, a net that Caffe refuses; UntranslatableError lists at once all
    that the solver lacks.
    """
    read = _solver(solver)
    if read.problems:
        raise UntranslatableError(read.problems)
    if max_iter is not None:
        read.proto.max_iter = max_iter
    if level is not None:
        read.proto.train_state.level = level
    read.proto.train_state.stage.extend(stages)
    check_solver(read.proto, read.path)
    if weights and snapshot is not None:
        raise FileError("give a snapshot to go on from, or weights to begin with, not both")
    made = Training(
        read.proto,
        read.path,
        read.snapshot_prefix(),
        _train_net(read, input_shapes or {}),
        _test_nets(read, input_shapes or {}),
    )
    made.notes += read.notes
    paths = [os.fspath(path) for path in weights]
    if snapshot is not None:
        made.snapshot = read_snapshot(snapshot)
        learned = made.snapshot.learned_net
        paths = [_found(learned, os.fspath(snapshot), by_name=True)] if learned else []
    elif not paths:
        paths = [_found(name.strip(), read.path) for group in read.proto.weights for name in group.split(",")]
    _finish(made, paths)
    return made


def _solver(solver: PathLike | Message) -> Solver:
    if not isinstance(solver, Message):
        return read_solver(solver)
    proto = caffe_pb2.SolverParameter()
    proto.CopyFrom(solver)
    return Solver(proto, "solver.prototxt")


def _train_net(solver: Solver, shapes: Mapping[str, Shape]) -> Net:
    s = solver.proto
    file = s.train_net if s.HasField("train_net") else s.net if s.HasField("net") else ""
    inline = s.train_net_param if s.HasField("train_net_param") else s.net_param
    return _net(solver, file or inline, s.train_state, "TRAIN", shapes)


def _test_nets(solver: Solver, shapes: Mapping[str, Shape]) -> list[Net]:
    """In Caffe's order: test_net_param, test_net, and the training's own for the test_iters that are left."""
    s = solver.proto
    sources: list[str | Message] = [*s.test_net_param, *s.test_net]
    own = s.net_param if s.HasField("net_param") else s.net
    sources += [own] * (len(s.test_iter) - len(sources))
    states = s.test_state or [caffe_pb2.NetState()] * len(sources)
    return [_net(solver, source, state, "TEST", shapes) for source, state in zip(sources, states, strict=True)]


def _net(solver: Solver, source: str | Message, state: Message, phase: str, shapes: Mapping[str, Shape]) -> Net:
    """A net in the state that its file asks for, the solver's state coming first."""
    if isinstance(source, str):
        source = _found(source, solver.path)
        proto = read_prototxt(source).net
    else:
        proto = source
    merged = caffe_pb2.NetState(phase=caffe_pb2.Phase.Value(phase))
    merged.MergeFrom(proto.state)
    merged.MergeFrom(state)
    name = caffe_pb2.Phase.Name(merged.phase)
    tops = {top for layer in proto.layer for top in layer.top}
    shapes = {top: shape for top, shape in shapes.items() if top in tops or phase == "TRAIN"}
    return read_net(source, phase=name, level=merged.level, stages=tuple(state.stage), input_shapes=shapes)


def _found(path: str, beside: str, by_name: bool = False) -> str:
    """A path as it stands, seen from the working directory; else from the folder of the file that names it.

    by_name: or else the file of that name in that folder.
    """
    folder = Path(beside).parent
    tried = [Path(path), folder / path] + [folder / Path(path).name] * by_name
    for candidate in tried:
        if candidate.exists():
            return str(candidate)
    what = f"no such file, which {beside} names; looked for {', '.join(map(str, dict.fromkeys(tried)))}"
    raise FileError(what, position=Position(path))


def _finish(made: Training, paths: Sequence[str]) -> None:
    """Put weights to the nets, and keep what the nets note."""
    for path in paths:
        stored = read_weights(path)
        put_weights(made.train.layers, stored, made.train.notes)
        for net in made.tests:
            put_weights(net.layers, stored, [])
    notes = [note for net in (made.train, *made.tests) for note in net.notes]
    made.notes += list(dict.fromkeys(notes))


def _without_data(layer: Layer) -> Problem:
    source, tops = getattr(layer.reference, "source", ""), ", ".join(layer.tops)
    place = "source" if source else ""
    missing = f"there is no {source!r}; paths start from the working directory, or from the folder of this file; "
    what = f"{missing * bool(source)}a program may feed {tops}: translate_solver(..., feed=function)"
    return Problem(layer.name, layer.type, place, layer.position, what)

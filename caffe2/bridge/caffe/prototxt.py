"""Prototxt files, nets' and solvers', read into Caffe's messages of the newest generation."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import FileError, Position, Problem, UntranslatableError
from caffe2.bridge.caffe.forks import ForkSolverParameter
from caffe2.bridge.caffe.kinds import read_text_file
from caffe2.bridge.caffe.source import Source
from caffe2.bridge.caffe.text import read_text
from caffe2.bridge.caffe.tree import Message as Tree
from caffe2.bridge.caffe.upgrade import upgrade_net, upgrade_solver
from caffe2.proto import caffe_pb2

_SOLVER_FIELDS = {field.name for field in caffe_pb2.SolverParameter.DESCRIPTOR.fields} - {"debug_info"}
PathLike = str | os.PathLike


@dataclass
class Solver:
    """A solver's SolverParameter, what was upgraded, and the fields that nothing knows."""

    proto: Message
    path: str
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def snapshot_prefix(self) -> str:
        """Where Caffe puts snapshots: `snapshot_prefix`; the solver file's name without it; within it, if a folder."""
        if not self.proto.HasField("snapshot_prefix"):
            return str(Path(self.path).with_suffix(""))
        prefix = self.proto.snapshot_prefix
        return str(Path(prefix) / Path(self.path).stem) if Path(prefix).is_dir() else prefix


def read_prototxt(path: PathLike) -> Source:
    """The net of a prototxt of any generation, upgraded; unknown fields are in `Source.problems`.

    Raises:
        FileError: the file cannot be read or is no prototxt.
        TextError, UpgradeError: what Caffe refuses.
    """
    name = os.fspath(path)
    text = read_text(read_text_file(name), caffe_pb2.NetParameter(), name)
    fields = {problem.field for problem in text.problems}
    if fields & _SOLVER_FIELDS and not text.message.layer and not text.message.layers:
        raise FileError("this is a solver, not a net; the net is the file that it names", position=Position(name))
    if "item" in fields and not text.message.ListFields():
        raise FileError("this is a label map, which names classes, not a net", position=Position(name))
    source = Source(text.message, name, _layer_trees(text.tree), problems=text.problems)
    upgrade_net(source)
    return source


def read_solver(path: PathLike) -> Solver:
    """The solver of a prototxt, upgraded; unknown fields are in `Solver.problems`.

    Raises:
        FileError, TextError, UpgradeError: as `read_prototxt`.
    """
    name = os.fspath(path)
    text = read_text(read_text_file(name), caffe_pb2.SolverParameter(), name)
    if {"layer", "layers"} & {problem.field for problem in text.problems}:
        raise FileError("this is a net, not a solver", position=Position(name))
    solver = Solver(text.message, name, problems=text.problems)
    upgrade_solver(solver.proto, name, solver.notes)
    fork = ForkSolverParameter.FromString(solver.proto.SerializeToString())
    if ignored := [field.name for field, _ in fork.ListFields()]:
        solver.notes.append(f"kept, but not minded, fields of a fork of Caffe: {', '.join(ignored)}")
    return solver


def load_prototxt(path: PathLike) -> Message:
    """The NetParameter of a prototxt of any generation, upgraded to the newest.

    Fields that a fork of Caffe added are kept as unknown fields of the messages (`forks.fork_fields` reads them).

    Raises:
        TranslatorError: as `read_prototxt`; also UntranslatableError for fields that no schema knows.
    """
    source = read_prototxt(path)
    if source.problems:
        raise UntranslatableError(source.problems)
    return source.net


def load_solver(path: PathLike) -> Message:
    """The SolverParameter of a prototxt, upgraded to the newest generation.

    Raises:
        TranslatorError: as `read_solver`; also UntranslatableError for fields that no schema knows.
    """
    solver = read_solver(path)
    if solver.problems:
        raise UntranslatableError(solver.problems)
    return solver.proto


def _layer_trees(tree: Tree) -> list[Tree | None]:
    names = [name for name in ("layers", "layer") if any(tree.named(name))]
    return [value for item in tree.named(names[0]) for value in item.values] if names else []

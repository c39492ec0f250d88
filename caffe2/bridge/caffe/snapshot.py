"""Solver snapshots, `.solverstate` and `.solverstate.h5`: where a training stood, and the solver's memory of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from caffe2.bridge.caffe.blobs import Blob, read_blob
from caffe2.bridge.caffe.errors import FileError, Position, WireError
from caffe2.bridge.caffe.kinds import HDF5, open_binary_file, open_file
from caffe2.bridge.caffe.weights import hdf5_blob, open_hdf5
from caffe2.bridge.caffe.wire import BYTES, VARINT, Reader


@dataclass
class Snapshot:
    """`iter` iterations were done, the weights are in the file `learned_net`; `history` has the solver's own blobs."""

    iter: int = 0
    learned_net: str = ""
    current_step: int = 0
    history: list[Blob] = field(default_factory=list)


def read_snapshot(path: str | os.PathLike) -> Snapshot:
    """The state of a solver in a `.solverstate` or `.solverstate.h5` file, its numbers memory-mapped.

    Raises:
        FileError: the file cannot be read or is of another kind.
        WireError: it is truncated or damaged.
    """
    name = os.fspath(path)
    if open_file(name)[: len(HDF5)] == HDF5:
        return _read_hdf5(name)
    reader, snapshot, found = Reader(open_binary_file(name, "a .solverstate"), name), Snapshot(), False
    for item in reader.fields():
        if item.number == 1 and item.wire == VARINT:
            snapshot.iter, found = reader.integers(item)[0], True
        elif item.number == 2 and item.wire == BYTES:
            snapshot.learned_net = reader.string(item)
        elif item.number == 3 and item.wire == BYTES:
            snapshot.history.append(read_blob(reader, item.start, item.end))
        elif item.number == 4 and item.wire == VARINT:
            snapshot.current_step = reader.integers(item)[0]
    if not found:
        raise FileError("no count of iterations in this file: it is no .solverstate", position=Position(name))
    return snapshot


def _whole(data: object) -> int:
    """The one number of a data set: Caffe writes it as an array."""
    return int(np.asarray(data[()]).reshape(()))


def _read_hdf5(path: str) -> Snapshot:
    file = open_hdf5(path)
    try:
        history = file["history"]
        blobs = [hdf5_blob(history, index) for index in range(len(history))]
        learned = file["learned_net"][()] if "learned_net" in file else b""
        text = learned.decode("utf-8", "backslashreplace") if isinstance(learned, bytes) else str(learned)
        return Snapshot(_whole(file["iter"]), text, _whole(file["current_step"]), blobs)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise WireError(f"no solver snapshot, or a damaged one: {error}", position=Position(path)) from None

"""Writing what Caffe reads again: weights as `.caffemodel`, and where a solver stands as `.solverstate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import FileError, Position
from caffe2.proto import caffe_pb2
from caffe2.runtime.packed import extend

Stored = Sequence[tuple[Message, Sequence[np.ndarray]]]
"""Layers, each with the arrays of its parameters."""


def write_weights(path: str, name: str, layers: Stored) -> None:
    """Write a net's layers with their parameters: a `.caffemodel`, or HDF5 where the path ends in .h5.

    Raises FileError where the file cannot be written.
    """
    if path.endswith(".h5"):
        _write(path, lambda file: _hdf5_weights(file, layers))
        return
    net = caffe_pb2.NetParameter(name=name)
    for proto, arrays in layers:
        net.layer.add().CopyFrom(proto)
        net.layer[-1].blobs.extend(map(_blob, arrays))
    _write(path, lambda file: Path(file).write_bytes(net.SerializeToString()))


def write_state(path: str, iteration: int, learned_net: str, current_step: int, history: Sequence[np.ndarray]) -> None:
    """Write where a solver stands: a `.solverstate`, or HDF5 where the path ends in .h5.

    Raises FileError where the file cannot be written.
    """
    if path.endswith(".h5"):
        facts = {"iter": iteration, "learned_net": learned_net, "current_step": current_step}
        _write(path, lambda file: _hdf5_state(file, facts, history))
        return
    state = caffe_pb2.SolverState(iter=iteration, learned_net=learned_net, current_step=current_step)
    state.history.extend(map(_blob, history))
    _write(path, lambda file: Path(file).write_bytes(state.SerializeToString()))


def check_writable(prefix: str) -> None:
    """Raises FileError where nothing can be written under names that begin with `prefix`."""
    _write(f"{prefix}.tempfile", lambda file: Path(file).touch())
    os.remove(f"{prefix}.tempfile")


def _write(path: str, write: Callable[[str], object]) -> None:
    """Write a file beside, then put it in its place: one that is cut short never has its name."""
    beside = f"{path}.part"
    try:
        write(beside)
        os.replace(beside, path)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}; snapshot_prefix says where snapshots go"
        raise FileError(what, position=Position(path)) from None


def _blob(array: np.ndarray) -> Message:
    blob = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=array.shape))
    extend(blob, "data", array)
    return blob


def _h5py() -> object:
    try:
        import h5py
    except ImportError:
        raise FileError("HDF5 snapshots need the package h5py; run: pip install h5py") from None
    return h5py


def _hdf5_weights(file: str, layers: Stored) -> None:
    with _h5py().File(file, "w") as made:
        data = made.create_group("data")
        for proto, arrays in layers:
            group = data.require_group(proto.name)
            for index, array in enumerate(arrays):
                group[str(index)] = np.asarray(array, np.float32)


def _ended(text: str) -> np.ndarray:
    """A string with the zero behind it that Caffe's reader of HDF5 looks for."""
    octets = text.encode()
    return np.array(octets, f"S{len(octets) + 1}")


def _hdf5_state(file: str, facts: dict[str, int | str], history: Sequence[np.ndarray]) -> None:
    with _h5py().File(file, "w") as made:
        for name, value in facts.items():
            made[name] = _ended(value) if isinstance(value, str) else np.array([value], np.int32)
        group = made.create_group("history")
        for index, array in enumerate(history):
            group[str(index)] = np.asarray(array, np.float32)

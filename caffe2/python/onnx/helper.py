"""Running and keeping nets apart from the current workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.python.onnx.workspace import Workspace

Inputs = Mapping[str, np.ndarray] | Sequence[np.ndarray]


class _Outputs(tuple):
    """Values in order, which are also to be had by name, whatever characters it has."""

    def __new__(cls, names: Sequence[str], values: Sequence[Any]) -> _Outputs:
        made = super().__new__(cls, values)
        made._names = list(names)
        return made

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._names.index(key) if isinstance(key, str) else key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__.get("_names", ()):
            raise AttributeError(f"no output is called {name!r}")
        return self[name]


def c2_native_run_op(op_def: caffe2_pb2.OperatorDef, inputs: Inputs) -> tuple[Workspace, Any]:
    """Run an operator on its inputs, by name or in order, in a workspace of its own; that, and the outputs by name."""
    ws = Workspace()
    given = inputs if isinstance(inputs, Mapping) else _in_order(op_def.input, inputs)
    for name, value in given.items():
        ws.FeedBlob(name, value, op_def.device_option)
    ws.RunOperatorOnce(op_def)
    return ws, _Outputs(op_def.output, [ws.FetchBlob(name) for name in op_def.output])


def c2_native_run_net(
    init_net: caffe2_pb2.NetDef | None, predict_net: caffe2_pb2.NetDef, inputs: Inputs, debug_arg: Any = None
) -> tuple[Workspace, Any]:
    """Run a net behind its init net in a workspace of its own; that, and the external outputs by name.

    inputs: by name, or in the order of the external inputs that the init net does not fill. debug_arg: accepted.
    """
    ws = Workspace()
    if init_net:
        ws.RunNetOnce(init_net)
    given = inputs
    if not isinstance(inputs, Mapping):
        unfilled = [name for name in predict_net.external_input if not ws.HasBlob(name)]
        names = unfilled if len(unfilled) == len(inputs) else list(predict_net.external_input)[: len(inputs)]
        given = _in_order(names, inputs)
    for name, value in given.items():
        ws.FeedBlob(name, value, predict_net.device_option)
    ws.RunNetOnce(predict_net)
    return ws, _Outputs(predict_net.external_output, [ws.FetchBlob(name) for name in predict_net.external_output])


def _in_order(names: Sequence[str], values: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    if len(names) != len(values):
        raise EnforceNotMet(f"{len(values)} values for the {len(names)} inputs {' '.join(names)}")
    return dict(zip(names, values))


def load_caffe2_net(file: str | os.PathLike) -> caffe2_pb2.NetDef:
    """The NetDef in a file."""
    with open(file, "rb") as f:
        return caffe2_pb2.NetDef.FromString(f.read())


def save_caffe2_net(net: caffe2_pb2.NetDef, file: str | os.PathLike, output_txt: bool = False) -> None:
    """Write a NetDef to a file; with output_txt also as text, to one whose name ends in txt besides."""
    with open(file, "wb") as f:
        f.write(net.SerializeToString())
    if output_txt:
        with open(f"{os.fspath(file)}txt", "w") as f:
            f.write(str(net))


def benchmark_caffe2_model(
    init_net: caffe2_pb2.NetDef | None,
    predict_net: caffe2_pb2.NetDef,
    warmup_iters: int = 3,
    main_iters: int = 10,
    layer_details: bool = True,
) -> float:
    """Milliseconds that a run of a net takes."""
    ws = Workspace()
    if init_net:
        ws.RunNetOnce(init_net)
    ws.CreateNet(predict_net)
    return ws.BenchmarkNet(predict_net.name, warmup_iters, main_iters, layer_details)[0]

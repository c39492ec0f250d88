"""Models as two nets: one that holds the parameters, and one that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, utils

_FILLS = {
    "float32": "GivenTensorFill",
    "int32": "GivenTensorIntFill",
    "int64": "GivenTensorInt64Fill",
    "uint8": "GivenTensorByteStringToUInt8Fill",
    "object": "GivenTensorStringFill",
}
"""The operator that fills in a tensor, by element type."""


def add_tensor(net: caffe2_pb2.NetDef, name: str, blob: np.ndarray) -> None:
    """Append an operator to a net that makes the blob `name` of this array.

    Raises TypeError for an element type other than float32, int32, int64, uint8 and bytes.
    """
    fill = _FILLS.get(blob.dtype.name)
    if fill is None or (fill == "GivenTensorStringFill" and not all(isinstance(v, bytes) for v in blob.flat)):
        raise TypeError(f"blob {name}: elements are float32, int32, int64, uint8 or bytes, not {blob.dtype}")
    values = [blob.tobytes()] if blob.dtype == np.uint8 else blob
    _append_fill(net, fill, name, blob.shape, values)


def _append_fill(net: caffe2_pb2.NetDef, fill: str, name: str, shape: Sequence[int], values: Any) -> None:
    arguments = [utils.MakeArgument("shape", shape), utils.MakeArgument("values", values)]
    net.op.append(core.CreateOperator(fill, [], [name], arg=arguments))


def Export(
    workspace: Any, net: core.Net | caffe2_pb2.NetDef, params: Sequence[Any]
) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    """The init net, which makes the parameters as they are in the workspace, and the predict net.

    workspace: what has FetchBlob: the module caffe2.python.workspace, or a workspace.
    Inputs of the net that are no parameters are made too, as a zero of shape (1, 1).
    """
    predict_net, init_net = caffe2_pb2.NetDef(), caffe2_pb2.NetDef()
    predict_net.CopyFrom(net if isinstance(net, caffe2_pb2.NetDef) else net.Proto())
    ssa, versions = core.get_ssa(net)
    read = {name for inputs, _ in ssa for name, _ in inputs}
    inputs = [name for name, version in versions.items() if version == 0 and name not in params]
    outputs = [name for name, version in versions.items() if version != 0 and name not in read]
    for name in map(str, params):
        add_tensor(init_net, name, workspace.FetchBlob(name))
    for name in inputs:
        _append_fill(init_net, "GivenTensorFill", name, [1, 1], [0.0])
    predict_net.external_input[:] = dict.fromkeys([*inputs, *predict_net.external_input])
    predict_net.external_output[:] = outputs
    return init_net, predict_net

"""Renaming blobs throughout a net, within the nets that its operators hold too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._core.net_names import next_net_name

Operator = caffe2_pb2.OperatorDef
Remap = Mapping[str, Any]
RemapFunction = Callable[[Operator, str, Remap], None]


def remap_input(op: Operator, blob_name_remapping: Remap) -> None:
    """Rename inputs of an operator."""
    op.input[:] = _renamed(op.input, blob_name_remapping)


def recurrent_network_op_remap(op: Operator, prefix: str, blob_remap: Remap) -> None:
    """Rename the blobs that a recurrent network names in its arguments, and those of its step nets."""
    for argument in op.arg:
        if argument.strings:
            argument.strings[:] = [name.encode() for name in _renamed(map(bytes.decode, argument.strings), blob_remap)]
        elif argument.name == "timestep":
            argument.s = str(blob_remap.get(argument.s.decode(), argument.s.decode())).encode()
        elif argument.name.endswith("step_net"):
            remap_proto(argument, blob_remap)


def control_op_remap(op: Operator, prefix: str, blob_remap: Remap) -> None:
    """Rename the blobs of the nets that an If, an AsyncIf or a While holds."""
    held = ("then_net", "else_net") if op.type in ("If", "AsyncIf") else ("loop_net", "cond_net")
    for argument in op.arg:
        if argument.name in held:
            argument.n.CopyFrom(remapped_net(argument.n, f"{argument.n.name}_remapped", blob_remap))


DEFAULT_REMAP_FUNCS: dict[str, RemapFunction] = {
    "RecurrentNetwork": recurrent_network_op_remap,
    "RecurrentNetworkGradient": recurrent_network_op_remap,
    "If": control_op_remap,
    "While": control_op_remap,
    "AsyncIf": control_op_remap,
}
"""What else is to be renamed in operators that name blobs in their arguments, by operator type."""


def remap_proto(argument: caffe2_pb2.Argument, blob_remap: Remap) -> None:
    """Rename the blobs of the net that an argument holds."""
    argument.n.CopyFrom(remapped_net(argument.n, "cloned_sub_net", blob_remap))


def remapped_net(net: caffe2_pb2.NetDef, name: str, blob_remap: Remap) -> caffe2_pb2.NetDef:
    """`net` with blobs renamed, under a name of its own like `name`."""
    made = copy_net(net, name, blob_remap)
    made.name = next_net_name(name)
    return made


def copy_net(
    net: caffe2_pb2.NetDef,
    name: str,
    blob_remap: Remap,
    op_ids: Iterable[int] | None = None,
    remap_funcs: Mapping[str, RemapFunction] | None = None,
) -> caffe2_pb2.NetDef:
    """The operators of `net` at `op_ids`, all by default, with blobs renamed, as a net `name`."""
    functions = {**DEFAULT_REMAP_FUNCS, **(remap_funcs or {})}
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    made.name = name
    del made.op[:]
    for index in range(len(net.op)) if op_ids is None else op_ids:
        op = made.op.add()
        op.CopyFrom(net.op[index])
        op.input[:] = _renamed(op.input, blob_remap)
        op.output[:] = _renamed(op.output, blob_remap)
        if op.type in functions:
            functions[op.type](op, f"{name}/" if name else "", blob_remap)
    made.external_input[:] = _renamed(made.external_input, blob_remap)
    made.external_output[:] = _renamed(made.external_output, blob_remap)
    return made


def _renamed(names: Iterable[str], blob_remap: Remap) -> list[str]:
    return [str(blob_remap.get(name, name)) for name in names]

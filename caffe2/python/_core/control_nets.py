"""Nets within control operators: the gradient of such a net, and the operator that holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from caffe2.opdef import NoGradient
from caffe2.proto import caffe2_pb2
from caffe2.python._core.arguments import MakeArgument
from caffe2.python._core.blob_reference import BlobReference, GradientSlice
from caffe2.python._core.gradient_ir import IR


def net_argument(op: caffe2_pb2.OperatorDef, name: str) -> caffe2_pb2.NetDef | None:
    """The net that an operator holds as an argument; None where it has no such argument."""
    return next((arg.n for arg in op.arg if arg.name == name), None)


@dataclass
class NetGradient:
    """The backward pass of a net: its operators as a net, what it reads and writes, the gradient of each blob."""

    net: caffe2_pb2.NetDef
    gradients: dict[str, str]
    reads: list[str]
    writes: list[str]


def backward(net: caffe2_pb2.NetDef, initial: Mapping[str, str]) -> tuple[list[caffe2_pb2.OperatorDef], dict[str, str]]:
    """The gradient operators of a net, and the gradient of each blob, given those of some of its blobs.

    Raises NoGradient where the gradient of one is sparse: no control operator hands that out.
    """
    ops, gradients = IR(net.op).GetBackwardPass({BlobReference(b): BlobReference(g) for b, g in initial.items()})
    for blob, gradient in gradients.items():
        if isinstance(gradient, GradientSlice):
            raise NoGradient(
                f"the gradient of {blob} within net {net.name!r} is sparse; a control operator's are dense"
            )
    return ops, {str(blob): str(gradient) for blob, gradient in gradients.items()}


def net_gradient(net: caffe2_pb2.NetDef, initial: Mapping[str, str]) -> NetGradient:
    """The backward pass of a net as a net of its own, named `<name>_grad`."""
    ops, gradients = backward(net, initial)
    reads: dict[str, None] = {}
    writes: dict[str, None] = {}
    for op in ops:
        reads.update(dict.fromkeys(name for name in op.input if name not in writes))
        writes.update(dict.fromkeys(op.output))
    return NetGradient(like_net(net, ops, "_grad"), gradients, list(reads), list(writes))


def like_net(net: caffe2_pb2.NetDef, ops: Iterable[caffe2_pb2.OperatorDef], suffix: str) -> caffe2_pb2.NetDef:
    """A net of other operators that is otherwise as `net`, without external blobs; `suffix` is added to its name."""
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    if made.name:
        made.name += suffix
    for field in ("op", "external_input", "external_output"):
        made.ClearField(field)
    made.op.extend(ops)
    return made


def gradient_operator(
    forward: caffe2_pb2.OperatorDef, inputs: Iterable[str], outputs: Iterable[str], **arguments: Any
) -> caffe2_pb2.OperatorDef:
    """An operator as `forward`, marked as a gradient operator, with other blobs and arguments."""
    made = caffe2_pb2.OperatorDef()
    made.CopyFrom(forward)
    if made.name:
        made.name += "_grad"
    for field in ("input", "output", "arg", "control_input"):
        made.ClearField(field)
    made.input.extend(inputs)
    made.output.extend(outputs)
    made.arg.extend(MakeArgument(name, value) for name, value in arguments.items() if value is not None)
    made.is_gradient_op = True
    return made


def copy_operator(source: str, target: str) -> caffe2_pb2.OperatorDef:
    """Copy: source -> target."""
    return caffe2_pb2.OperatorDef(type="Copy", input=[source], output=[target])

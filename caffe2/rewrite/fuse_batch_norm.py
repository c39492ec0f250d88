"""Batch normalizations that only scale and shift go into the weights of the convolution before them."""

from __future__ import annotations

import torch

from caffe2.proto import caffe2_pb2
from caffe2.rewrite.flow import fresh, sole_reader
from caffe2.rewrite.registry import named_with_workspace
from caffe2.runtime.workspace import Workspace

EPSILON = 1e-5
"""What SpatialBN adds to the variance where it is not told."""


@named_with_workspace("FuseConvBN")
def fuse_batch_norm(net: caffe2_pb2.NetDef, workspace: Workspace) -> None:
    """Conv and the only reader of its output, a SpatialBN with is_test, become one Conv with other weights.

    filter' = filter * s and bias' = (bias - mean) * s + shift, with s = scale / sqrt(var + epsilon) for each output
    channel, are written to the workspace, where the parameters have to be. Weights that other operators read stay.
    """
    position = 0
    while position < len(net.op):
        after = sole_reader(net, position, "SpatialBN") if net.op[position].type == "Conv" else None
        if after is not None and _fits(net, position, after, workspace):
            _fuse(net, position, after, workspace)
        position += 1


def _fits(net: caffe2_pb2.NetDef, position: int, after: int, workspace: Workspace) -> bool:
    conv, norm = net.op[position], net.op[after]
    own = conv.input[1:]
    others = [op for k, op in enumerate(net.op) if k != position]
    shared = any(name in (*op.input, *op.output) for op in others for name in own)
    tests = any(arg.name == "is_test" and arg.i for arg in norm.arg)
    known = all(name in workspace for name in (*own, *norm.input[1:]))
    return tests and known and not shared and len(norm.output) == 1 and norm.input[0] == conv.output[0]


def _fuse(net: caffe2_pb2.NetDef, position: int, after: int, workspace: Workspace) -> None:
    conv, norm = net.op[position], net.op[after]
    scale, shift, mean, var = (workspace.require(name).value for name in norm.input[1:])
    epsilon = next((arg.f for arg in norm.arg if arg.name == "epsilon"), EPSILON)
    factor = scale / torch.sqrt(var + epsilon)
    weights = workspace.require(conv.input[1]).value
    workspace.put(conv.input[1], weights * factor.reshape(-1, *[1] * (weights.dim() - 1)))
    bias = workspace.require(conv.input[2]).value if len(conv.input) > 2 else torch.zeros_like(mean)
    if len(conv.input) == 2:
        conv.input.append(fresh(net, f"{conv.output[0]}_bias"))
        if net.external_input:
            net.external_input.append(conv.input[2])
    workspace.put(conv.input[2], (bias - mean) * factor + shift)
    conv.output[0] = norm.output[0]
    del net.op[after]

"""Engines of operators set by rule."""

from __future__ import annotations

from caffe2.proto import caffe2_pb2
from caffe2.rewrite.registry import named


@named("AddNNPACK")
@named("ConvToNNPack")
def nnpack_engine(net: caffe2_pb2.NetDef) -> None:
    """Have every convolution on the CPU ask for the engine NNPACK."""
    for op in net.op:
        device = op.device_option.device_type or net.device_option.device_type
        if op.type == "Conv" and device == caffe2_pb2.PROTO_CPU:
            op.engine = "NNPACK"

"""Convolutions of the engine NNPACK take the Relu that follows into themselves."""

from __future__ import annotations

from caffe2.proto import caffe2_pb2
from caffe2.rewrite.flow import fresh, rename_from, sole_reader
from caffe2.rewrite.registry import named


@named("FuseNNPACKConvRelu")
def fuse_nnpack_relu(net: caffe2_pb2.NetDef) -> None:
    """Conv and the only reader of its output, a Relu, become one Conv with activation Relu.

    Where the Relu wrote over an input of the convolution, the result gets a name of its own; if that is an output of
    the net, the two are left alone.
    """
    position = 0
    while position < len(net.op):
        conv = net.op[position]
        relu = sole_reader(net, position, "Relu") if conv.type == "Conv" and conv.engine == "NNPACK" else None
        if relu is not None:
            _fuse(net, position, relu)
        position += 1


def _fuse(net: caffe2_pb2.NetDef, position: int, relu: int) -> None:
    conv, result = net.op[position], net.op[relu].output[0]
    if _touched(net, position + 1, relu, result):
        return
    if result in conv.input:
        if result in net.external_output:
            return
        name = fresh(net, f"{result}_relu")
        rename_from(net, relu, result, name)
        result = name
    conv.output[0] = result
    conv.arg.append(caffe2_pb2.Argument(name="activation", s=b"Relu"))
    del net.op[relu]


def _touched(net: caffe2_pb2.NetDef, start: int, stop: int, name: str) -> bool:
    """Whether an operator in between reads or writes a blob."""
    return any(name in (*op.input, *op.output) for op in net.op[start:stop])

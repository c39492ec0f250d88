"""What forks of Caffe added: the messages of `caffe_forks.proto`, carried and read back by Caffe's layer messages."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from caffe2.proto.caffe_forks_pb2 import ForkLayerParameter, ForkSolverParameter

__all__ = ["V1_TYPES", "ForkLayerParameter", "ForkSolverParameter", "fork_fields"]

V1_TYPES = {
    "BN": "BN",
    "CONVOLUTION3D": "Convolution3D",
    "DECONVOLUTION3D": "Deconvolution3D",
    "POOLING3D": "Pooling3D",
    "PRELU": "PReLU",
    "RESHAPE": "Reshape",
    "VIDEO_DATA": "VideoData",
}
"""The names that forks added to the layer types of the V1 format, and the type of each in the newest format."""


def fork_fields(layer: Message) -> Message:
    """The ForkLayerParameter whose fields `layer` carries as unknown ones; an empty one where it carries none."""
    try:
        fork = ForkLayerParameter.FromString(layer.SerializePartialToString())
    except DecodeError:
        return ForkLayerParameter()
    fork.DiscardUnknownFields()
    return fork

"""What forks of Caffe added: their messages (`forks.proto`), read from and carried by Caffe's own layer messages."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from caffe2.proto import caffe_pb2  # noqa: F401  (forks.proto imports caffe.proto, which this puts into the pool)
from caffe2.proto.pool import POOL

POOL.AddSerializedFile(Path(__file__).with_name("forks.desc").read_bytes())
_FILE = POOL.FindFileByName("caffe2/bridge/caffe/forks.proto")

ForkLayerParameter = GetMessageClass(_FILE.message_types_by_name["ForkLayerParameter"])
ForkSolverParameter = GetMessageClass(_FILE.message_types_by_name["ForkSolverParameter"])

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

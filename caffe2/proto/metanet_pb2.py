"""The messages of metanet.proto: a model with its nets, blobs and origin."""

from caffe2.proto import caffe2_pb2  # noqa: F401 -- the messages that these build on
from caffe2.proto.pool import load

globals().update(load("metanet"))

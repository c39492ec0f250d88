"""The messages of caffe_forks.proto: what forks of Caffe added to its layers."""

from caffe2.proto import caffe_pb2  # noqa: F401  (caffe_forks.proto imports caffe.proto)
from caffe2.proto.pool import load

globals().update(load("caffe_forks"))

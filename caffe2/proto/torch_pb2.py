"""The messages of torch.proto: the model container of early TorchScript archives."""

from caffe2.proto import caffe2_pb2  # noqa: F401 -- the messages that these build on
from caffe2.proto.pool import load

globals().update(load("torch"))

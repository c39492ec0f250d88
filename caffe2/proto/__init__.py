"""The wire formats: one `<name>_pb2` module for each .proto file, with messages in a descriptor pool of their own."""

from caffe2.proto import caffe2_pb2, metanet_pb2, torch_pb2

__all__ = ["caffe2_pb2", "metanet_pb2", "torch_pb2"]

"""PyTorch: Caffe2's operators as functions of torch."""

from caffe2.bridge.pytorch.exported import SCHEMAS, register

__all__ = ["SCHEMAS", "register"]

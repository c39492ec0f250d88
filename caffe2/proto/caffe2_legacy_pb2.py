"""The messages of caffe2_legacy.proto: Caffe's padding rules and database records."""

from caffe2.proto.pool import load

globals().update(load("caffe2_legacy"))

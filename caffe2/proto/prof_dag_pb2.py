"""The messages of prof_dag.proto: statistics of profiled operators."""

from caffe2.proto.pool import load

globals().update(load("prof_dag"))

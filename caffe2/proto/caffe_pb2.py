"""The messages of caffe.proto: Caffe's networks, weights, solvers and database records."""

from caffe2.proto.pool import load

globals().update(load("caffe"))

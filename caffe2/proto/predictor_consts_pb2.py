"""The messages of predictor_consts.proto: constants of predictor databases."""

from caffe2.proto.pool import load

globals().update(load("predictor_consts"))

"""The messages of hsm.proto: the word tree of a hierarchical softmax."""

from caffe2.proto.pool import load

globals().update(load("hsm"))

"""The error of processes that could not talk to one another, by its historical name."""

from caffe2.ops.collective.world import IoError

__all__ = ["IoError"]

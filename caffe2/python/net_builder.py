"""Nets, loops and branches, built by scopes: operators go where the innermost `with` is."""

from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python._net_builder.operations import Operations, ops

__all__ = ["NetBuilder", "Operations", "ops"]

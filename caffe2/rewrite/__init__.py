"""Nets into other nets that compute the same: one pass a module, by name in `passes`."""

from caffe2.rewrite.engine import nnpack_engine
from caffe2.rewrite.registry import apply, passes
from caffe2.rewrite.subexpression import eliminate_common_subexpressions

__all__ = ["apply", "eliminate_common_subexpressions", "nnpack_engine", "passes"]

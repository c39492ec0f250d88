"""Nets into other nets that compute the same: one pass a module, by name in `passes`."""

from caffe2.rewrite.engine import nnpack_engine
from caffe2.rewrite.fuse_batch_norm import fuse_batch_norm
from caffe2.rewrite.fuse_relu import fuse_nnpack_relu
from caffe2.rewrite.recycle import recycle
from caffe2.rewrite.registry import apply, passes, workspace_passes
from caffe2.rewrite.subexpression import eliminate_common_subexpressions

__all__ = [
    "apply",
    "eliminate_common_subexpressions",
    "fuse_batch_norm",
    "fuse_nnpack_relu",
    "nnpack_engine",
    "passes",
    "recycle",
    "workspace_passes",
]

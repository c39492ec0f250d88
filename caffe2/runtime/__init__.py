"""Blobs and running: the workspace, bound operators, nets and plans. Importing it makes every executor known."""

from caffe2.runtime import compile, dag  # noqa: F401

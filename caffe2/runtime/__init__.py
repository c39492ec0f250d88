"""Blobs and running: the workspace, bound operators, nets and plans.

Importing it makes every executor and every kind of database known.
"""

from caffe2.runtime import compile, dag, memory  # noqa: F401
from caffe2.runtime.db import leveldb, lmdb, minidb, protodb, reader  # noqa: F401

"""Tensors laid side by side: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples


@samples("UnsafeCoalesce")
def _(rng):
    yield Sample("UnsafeCoalesce", (floats(rng, 2, 3), floats(rng, 4)), outputs=3)
    yield Sample("UnsafeCoalesce", (floats(rng, 2, 0), floats(rng, 0)), outputs=3)


@samples("ConcatBatchMatMulBatchGatherOp")
def _(rng):
    yield [np.array([1, 3, 0], np.int32), floats(rng, 4, 2), floats(rng, 4, 2)], {}


def test_parts_share_the_whole_and_stay_where_they_are():
    workspace = Workspace()
    workspace.feed("a", np.array([1, 2], np.float32))
    workspace.feed("b", np.array([3], np.float32))
    op = caffe2_pb2.OperatorDef(type="UnsafeCoalesce", input=["a", "b"], output=["a", "b", "all"])
    workspace.run_operator_once(op)
    workspace.require("b").value.fill_(7)
    assert workspace.fetch("all").tolist() == [1, 2, 7]
    where = workspace.require("all").value.data_ptr()
    workspace.run_operator_once(op)
    assert workspace.require("all").value.data_ptr() == where


def test_pairs_out_of_range_are_refused(run):
    with pytest.raises(EnforceNotMet, match="indices holds 4"):
        x = np.ones((1, 2), np.float32)
        run("ConcatBatchMatMulBatchGatherOp", np.array([4], np.int32), x, x)

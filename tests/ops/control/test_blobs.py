"""Operators on blobs, whatever they hold."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.runtime.errors import MissingBlob
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples


@samples("Free", "FeedBlob", "GetAllBlobNames")
def _(rng):
    yield Sample("Free", (floats(rng, 2), b"text"), {})
    yield Sample("FeedBlob", (), {"value": "text"})
    yield Sample("GetAllBlobNames", (), {}, except_={"shape": "it is not known before"})


def test_free():
    workspace = Workspace()
    workspace.feed("x", np.ones(2))
    workspace.run_operator_once(operator("Free", "x", "x"))
    assert workspace.names() == ["x"]
    with pytest.raises(MissingBlob, match="'x' holds nothing"):
        workspace.fetch("x")
    workspace.run_operator_once(operator("Free", "x", "x"))


def test_feed(run):
    assert run("FeedBlob", value=b"a\0b") == b"a\0b"
    with pytest.raises(EnforceNotMet, match="value"):
        run("FeedBlob")
    with pytest.raises(EnforceNotMet, match="value"):
        run("FeedBlob", value=3)


def test_names():
    parent = Workspace()
    parent.feed("b", np.ones(1))
    child = Workspace(parent)
    child.feed("a", np.ones(1))
    child.run_operator_once(operator("GetAllBlobNames", "", "names"))
    assert child.fetch("names").tolist() == [b"a", b"b", b"names"]
    child.run_operator_once(operator("GetAllBlobNames", "", "names", include_shared=0))
    assert child.fetch("names").tolist() == [b"a", b"names"]

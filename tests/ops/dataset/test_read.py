"""Reading datasets: cursors, batches, orders."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.dataset.tree import Tree, TreeCursor
from caffe2.runtime.serialize import deserialize, serialize
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator
from tests.sample import Sample, samples

FIELDS = ["id", "b:lengths", "b:values:lengths", "b:values:values", "b:name"]
"""Rows with lists of lists, [[10, 11], [12]] [] [[13]], and a name for each list."""


def ints(*values):
    return np.array(values, dtype=np.int32)


def columns():
    names = np.array([b"p", b"q", b"r"], dtype=object)
    return [ints(7, 8, 9), ints(2, 0, 1), ints(2, 1, 1), np.array([10, 11, 12, 13]), names]


def cursor(*offsets):
    return lambda: TreeCursor(Tree(FIELDS), offsets)


@samples("CreateTreeCursor", "ResetCursor", "GetCursorOffset", "CheckDatasetConsistency")
def _(rng):
    yield Sample("CreateTreeCursor", (), {"fields": FIELDS})
    yield Sample("ResetCursor", (cursor(1, 2, 3),))
    yield Sample("GetCursorOffset", (cursor(1, 2, 3),))
    yield Sample("CheckDatasetConsistency", tuple(columns()), {"fields": FIELDS})


@samples("ReadNextBatch", "ComputeOffset", "SortAndShuffle", "ReadRandomBatch")
def _(rng):
    here, data = cursor(), tuple(columns())
    yield Sample("ReadNextBatch", (here, *data), {"batch_size": 2}, outputs=5)
    yield Sample("ComputeOffset", (here, *data))
    yield Sample("SortAndShuffle", (here, *data), {"sort_by_field_idx": 0})
    rows = torch.tensor([[0, 0, 0], [1, 2, 3], [2, 2, 3], [3, 3, 4]])
    yield Sample("ReadRandomBatch", (here, np.array([2, 0]), rows, *data), {"batch_size": 2}, outputs=5)


@pytest.fixture
def workspace():
    made = Workspace()
    for name, column in zip(FIELDS, columns()):
        made.feed(name, column)
    made.run_operator_once(operator("CreateTreeCursor", "", "cursor", fields=FIELDS))
    return made


def read(workspace, kind="ReadNextBatch", before="", **args):
    outputs = [f"o{k}" for k in range(len(FIELDS))]
    workspace.run_operator_once(operator(kind, f"cursor {before} {' '.join(FIELDS)}", " ".join(outputs), **args))
    return [workspace.fetch(name).tolist() for name in outputs]


def test_domains():
    tree = Tree(FIELDS)
    assert tree.lengths == [1, 2] and tree.domain == [0, 0, 1, 2, 1]
    with pytest.raises(EnforceNotMet, match="'a:x' depends on 'a:lengths', which comes after it"):
        Tree(["a:x", "a:lengths"])


def test_batches(workspace):
    assert read(workspace) == [[7], [2], [2, 1], [10, 11, 12], [b"p", b"q"]]
    assert read(workspace, batch_size=5) == [[8, 9], [0, 1], [1], [13], [b"r"]]
    assert read(workspace) == [[], [], [], [], []]
    workspace.run_operator_once(operator("ResetCursor", "cursor"))
    assert read(workspace, batch_size=2, enforce_batch_size=1)[0] == [7, 8]
    assert read(workspace, batch_size=2, enforce_batch_size=1) == [[], [], [], [], []]


def test_offsets(workspace):
    workspace.run_operator_once(operator("ComputeOffset", f"cursor {' '.join(FIELDS)}", "offsets"))
    assert workspace.fetch("offsets").tolist() == [[0, 0, 0], [1, 2, 3], [2, 2, 3], [3, 3, 4]]
    workspace.feed("rows", np.array([2, 0]))
    assert read(workspace, "ReadRandomBatch", "rows offsets") == [[9], [1], [1], [13], [b"r"]]
    assert read(workspace, "ReadRandomBatch", "rows offsets", batch_size=3)[3] == [10, 11, 12]
    assert read(workspace, "ReadRandomBatch", "rows offsets")[0] == []
    assert read(workspace, "ReadRandomBatch", "rows offsets", loop_over=1, batch_size=2)[0] == [9, 7]
    workspace.feed("rows", np.array([3]))
    with pytest.raises(EnforceNotMet, match="idx names rows up to 3, and offsetsmat has 3"):
        read(workspace, "ReadRandomBatch", "rows offsets", loop_over=1)


def test_a_cursor_is_stored(workspace):
    read(workspace)
    again = deserialize(serialize(workspace.find("cursor").value, "cursor"))
    assert again.offsets == [1, 2, 3] and again.tree.fields == tuple(FIELDS)


def test_order(run):
    def ordered(count, by=-1, batch=1, pieces=1, data=None):
        column = ints(*range(count)) if data is None else data
        here = TreeCursor(Tree(["a"]))
        return run("SortAndShuffle", here, column, sort_by_field_idx=by, batch_size=batch, shuffle_size=pieces).tolist()

    # what the original gives, from its default generator's first state
    assert ordered(3) == [2, 0, 1]
    assert ordered(5, pieces=2) == [2, 1, 4, 3, 0]
    assert ordered(8, batch=2, pieces=3) == [5, 0, 6, 7, 1, 4, 2, 3]
    assert sorted(ordered(100, batch=3, pieces=4)) == list(range(100))
    rows = ordered(4, by=0, batch=2, data=ints(3, 1, 2, 0))
    assert {frozenset(rows[:2]), frozenset(rows[2:])} == {frozenset({1, 3}), frozenset({0, 2})}
    assert ordered(0) == []
    with pytest.raises(EnforceNotMet, match="column 1 is none of the 1"):
        ordered(3, by=1)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"b:lengths": ints(2, 0, 2)}, "'b:lengths' asks for 4 of 3 entries"),
        ({"b:lengths": ints(2, 0)}, "the column 'id' has 3 entries, and one beside it 2"),
        ({"b:values:values": np.array([1, 2, 3, 4, 5])}, "asks for 4 entries, and its columns have 5"),
        ({"b:lengths": np.array([2, 0, 1])}, "'b:lengths' holds lengths, int32"),
        ({"b:lengths": ints(4, -1, 0)}, "asks for"),
        ({"id": np.array(1)}, "'id' is no tensor of at least one dimension"),
    ],
)
def test_inconsistent(workspace, change, message):
    check = operator("CheckDatasetConsistency", " ".join(FIELDS), "", fields=FIELDS)
    workspace.create_net(net("check", check))
    workspace.run_net("check")
    for name, column in change.items():
        workspace.feed(name, column)
    with pytest.raises(EnforceNotMet, match=message):
        workspace.run_net("check")


def test_what_is_no_cursor(run):
    with pytest.raises(EnforceNotMet, match="takes a TreeCursor but i0 is bytes"):
        run("ReadNextBatch", b"cursor", ints(1))
    with pytest.raises(EnforceNotMet, match="goes over 5 columns, and 1 are given"):
        run("ReadNextBatch", cursor()(), ints(1))

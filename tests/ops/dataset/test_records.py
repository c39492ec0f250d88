"""Packed rows, growing datasets, vectors of tensors."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.dataset.grow import Appender
from caffe2.ops.dataset.records import pack_records, unpack_records
from caffe2.ops.dataset.vector import TensorVector
from caffe2.ops.sync.atomic import Mutex
from caffe2.runtime.serialize import deserialize, serialize
from caffe2.runtime.values import to_value
from caffe2.runtime.workspace import Workspace
from tests.ops.dataset.test_read import FIELDS, columns, ints
from tests.runtime.nets import net, operator
from tests.sample import Sample, floats, samples


def packed(**args):
    return pack_records(*map(to_value, columns()), fields=tuple(FIELDS), **args)


def unpack(tensor, *prototypes, count=5):
    return unpack_records(tensor, *prototypes, fields=tuple(FIELDS), count=count)


@samples("PackRecords", "UnPackRecords", "Append", "AtomicAppend", "TrimDataset")
def _(rng):
    data, why = tuple(columns()), {"wire": "it appends at every run"}
    records = {"wire": "records are compared by identity", "alias": "there is one tensor within another"}
    yield Sample(
        "UnPackRecords",
        (b"",),
        {"fields": FIELDS},
        outputs=5,
        setup=lambda workspace: workspace.put("i0", packed()),
        except_={"inplace": "records are compared by identity"},
    )
    yield Sample("PackRecords", data, {"fields": FIELDS}, except_=records)
    yield Sample("TrimDataset", data, {"fields": FIELDS, "multiple_of": 2}, outputs=5)
    yield Sample("Append", (floats(rng, 2, 3), floats(rng, 1, 3)), except_=why)
    yield Sample("Append", (floats(rng, 0), floats(rng, 1, 3)), except_=why)
    yield Sample("AtomicAppend", (Mutex, floats(rng, 2), ints(), floats(rng, 1), ints(4)), outputs=2)


@samples("CreateTensorVector", "TensorVectorSize", "ConcatTensorVector", "CollectTensor")
def _(rng):
    def vector():
        return TensorVector(torch.ones(k, 2) for k in (1, 2))

    yield Sample("CreateTensorVector", ())
    yield Sample("TensorVectorSize", (vector,))
    yield Sample("ConcatTensorVector", (vector,))
    yield Sample("CollectTensor", (TensorVector, TensorVector, floats(rng, 1), ints(2)), {"num_to_collect": 3}, 2)


@pytest.mark.parametrize("single", [0, 1])
def test_pack_and_unpack(single):
    tensor = packed(pack_to_single_shared_ptr=bool(single))
    assert len(tensor) == (1 if single else 3)
    for got, want in zip(unpack(tensor), columns()):
        np.testing.assert_array_equal(got, want)


def test_records_are_an_ordinary_tensor():
    turned = packed()[::-1].copy()
    assert unpack(turned)[3].tolist() == [13, 10, 11, 12]
    some = unpack(packed()[:0], *map(to_value, columns()))
    assert [tuple(column.shape) for column in some] == [(0,)] * 5 and some[3].dtype is torch.int64


def test_unpack_refuses():
    with pytest.raises(EnforceNotMet, match="without a row and without prototypes"):
        unpack(packed()[:0])
    with pytest.raises(EnforceNotMet, match="5 columns for 5 fields and 4 outputs"):
        unpack(packed(), count=4)
    with pytest.raises(EnforceNotMet, match="what PackRecords packed"):
        unpack(to_value(ints(1)))
    with pytest.raises(EnforceNotMet, match="'id' is torch.int32"):
        unpack(packed(), torch.zeros(1), *map(to_value, columns()[1:]))


def test_appending_costs_no_copy_of_all():
    append, held = Appender(), to_value(np.zeros((1, 2)))
    rooms = set()
    for k in range(200):
        held = append(held, to_value(np.full((1, 2), k)).double())
        rooms.add(held.untyped_storage().data_ptr())
    assert held.shape == (201, 2) and held[-1].tolist() == [199, 199] and held[1].tolist() == [0, 0]
    assert len(rooms) < 25


def test_append_leaves_what_others_hold(run):
    append, first = Appender(), to_value(np.zeros(2))
    second = append(first, to_value(np.ones(1)))
    third = append(second, to_value(np.full(1, 2.0)))
    other = append(second, to_value(np.full(1, 3.0)))  # second is not the last any more
    assert third.tolist() == [0, 0, 1, 2] and other.tolist() == [0, 0, 1, 3]
    with pytest.raises(EnforceNotMet, match="cannot be appended"):
        run("Append", np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(EnforceNotMet, match="cannot be appended"):
        run("Append", np.zeros(2), ints(2))


def test_appends_of_several_threads_are_all_there():
    workspace = Workspace()
    workspace.put("mutex", Mutex())
    workspace.feed("all", np.zeros(0))
    for k in range(4):
        workspace.feed(f"x{k}", np.full(1, k, dtype=np.float64))
        workspace.create_net(net(f"n{k}", operator("AtomicAppend", f"mutex all x{k}", "all")))
    threads = [threading.Thread(target=workspace.run_net, args=(f"n{k}", 50)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.bincount(workspace.fetch("all").astype(int)).tolist() == [50] * 4


def test_trim(run):
    trimmed = run("TrimDataset", *columns(), fields=FIELDS, multiple_of=2, outputs=5)
    assert [len(column) for column in trimmed] == [2, 2, 2, 3, 2]
    with pytest.raises(EnforceNotMet, match="multiple_of is 0"):
        run("TrimDataset", *columns(), fields=FIELDS, multiple_of=0, outputs=5)


def test_collect_and_join():
    workspace = Workspace()
    for name in "ab":
        workspace.run_operator_once(operator("CreateTensorVector", "", f"v{name}"))
    for k in range(40):
        workspace.feed("a", np.array([[k, k]]))
        workspace.feed("b", np.array([k]))
        if not k:
            workspace.create_net(net("collect", operator("CollectTensor", "va vb a b", "va vb", num_to_collect=5)))
        workspace.run_net("collect")
    for name in "ab":
        workspace.run_operator_once(operator("ConcatTensorVector", f"v{name}", name))
        workspace.run_operator_once(operator("TensorVectorSize", f"v{name}", "size"))
    assert workspace.fetch("size") == 5 and workspace.fetch("size").dtype == np.int32
    assert workspace.fetch("a")[:, 0].tolist() == workspace.fetch("b").tolist()
    assert len(set(workspace.fetch("b").tolist())) == 5


def test_vectors_refuse(run):
    with pytest.raises(EnforceNotMet, match="is empty"):
        run("ConcatTensorVector", TensorVector())
    with pytest.raises(EnforceNotMet, match="not alike"):
        run("ConcatTensorVector", TensorVector([to_value(np.zeros((1, 2))), to_value(np.zeros((1, 3)))]))
    with pytest.raises(EnforceNotMet, match="num_to_collect is -1"):
        run("CollectTensor", TensorVector(), ints(1), outputs=1)


def test_packed_rows_are_stored_with_their_content():
    rows = packed()
    again = deserialize(serialize(rows, "rows"))
    assert again.shape == rows.shape
    for mine, theirs in zip(again, rows):
        for a, b in zip(mine.columns, theirs.columns):
            assert np.array_equal(np.asarray(a), np.asarray(b))

"""Records of tensors read from databases."""

from __future__ import annotations

import tempfile
import threading

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime import db
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.errors import MessageError
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator
from tests.sample import Sample, samples


@samples("TensorProtosDBInput")
def _(rng):
    folder = tempfile.TemporaryDirectory()

    def reader():
        put_records(f"{folder.name}/db")
        return DBReader("minidb", f"{folder.name}/db")

    yield Sample("TensorProtosDBInput", (reader,), {"batch_size": 2, "no_prefetch": 1}, outputs=3)
    yield Sample("TensorProtosDBInput", (reader,), {}, outputs=3)


def record(k):
    protos = caffe2_pb2.TensorProtos()
    protos.protos.add(dims=[2], data_type=1, float_data=[k, k + 0.5])
    protos.protos.add(dims=[], data_type=2, int32_data=[k])
    protos.protos.add(dims=[1], data_type=4, string_data=[b"row%d" % k])
    return protos.SerializeToString()


def put_records(path):
    database = db.open_db("minidb", path, db.Mode.new)
    transaction = database.new_transaction()
    for k in range(5):
        transaction.put(b"%d" % k, record(k))
    transaction.put(b"bad", b"\xff\xff")
    transaction.commit()


@pytest.fixture
def workspace(tmp_path):
    put_records(str(tmp_path / "db"))
    made = Workspace()
    made.run_operator_once(operator("CreateDB", "", "reader", db=str(tmp_path / "db"), db_type="minidb"))
    return made


@pytest.mark.parametrize("ahead", [0, 1])
def test_batches(workspace, ahead):
    read = operator("TensorProtosDBInput", "reader", "a b c", batch_size=2, no_prefetch=1 - ahead)
    workspace.create_net(net("read", read))
    for first in (0, 2):
        workspace.run_net("read")
        assert workspace.fetch("a").tolist() == [[first, first + 0.5], [first + 1, first + 1.5]]
        assert workspace.fetch("b").tolist() == [first, first + 1]
        assert workspace.fetch("c").tolist() == [[b"row%d" % first], [b"row%d" % (first + 1)]]
    with pytest.raises(MessageError, match="b'bad' is no serialized TensorProtos"):
        workspace.run_net("read")


def test_one_record(workspace):
    workspace.run_operator_once(operator("TensorProtosDBInput", "reader", "a b c"))
    assert workspace.fetch("b").shape == () and workspace.fetch("c").tolist() == [b"row0"]
    with pytest.raises(EnforceNotMet, match="has 3 tensors for 2 outputs"):
        workspace.run_operator_once(operator("TensorProtosDBInput", "reader", "a b"))


def test_what_was_read_ahead_is_read_when_the_net_goes(workspace):
    read = net("read", operator("TensorProtosDBInput", "reader", "a b c", batch_size=1))
    workspace.run_net_once(read)
    workspace.run_net_once(read)
    assert workspace.fetch("b").tolist() == [2]
    assert not [t for t in threading.enumerate() if t.name == "ahead"]


def test_no_reader(workspace):
    workspace.feed("reader", np.zeros(1, dtype=np.float32))
    with pytest.raises(EnforceNotMet, match="takes a DBReader but reader is float32"):
        workspace.run_operator_once(operator("TensorProtosDBInput", "reader", "a"))

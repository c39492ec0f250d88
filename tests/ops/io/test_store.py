"""Stores that processes share."""

from __future__ import annotations

import tempfile
import threading

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.io import store
from caffe2.ops.io.store import FileStore, StoreTimeout
from caffe2.runtime.serialize import serialize
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples

FOLDER = tempfile.TemporaryDirectory()


def full():
    made = FileStore(FOLDER.name)
    made.set("o0", serialize(b"text", "o0"))
    return made


@samples("FileStoreHandlerCreate", "StoreSet", "StoreGet", "StoreAdd", "StoreWait")
def _(rng):
    varies = {"wire": "it counts on at every run"}
    yield Sample("FileStoreHandlerCreate", (), {"path": FOLDER.name, "prefix": "p"})
    yield Sample("StoreSet", (full, floats(rng, 2)), {"blob_name": "x"})
    yield Sample("StoreGet", (full,), {})
    yield Sample("StoreAdd", (full,), {"blob_name": "count", "add_value": 2}, except_=varies)
    yield Sample("StoreWait", (full,), {"blob_name": ["o0"]})
    yield Sample("StoreWait", (full, np.array([b"o0"], dtype=object)), {})


@pytest.fixture
def workspace(tmp_path):
    made = Workspace()
    made.run_operator_once(operator("FileStoreHandlerCreate", "", "store", path=str(tmp_path)))
    made.feed("x", np.array([1.0, 2.0]))
    return made


def test_set_and_get(workspace):
    workspace.run_operator_once(operator("StoreSet", "store x"))
    workspace.run_operator_once(operator("StoreSet", "store x", blob_name="other/name"))
    workspace.run_operator_once(operator("StoreGet", "store", "y", blob_name="x"))
    workspace.run_operator_once(operator("StoreGet", "store", "other/name"))
    assert workspace.fetch("y").tolist() == workspace.fetch("other/name").tolist() == [1, 2]


def test_names_are_waited_for(workspace):
    timer = threading.Timer(0.05, workspace.run_operator_once, [operator("StoreSet", "store x")])
    timer.start()
    workspace.run_operator_once(operator("StoreWait", "store", blob_name=["x"]))
    timer.join()


def test_time_is_up(workspace, monkeypatch):
    monkeypatch.setattr(FileStore.get, "__defaults__", (0.05,))
    with pytest.raises(StoreTimeout, match="waited 0.05 s in a store for y"):
        workspace.run_operator_once(operator("StoreGet", "store", "y"))


def test_many_add_at_once(tmp_path):
    stores = [FileStore(str(tmp_path)) for _ in range(4)]
    threads = [threading.Thread(target=lambda s=s: [s.add("n", 1) for _ in range(5)]) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].add("n", 0) == 20


def test_prefixes_keep_names_apart(tmp_path):
    one, other = FileStore(str(tmp_path), "a"), FileStore(str(tmp_path), "b")
    one.set("x", b"1")
    assert one.check(["x"]) and not other.check(["x"])


def test_refusals(run, tmp_path):
    with pytest.raises(EnforceNotMet, match="path, the folder"):
        run("FileStoreHandlerCreate")
    with pytest.raises(EnforceNotMet, match="No such file"):
        run("FileStoreHandlerCreate", path=str(tmp_path / "none"))
    with pytest.raises(EnforceNotMet, match="one of them is too much"):
        run("StoreWait", full(), np.array([b"o0"], dtype=object), blob_name=["o0"])
    assert store.PATIENCE == 30

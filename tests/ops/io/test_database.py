"""Blobs saved to databases and loaded from them."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.io.database import save
from caffe2.runtime import db
from caffe2.runtime.errors import MessageError, MissingBlob
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples

FOLDER = tempfile.TemporaryDirectory()
WRITTEN = {"db": f"{FOLDER.name}/written", "db_type": "minidb", "absolute_path": 1}


@samples("Save")
def _(rng):
    yield [floats(rng, 2, 3), np.array([b"a"], dtype=object)], WRITTEN | {"chunk_size": 4}


@samples("Checkpoint", "Snapshot")
def _(rng):
    yield [np.array([4], dtype=np.int64), floats(rng, 2)], WRITTEN | {"db": f"{FOLDER.name}/at_%d", "every": 2}


@samples("Load", "CreateDB", "DBExists")
def _(rng):
    path = f"{FOLDER.name}/read"
    save("minidb", path, {"o0": torch.ones(2), "o1": b"text"})
    args = {"db_type": "minidb", "absolute_path": 1}
    yield Sample("Load", (), args | {"db": path}, outputs=2)
    yield Sample("Load", (), args | {"dbs": [path], "load_all": 1}, outputs=0)
    yield Sample("CreateDB", (), args | {"db": path})
    yield Sample("DBExists", (), args | {"db_name": path})
    yield Sample("DBExists", (), args | {"db_name": path + "not"})


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(root=str(tmp_path))
    made.feed("x", np.arange(6, dtype=np.float32).reshape(2, 3))
    made.feed("i", np.array([3], dtype=np.int64))
    made.feed("s", np.array([b"a", b"bc"], dtype=object))
    made.feed("t", b"text")
    return made


def run(workspace, *args, **kwargs):
    workspace.run_operator_once(operator(*args, **kwargs))


def test_save_and_load(workspace, tmp_path):
    run(workspace, "Save", "x i s t", db="db", db_type="minidb", chunk_size=4)
    fresh = Workspace(root=str(tmp_path))
    run(fresh, "Load", "", "s x t i", db="db", db_type="minidb")
    assert fresh.names() == ["i", "s", "t", "x"]
    for name in fresh:
        np.testing.assert_array_equal(fresh.fetch(name), workspace.fetch(name))
    everything = Workspace()
    run(everything, "Load", "", "", db=str(tmp_path / "db"), db_type="minidb", absolute_path=1, load_all=1)
    assert everything.names() == fresh.names()


def test_names(workspace, tmp_path):
    workspace.feed("gpu_0/w", np.ones(1, dtype=np.float32))
    run(workspace, "Save", "gpu_0/w x", db="db", db_type="minidb", strip_prefix="gpu_0/")
    run(workspace, "Save", "x i", db="other", db_type="minidb", blob_name_overrides=["a", "b"])
    fresh = Workspace(root=str(tmp_path))
    run(fresh, "Load", "", "new/w", db="db", db_type="minidb", add_prefix="new/")
    run(fresh, "Load", "", "y", db="db", db_type="minidb", source_blob_names=["x"])
    run(fresh, "Load", "", "", dbs=["other"], db_type="minidb", load_all=1, add_prefix="o_")
    assert fresh.names() == ["new/w", "o_a", "o_b", "y"]


def test_readers_and_several_databases(workspace):
    run(workspace, "Save", "x", db="1", db_type="minidb")
    run(workspace, "Save", "i", db="2", db_type="minidb")
    run(workspace, "CreateDB", "", "reader", db=f"{workspace.root}/1", db_type="minidb")
    for name in "xi":
        workspace.remove(name)
    run(workspace, "Load", "", "i x", dbs=["1", "2"], db_type="minidb")
    assert workspace.fetch("i") == 3
    workspace.remove("x")
    run(workspace, "Load", "reader", "x")
    assert workspace.fetch("x").shape == (2, 3)


def test_incomplete(workspace):
    run(workspace, "Save", "x", db="db", db_type="minidb")
    with pytest.raises(EnforceNotMet, match="not in the databases: y; there are x"):
        run(workspace, "Load", "", "x y", db="db", db_type="minidb")
    run(workspace, "Load", "", "x y", db="db", db_type="minidb", allow_incomplete=1)
    with pytest.raises(EnforceNotMet, match="not in the databases: y"):
        run(workspace, "Load", "", "y", db="db", db_type="minidb", load_all=1)


def test_a_failed_load_changes_nothing(workspace):
    run(workspace, "Save", "x i", db="db", db_type="minidb", chunk_size=4)
    with open(f"{workspace.root}/db", "rb") as file:
        content = file.read()
    database = db.open_db("minidb", f"{workspace.root}/cut", db.Mode.new)
    cursor = db.open_db("minidb", f"{workspace.root}/db", db.Mode.read).new_cursor()
    transaction = database.new_transaction()
    transaction.put(cursor.key(), cursor.value())
    transaction.commit()
    workspace.feed("x", np.zeros(1, dtype=np.float32))
    with pytest.raises(MessageError, match="'x' without 2 of its elements"):
        run(workspace, "Load", "", "x", db="cut", db_type="minidb")
    with open(f"{workspace.root}/truncated", "wb") as file:
        file.write(content[:-3])
    with pytest.raises(db.DatabaseError, match="damaged"):
        run(workspace, "Load", "", "", db="truncated", db_type="minidb", load_all=1)
    assert workspace.fetch("x").tolist() == [0]


def test_duplicates(workspace):
    run(workspace, "Save", "x", db="1", db_type="minidb")
    run(workspace, "Save", "x", db="2", db_type="minidb")
    with pytest.raises(MessageError, match="'x' is in two of the databases"):
        run(workspace, "Load", "", "", dbs=["1", "2"], db_type="minidb", load_all=1)
    with pytest.raises(EnforceNotMet, match="the name 'x' occurs twice"):
        run(workspace, "Save", "x x", db="3", db_type="minidb")
    with pytest.raises(EnforceNotMet, match="the blob 'x' occurs twice"):
        run(workspace, "Load", "", "x x", db="1", db_type="minidb")


@pytest.mark.parametrize(
    "name, args, message",
    [
        ("Save", {}, "the name of a database is missing"),
        ("Save", {"db": "a", "db_type": "minidbb"}, "did you mean minidb"),
        ("Save", {"db": "no/folder/a", "db_type": "minidb"}, "No such file or directory"),
        ("Save", {"db": "a", "blob_name_overrides": ["p"], "strip_prefix": "q"}, "exclude each other"),
        ("Save", {"db": "a", "blob_name_overrides": ["p", "q"]}, "2 blob_name_overrides for 1 blobs"),
        ("Checkpoint", {"db": "a"}, "must be a format"),
        ("Checkpoint", {"db": "a%d", "every": 0}, "every must be positive"),
    ],
)
def test_refusals(workspace, name, args, message):
    with pytest.raises(EnforceNotMet, match=message):
        run(workspace, name, "x", **args)


def test_what_cannot_be_stored_leaves_the_file(workspace):
    run(workspace, "Save", "x", db="db", db_type="minidb")
    workspace.cell("none")
    with pytest.raises(MissingBlob):
        run(workspace, "Save", "x none", db="db", db_type="minidb")
    workspace.put("odd", object())
    with pytest.raises(EnforceNotMet, match="'odd' holds a object"):
        run(workspace, "Save", "x odd", db="db", db_type="minidb")
    run(workspace, "Load", "", "x", db="db", db_type="minidb")


def test_checkpoints(workspace, tmp_path):
    for iteration in range(5):
        workspace.feed("i", np.array([iteration], dtype=np.int64))
        run(workspace, "Checkpoint", "i x", db="at_%03d", db_type="minidb", every=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["at_000", "at_002", "at_004"]
    run(workspace, "Load", "", "i", db="at_002", db_type="minidb")
    assert workspace.fetch("i") == 2


def test_db_exists(workspace):
    run(workspace, "Save", "x", db="db", db_type="minidb")
    for name, there in (("db", True), ("dc", False)):
        run(workspace, "DBExists", "", "exists", db_name=name, db_type="minidb")
        assert workspace.fetch("exists") == there and workspace.fetch("exists").shape == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_devices(tmp_path):
    path = str(tmp_path / "db")
    save("minidb", path, {"x": torch.ones(2, device="cuda:0")})
    workspace = Workspace()
    run(workspace, "Load", "", "x", db=path, db_type="minidb", absolute_path=1, keep_device=1)
    assert workspace.find("x").value.device.type == "cuda"
    run(workspace, "Load", "", "x", db=path, db_type="minidb", absolute_path=1)
    assert workspace.find("x").value.device.type == "cpu"

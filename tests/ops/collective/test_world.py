"""Collectives of one process and of two, on one host."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, OperatorFailed
from caffe2.ops.collective.world import CommonWorld, IoError
from caffe2.ops.io.store import StoreTimeout
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples


def alone():
    return CommonWorld(0, 1)


@samples(
    "CreateCommonWorld",
    "CloneCommonWorld",
    "DestroyCommonWorld",
    "Allreduce",
    "Broadcast",
    "Reduce",
    "Allgather",
    "ReduceScatter",
    "Barrier",
)
def _(rng):
    x = floats(rng, 2, 3)
    yield Sample("CreateCommonWorld", (), {"size": 1, "rank": 0})
    yield Sample("CloneCommonWorld", (alone,))
    yield Sample("DestroyCommonWorld", (alone,))
    yield Sample("Barrier", (alone,))
    for name in ("Allreduce", "Broadcast", "Reduce", "Allgather"):
        yield Sample(name, (alone, x))
        yield Sample(name, (alone, floats(rng, 0)))
    for name in ("Allreduce", "Broadcast"):
        yield Sample(name, (alone, x, floats(rng, 2, 3)), outputs=2)
    yield Sample("Allgather", (alone, x, floats(rng, 6)))
    yield Sample("ReduceScatter", (alone, x, floats(rng, 2, 3), np.array([6], np.int32)), outputs=3)


PROGRAM = """
import json, sys
import numpy as np
from caffe2.python import core, workspace

rank, folder = int(sys.argv[1]), sys.argv[2]

def run(kind, inputs, outputs, **args):
    workspace.RunOperatorOnce(core.CreateOperator(kind, inputs, outputs, engine="GLOO", **args))

def fresh(dtype=np.float32):
    for k in range(2):
        workspace.FeedBlob(f"x{k}", np.arange(3).astype(dtype) + 10 * k + 100 * rank)
    return ["x0", "x1"]

def told(*names):
    return [workspace.FetchBlob(name).tolist() for name in names]

run("FileStoreHandlerCreate", [], ["store"], path=folder)
run("CreateCommonWorld", ["store"], ["first"], size=2, rank=rank)
run("CloneCommonWorld", ["first"], ["world"])
found = {}
run("Allreduce", ["world"] + fresh(), ["x0", "x1"]); found["Allreduce"] = told("x0", "x1")
run("Allreduce", ["first"] + fresh(np.float16), ["x0", "x1"]); found["half"] = told("x0", "x1")
run("Broadcast", ["world"] + fresh(np.int64), ["x0", "x1"], root=1); found["Broadcast"] = told("x0", "x1")
run("Allgather", ["world"] + fresh(), ["y"]); found["Allgather"] = told("y")
run("Reduce", ["world", fresh()[0]], ["y"], root=1); found["Reduce"] = told("y")
workspace.FeedBlob("counts", np.array([1, 2], np.int32))
run("ReduceScatter", ["world", *fresh(), "counts"], ["x0", "x1", "counts"]); found["ReduceScatter"] = told("x0", "x1")
if rank == 0:
    run("SendTensor", ["world", fresh()[0]], [], dst=1, tag=3)
    run("SendTensor", ["world", "x1"], [], dst=1, tag=4)
    run("SendTensor", ["world", "x0"], [], dst=1, tag=5, raw_buffer=1)
else:
    workspace.FeedBlob("y", np.zeros(3, np.float32))
    run("ReceiveTensor", ["world", "y"], ["y", "src", "tag"], src=0, tag=3); found["Receive"] = told("y", "src", "tag")
    run("ReceiveTensor", ["world", "y"], ["y", "src", "tag"], tag=4); found["any"] = told("y", "src", "tag")
    run("ReceiveTensor", ["world", "y"], ["y", "src", "tag"], src=0, tag=5, raw_buffer=1); found["raw"] = told("y")
run("Barrier", ["world"], [])
if rank == 0:
    run("DestroyCommonWorld", ["world"], ["world"])
else:
    try:
        run("Barrier", ["world"], [], status_blob="status")
    except RuntimeError as error:
        found["closed"] = type(error).__name__
    found["status"] = told("status")
print(json.dumps(found))
"""


def test_two_processes(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    both = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], stdout=subprocess.PIPE, text=True) for rank in range(2)
    ]
    try:
        zero, one = (json.loads(p.communicate(timeout=100)[0].splitlines()[-1]) for p in both)
    finally:
        for process in both:
            process.kill()
    x = np.arange(3.0)
    for found in (zero, one):
        assert found["Allreduce"] == found["half"] == [(4 * x + 220).tolist()] * 2
        assert found["Broadcast"] == [(x + 100).tolist()] * 2
        assert found["Allgather"] == [[*x, *(x + 10), *(x + 100), *(x + 110)]]
    assert zero["Reduce"] == [x.tolist()] and one["Reduce"] == [(2 * x + 100).tolist()]
    assert [y[:1] for y in zero["ReduceScatter"]] == [[220]] * 2
    assert [y[:2] for y in one["ReduceScatter"]] == [[224, 228]] * 2
    assert one["Receive"] == [x.tolist(), [0], [3]] and one["any"] == [(x + 10).tolist(), [0], [4]]
    assert one["raw"] == [x.tolist()]
    assert one["closed"] == "OperatorFailed" and one["status"] == [[1]]


@pytest.fixture
def workspace(tmp_path):
    made = Workspace()
    made.run_operator_once(operator("FileStoreHandlerCreate", "", "store", path=str(tmp_path)))
    made.feed("x", np.ones(3, np.float32))
    return made


def test_nobody_else_comes(workspace):
    with pytest.raises((IoError, StoreTimeout), match="waited 0.05 s"):
        workspace.run_operator_once(operator("CreateCommonWorld", "store", "w", size=2, rank=0, timeout_ms=50))
    with pytest.raises(OperatorFailed, match="waited 0.05 s"):
        workspace.run_operator_once(
            operator("CreateCommonWorld", "store", "w", size=2, rank=0, timeout_ms=50, status_blob="status")
        )
    assert workspace.fetch("status").tolist() == [1]


def test_refusals(workspace, run):
    for args, said in (
        ({"size": 2, "rank": 2}, "rank 2 is not one"),
        ({"size": 2}, "needs a kv_handler"),
        ({"size": 1, "transport": "ibverbs"}, "ibverbs"),
        ({"size": 1, "mpi_rendezvous": 1}, "MPI"),
    ):
        with pytest.raises(EnforceNotMet, match=said):
            run("CreateCommonWorld", **args)
    with pytest.raises(EnforceNotMet, match="takes a CommonWorld but x is float32"):
        workspace.run_operator_once(operator("Barrier", "x"))
    with pytest.raises(EnforceNotMet, match="root is 1"):
        run("Broadcast", alone, floats(np.random.default_rng(0), 2), root=1)
    with pytest.raises(EnforceNotMet, match="one size"):
        run("Allreduce", alone, np.ones(2, np.float32), np.ones(3, np.float32), outputs=2)
    with pytest.raises(EnforceNotMet, match="counts are"):
        run("ReduceScatter", alone, np.ones(2, np.float32), np.array([1], np.int32), outputs=2)


def test_a_destroyed_world_serves_nobody(workspace):
    workspace.run_operator_once(operator("CreateCommonWorld", "store", "w", size=1, rank=0))
    workspace.run_operator_once(operator("DestroyCommonWorld", "w", "w"))
    with pytest.raises(IoError, match="was destroyed"):
        workspace.run_operator_once(operator("Barrier", "w"))

"""Workspaces: cells by name, and the nets that hold them."""

import threading
import time

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, OperatorFailed
from caffe2.runtime.errors import MissingBlob, NetError
from caffe2.runtime.functions import functions
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator


@pytest.fixture
def workspace():
    made = Workspace()
    made.feed("x", np.array([-1.0, 2.0], dtype=np.float32))
    made.create_net(net("n", operator("Relu", "x", "y")))
    made.run_net("n")
    return made


def test_nets_follow_a_blob_that_is_removed_and_made_again(workspace):
    assert workspace.remove("x") and not workspace.remove("x") and "x" not in workspace
    with pytest.raises(MissingBlob, match="'x' holds nothing"):
        workspace.run_net("n")
    workspace.feed("x", np.array([3.0], dtype=np.float32))
    workspace.run_net("n")
    assert workspace.fetch("y") == 3


def test_a_child_does_not_empty_what_it_sees(workspace):
    child = Workspace(workspace, {"mine": "x"})
    assert child.remove("mine") and not child.names()
    assert workspace.fetch("x").tolist() == [-1, 2]
    grown = Workspace(workspace)
    assert grown.names() == ["x", "y"] and grown.local_names() == [] and not grown.remove("x")
    grown.local("x").value = 5
    assert grown.fetch("x") == 5 and workspace.fetch("x").tolist() == [-1, 2]


def test_every_feed_of_another_kind_is_looked_at(workspace):
    workspace.feed("x", np.array([b"text"], dtype=object))
    with pytest.raises(EnforceNotMet, match="but x is string"):
        workspace.run_net("n")
    workspace.feed("x", np.ones((2, 2), dtype=np.float16))
    workspace.run_net("n", 2)
    assert workspace.fetch("y").dtype == np.float16


def test_what_cannot_be_bound_leaves_no_trace(workspace):
    before = workspace.names(), workspace.net_names()
    bad = net("bad", operator("Relu", "x", "new"), operator("Relu", "absent", "other"))
    for attempt in (workspace.create_net, workspace.run_net_once, workspace.bind_net):
        with pytest.raises(MissingBlob, match="operator 1 of net 'bad'"):
            attempt(bad)
    with pytest.raises(MissingBlob):
        workspace.run_operator_once(bad.op[1])
    with pytest.raises(NetError):
        workspace.create_net(net("n", operator("Relu", "x", "y")))
    assert (workspace.names(), workspace.net_names()) == before
    workspace.run_net("n")


def test_whoever_waits_is_woken_when_a_workspace_is_emptied(workspace):
    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue"))
    workspace.create_net(net("wait", operator("DequeueBlobs", "queue", "z")))
    errors = []

    def wait():
        try:
            workspace.run_net("wait")
        except OperatorFailed as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    workspace.reset()
    thread.join(20)
    assert len(errors) == 1 and workspace.names() == [] and workspace.net_names() == []


def test_a_foreign_error_keeps_its_class_beside_ours(workspace):
    def fail(inputs, outputs):
        raise LookupError("mine")

    workspace.create_net(net("f", operator("Relu", "x", "y"), operator("Python", token=functions.register(fail))))
    for _ in range(2):
        with pytest.raises(LookupError, match="mine"):
            workspace.run_net("f")
    assert workspace.failed_position == 1

"""Executors that run operators concurrently."""

import threading
import time

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.runtime.dag import DagNet, chains, dependencies
from caffe2.runtime.functions import functions
from caffe2.runtime.net import NET_TYPES, make_net
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator


def python(function, inputs="", outputs=""):
    return operator("Python", inputs, outputs, token=functions.register(function))


def diamond(kind, workers=4):
    branches = [operator("Relu", "x", f"a{k}") for k in range(3)] + [
        operator("Exp", f"a{k}", f"b{k}") for k in range(3)
    ]
    return net("diamond", *branches, operator("Sum", "b0 b1 b2", "y"), kind=kind, workers=workers)


def test_dependencies():
    ops = [
        operator("Relu", "x", "a"),
        operator("Relu", "a", "b"),  # reads what 0 wrote
        operator("Relu", "x", "a"),  # overwrites what 0 wrote and 1 read
        operator("Relu", "x", "c"),  # depends on nothing
        operator("Relu", "a", "a"),
    ]
    ops[3].control_input.append("b")
    assert dependencies(ops) == [set(), {0}, {0, 1}, {1}, {2}]


def test_nets_within_operators_count():
    inner = net("inner", operator("Relu", "a", "b"))
    ops = [operator("Relu", "x", "a"), operator("If", "c", "", then_net=inner), operator("Relu", "b", "d")]
    assert dependencies(ops) == [set(), {0}, {1}]


def test_chains():
    assert chains([set(), {0}, {1}]) == [[0, 1, 2]]
    assert chains([set(), {0}, {0}, {1, 2}]) == [[0], [1], [2], [3]]
    assert chains([set(), {0}, set(), {1, 2}, {3}]) == [[0, 1], [2], [3, 4]]


@pytest.mark.parametrize("kind", sorted(set(NET_TYPES) - {"compiled"}))
def test_every_executor_computes_the_same(kind):
    workspace = Workspace()
    workspace.feed("x", np.array([-1.0, 2.0], dtype=np.float32))
    workspace.create_net(diamond(kind))
    for scale in (1, 3):
        workspace.feed("x", np.array([-1.0, 2.0 * scale], dtype=np.float32))
        workspace.run_net("diamond", 3)
        np.testing.assert_allclose(workspace.fetch("y"), [3, 3 * np.exp(2.0 * scale)], rtol=1e-5)


def test_independent_operators_run_at_the_same_time():
    both = threading.Barrier(2, timeout=20)
    workspace = Workspace()
    meet = [python(lambda i, o: both.wait()) for _ in range(2)]
    workspace.run_net_once(net("meeting", *meet, kind="dag", workers=2))


def test_an_operator_that_waits_takes_no_ones_turn():
    workspace = Workspace()
    workspace.feed("x", np.ones(2, dtype=np.float32))
    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue", num_blobs=1))
    ops = [operator("DequeueBlobs", "queue", "y"), operator("EnqueueBlobs", "queue x", "x")]
    workspace.run_net_once(net("waiting", *ops, kind="dag", workers=1))
    assert workspace.fetch("y").tolist() == [1, 1]


def test_the_first_error_ends_the_others():
    workspace = Workspace()
    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue", num_blobs=1))

    def fail(inputs, outputs):
        time.sleep(0.05)
        raise KeyError("mine")

    ops = [operator("DequeueBlobs", "queue", "y"), python(fail), operator("Relu", "y", "z")]
    with pytest.raises(KeyError, match="mine"):
        workspace.run_net_once(net("failing", *ops, kind="dag", workers=2))
    with pytest.raises(EnforceNotMet, match="operator 1 of net 'failing'"):
        workspace.feed("x", np.ones((2, 2), dtype=np.float32))
        bad = operator("Sum", "x w", "v")
        workspace.feed("w", np.ones((3, 5), dtype=np.float32))
        workspace.run_net_once(net("failing", operator("Relu", "x", "u"), bad, kind="dag", workers=2))
    assert workspace.failed_position == 1


def test_a_line_of_operators_needs_no_threads():
    workspace = Workspace()
    workspace.feed("x", np.ones(2, dtype=np.float32))
    before = threading.active_count()
    made = make_net(net("line", operator("Relu", "x", "a"), operator("Relu", "a", "b"), kind="dag"), workspace)
    assert isinstance(made, DagNet)
    made.run()
    made.run()
    assert threading.active_count() <= before
    assert made.quick.__func__ is DagNet.quick


def test_many_runs_of_many_branches():
    workspace = Workspace()
    workspace.feed("x", np.zeros(1, dtype=np.float32))
    workspace.create_net(diamond("async_scheduling", workers=3))
    workspace.run_net("diamond", 300)
    assert workspace.fetch("y") == 3


def test_threads_end_with_their_net():
    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "net ending"]

    workspace = Workspace()
    workspace.feed("x", np.zeros(1, dtype=np.float32))
    ending = diamond("dag", workers=3)
    ending.name = "ending"
    for _ in range(5):
        workspace.run_net_once(ending)
    workspace.create_net(ending)
    workspace.run_net("ending")
    assert threads()
    workspace.delete_net("ending")
    deadline = time.monotonic() + 20
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()

"""Plans: steps in order, repeated, stopped, side by side."""

import threading
import time

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, OperatorFailed
from caffe2.runtime.errors import MissingBlob, PlanError
from caffe2.runtime.functions import functions
from caffe2.runtime.plan import BackgroundPlan, run_plan
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator, plan, step


@pytest.fixture
def workspace():
    made = Workspace()
    made.feed("stop", np.array(False))
    return made


@pytest.fixture
def trace():
    return []


@pytest.fixture
def note(trace):
    """note("n"): a net of that name that appends it to the trace; note("n", then) also calls `then`."""

    def make(name, then=lambda: None, takes_workspace=False):
        def call(inputs, outputs, *workspace):
            trace.append(name)
            then(*workspace)

        return net(name, operator("Python", token=functions.register(call, takes_workspace)))

    return make


def test_order_and_iterations(workspace, note, trace):
    steps = [
        step("outer", step("in", nets="a b", num_iter=2), step("in2", nets="c"), num_iter=2),
        step("last", nets="a"),
    ]
    run_plan(plan([note("a"), note("b"), note("c")], *steps), workspace)
    assert "".join(trace) == "ababc" * 2 + "a"
    assert workspace.net_names() == ["a", "b", "c"]


def test_nothing_to_run(workspace, note, trace):
    run_plan(plan([]), workspace)
    run_plan(plan([note("a")], step(nets="a", num_iter=0)), workspace)
    assert trace == []


def test_stop_blob(workspace, note, trace):
    def stop_after(count):
        return lambda: len(trace) >= count and workspace.feed("stop", np.array(True))

    nets = [note("a", stop_after(3)), note("b")]
    run_plan(plan(nets, step(nets="a b", should_stop_blob="stop")), workspace)
    assert "".join(trace) == "aba"
    workspace.feed("stop", np.array(False))
    run_plan(plan(nets, step(nets="b a", should_stop_blob="stop", only_once=True)), workspace)
    assert "".join(trace) == "aba" + "ba"
    workspace.feed("stop", np.array([1.0]))
    with pytest.raises(EnforceNotMet, match=r"'stop' that stops a step holds one boolean, not float64\[1\]"):
        run_plan(plan(nets, step(nets="b", should_stop_blob="stop")), workspace)


def test_concurrent_substeps_meet(workspace, note, trace):
    both = threading.Barrier(2, timeout=20)
    nets = [note("a", both.wait), note("b", both.wait)]
    run_plan(plan(nets, step("s", step("1", nets="a"), step("2", nets="b"), concurrent_substeps=True)), workspace)
    assert sorted(trace) == ["a", "b"]


def test_concurrent_instances(workspace, note, trace):
    three = threading.Barrier(3, timeout=20)
    inner = step("in", nets="a", create_workspace=True)
    run_plan(plan([note("a", three.wait)], step("s", inner, num_concurrent_instances=3)), workspace)
    assert trace == ["a"] * 3


def test_a_workspace_of_its_own(workspace):
    fill = net("fill", operator("ConstantFill", "", "mine", shape=[2]), operator("Copy", "mine", "shared"))
    workspace.feed("shared", np.zeros(1, dtype=np.float32))
    run_plan(plan([fill], step(nets="fill", create_workspace=True)), workspace)
    assert workspace.names() == ["shared", "stop"]
    assert workspace.fetch("shared").shape == (2,)
    assert workspace.net_names() == []


def test_workspaces_are_numbered_beside_a_node_id(workspace, note, monkeypatch):
    seen = []
    monkeypatch.setattr(functions, "show_workspace", lambda shown: shown)
    workspace.feed("NODE_ID", np.array(3, dtype=np.int32))
    look = note("look", lambda ws: seen.append(int(ws.fetch("GLOBAL_WORKSPACE_ID"))), takes_workspace=True)
    inner = step("in", nets="look", create_workspace=True)
    run_plan(plan([look], step("s", inner, num_iter=2)), workspace)
    assert seen == [3 << 16, (3 << 16) + 1]


def test_reports_run_beside_and_once_more(workspace, note, trace):
    nets = [note("work", lambda: time.sleep(0.02)), note("report")]
    steps = step("s", step("w", nets="work", num_iter=3), step("r", nets="report", run_every_ms=5))
    run_plan(plan(nets, steps), workspace)
    assert trace.count("work") == 3
    assert trace.count("report") > 1 and trace[-1] == "report"
    trace.clear()
    run_plan(plan(nets, step(nets="work", report_net="report", report_interval=60)), workspace)
    assert trace == ["work", "report"]


def test_an_error_stops_the_other_substeps(workspace, note, trace):
    def fail():
        raise ZeroDivisionError("mine")

    nets = [note("a"), note("bad", fail)]
    steps = step("s", step("1", nets="a", num_iter=10**9), step("2", nets="bad"), concurrent_substeps=True)
    with pytest.raises(ZeroDivisionError, match="mine"):
        run_plan(plan(nets, steps), workspace)
    assert len(trace) < 10**8


def test_an_error_wakes_who_waits_at_a_queue(workspace, note):
    def fail():
        time.sleep(0.05)
        raise ZeroDivisionError("mine")

    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue", num_blobs=1))
    nets = [net("wait", operator("DequeueBlobs", "queue", "x")), note("bad", fail)]
    steps = step("s", step("1", nets="wait"), step("2", nets="bad"), concurrent_substeps=True)
    with pytest.raises(ZeroDivisionError):
        run_plan(plan(nets, steps), workspace)


def test_an_error_of_a_report_ends_the_step(workspace, note):
    def fail():
        raise ZeroDivisionError("mine")

    nets = [note("work"), note("bad", fail)]
    steps = step("s", step("w", nets="work", num_iter=10**9), step("r", nets="bad", run_every_ms=1))
    with pytest.raises(ZeroDivisionError):
        run_plan(plan(nets, steps), workspace)


def test_a_closed_queue_fails_the_plan(workspace):
    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue", num_blobs=1))
    workspace.run_operator_once(operator("CloseBlobsQueue", "queue"))
    with pytest.raises(OperatorFailed):
        run_plan(plan([net("n", operator("DequeueBlobs", "queue", "x"))], step(nets="n")), workspace)


@pytest.mark.parametrize(
    "bad, message",
    [
        (step("s", step("in", nets="a"), nets="a"), "both substeps and nets"),
        (step("s", nets="a", should_stop_blob="stop", num_iter=2), "both should_stop_blob and num_iter"),
        (step("s", nets="a", only_once=True), "goes with should_stop_blob"),
        (step("s", nets="a", report_net="a"), "without a report_interval"),
        (step("s", nets="aa"), "runs the net 'aa', which the plan does not hold"),
    ],
)
def test_plans_that_contradict_themselves(workspace, note, trace, bad, message):
    with pytest.raises(PlanError, match=message):
        run_plan(plan([note("a")], bad), workspace)
    assert trace == []


def test_other_refusals(workspace, note):
    with pytest.raises(PlanError, match="several nets of the same name: a"):
        run_plan(plan([note("a"), note("a")], step(nets="a")), workspace)
    with pytest.raises(MissingBlob, match="'halt'"):
        run_plan(plan([note("a")], step(nets="a", should_stop_blob="halt")), workspace)


def test_nets_from_before_are_replaced(workspace, note, trace):
    workspace.create_net(note("a", lambda: trace.append("old")))
    run_plan(plan([note("a")], step(nets="a"), step(nets="a")), workspace)
    assert trace == ["a", "a"]


def test_in_the_background(workspace, note):
    go_on = threading.Event()
    running = BackgroundPlan(plan([note("a", lambda: go_on.wait(20))], step(nets="a")), workspace)
    assert not running.is_done()
    with pytest.raises(PlanError, match="still runs"):
        running.is_succeeded()
    go_on.set()
    running._thread.join(20)
    assert running.is_done() and running.is_succeeded()
    failed = BackgroundPlan(plan([], step(nets="a")), workspace)
    failed._thread.join(20)
    assert not failed.is_succeeded() and isinstance(failed.error, PlanError)

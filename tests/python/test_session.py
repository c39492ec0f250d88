import numpy as np
import pytest

from caffe2.python import core, workspace
from caffe2.python.net_builder import ops
from caffe2.python.session import LocalSession, Session
from caffe2.python.task import Node, Task, TaskGroup, WorkspaceType, final_output


def counting(blob):
    net = core.Net("count")
    net.Add([blob, net.Const(1.0)], [blob])
    return net


@pytest.fixture
def ws():
    held = workspace.C.Workspace()
    held.create_blob("n").feed(np.zeros((), np.float32))
    return held


@pytest.mark.parametrize("form", ["net", "list", "step", "plan", "plan of two", "task", "group"])
def test_everything_runs_in_the_workspace_of_the_session(ws, form):
    net = counting("n")
    step = core.execution_step("step", net)
    plans = {"plan": [net], "plan of two": [net, counting("n")]}
    if form in plans:
        runnable = core.Plan("plan")
        for part in plans[form]:
            runnable.AddStep(core.execution_step("step", part))
    elif form == "group":
        runnable = TaskGroup(workspace_type=WorkspaceType.GLOBAL)
        runnable.add(Task(step=step))
    else:
        runnable = {"net": net, "list": (net,), "step": step, "task": Task(step=step)}[form]
        runnable = list(runnable) if form == "list" else runnable
    if form == "list":
        runnable = core.execution_step("of a list", runnable)
    with LocalSession(ws) as session:
        session.run(runnable)
        session.run(runnable)
    assert ws.blobs["n"].fetch() == (4 if form == "plan of two" else 2)


def test_outputs_are_fetched_after_a_private_run(ws):
    with TaskGroup() as group:
        with Node("a"), Task():
            kept, lost = ops.Const(3), ops.Const(4)
            output = final_output(kept)
    session = LocalSession(ws)
    session.run(group)
    assert output.fetch() == 3
    assert not ws.has_blob(str(lost))


def test_python_operators_see_the_workspace_of_the_session(ws):
    seen = []
    net = core.Net("python")
    net.Python(lambda inputs, outputs: seen.append(workspace.HasBlob("n")))([], [])
    LocalSession(ws).run(net)
    assert seen == [True]
    assert not workspace.HasBlob("n")


def test_workspace_types_must_agree():
    group = TaskGroup(workspace_type=WorkspaceType.GLOBAL)
    with pytest.raises(AssertionError, match="Require private"):
        LocalSession().run(group, workspace_type=WorkspaceType.PRIVATE)


def test_what_was_compiled_runs_in_sessions_of_its_class(ws):
    class Other(Session):
        pass

    compiled = LocalSession.compile(counting("n"))
    LocalSession(ws).run(compiled)
    assert ws.blobs["n"].fetch() == 1
    with pytest.raises(AssertionError, match="compiled for a LocalSession"):
        Other.compile(compiled)


def test_a_closed_session_runs_nothing(ws):
    session = LocalSession(ws)
    with session:
        pass
    with pytest.raises(AssertionError, match="closed"):
        session.run(counting("n"))
    with pytest.raises(AssertionError, match="closed"), session:
        pass

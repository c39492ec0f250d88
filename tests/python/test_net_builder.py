import pytest

from caffe2.python import core, workspace
from caffe2.python.net_builder import NetBuilder, ops
from caffe2.python.task import TaskGroup


@pytest.fixture
def run():
    """Runs what a builder made in a workspace of its own; gives what fetches a blob as a number."""

    def call(builder):
        plan = core.Plan("plan")
        plan.AddStep(core.to_execution_step(builder))
        ws = workspace.C.Workspace()
        ws.run(plan)
        return lambda blob: ws.blobs[str(blob)].fetch().item()

    return call


def test_loops(run):
    with NetBuilder() as builder:
        left, done, counted = ops.Const(5), ops.Const(0), ops.Const(0)
        with ops.loop():
            ops.stop_if(ops.LE([left, ops.Const(0)]))
            ops.Add([left, ops.Const(-1)], [left])
            ops.Add([done, ops.Const(1)], [done])
        with ops.loop(4) as loop:
            ops.Add([counted, loop.iter()], [counted])
        with ops.loop(done):
            ops.Add([counted, ops.Const(10)], [counted])
    value = run(builder)
    assert (value(left), value(done), value(counted)) == (0, 5, 0 + 1 + 2 + 3 + 50)


def test_a_loop_that_never_ends_is_refused():
    with pytest.raises(AssertionError, match="requires a stop condition"), NetBuilder(), ops.loop():
        ops.Const(1)


@pytest.mark.parametrize(("number", "branch"), [(3, 1), (7, 2), (12, 3)])
def test_branches_of_steps(run, number, branch):
    with NetBuilder() as builder:
        x, taken = ops.Const(number), ops.Const(0)
        with ops.If(ops.LT([x, ops.Const(5)])) as c:
            ops.Const(1, blob_out=taken)
        with c.Elif(ops.LT([x, ops.Const(10)])) as c:
            ops.Const(2, blob_out=taken)
        with c.Else() as c:
            ops.Const(3, blob_out=taken)
    assert run(builder)(taken) == branch
    with pytest.raises(AssertionError, match="nothing comes after Else"):
        c.Else()


@pytest.mark.parametrize(("number", "branch"), [(3, 1), (7, 2)])
def test_branches_of_operators(run, number, branch):
    with NetBuilder() as builder:
        x, taken = ops.Const(number), ops.Const(0)
        with ops.IfNet(ops.LT([x, ops.Const(5)])):
            local = ops.Const(1)
            ops.Copy(local, taken)
        with ops.Else():
            with ops.IfNet(ops.Const(True)):
                ops.Const(2, blob_out=taken)
    assert [op.type for net in builder.get()[-1].get() for op in net.Proto().op][-1] == "If"
    assert run(builder)(taken) == branch


def test_loops_of_operators(run):
    with NetBuilder() as builder:
        x, y = ops.Const(0), ops.Const(1)
        with ops.WhileNet():
            with ops.Condition():
                ops.Add([x, ops.Const(1)], [x])
                ops.LT([x, ops.Const(7)])
            ops.Mul([y, ops.Const(2)], [y])
    value = run(builder)
    assert (value(x), value(y)) == (7, 64)


def test_control_operators_out_of_place():
    with pytest.raises(AssertionError, match="Invalid use of Else"), NetBuilder():
        ops.Else()
    with pytest.raises(AssertionError, match="outside of WhileNet"), NetBuilder():
        ops.Condition()
    with pytest.raises(AssertionError, match="Condition builder must be specified"), NetBuilder(), ops.WhileNet():
        ops.Const(1)
    with pytest.raises(AssertionError, match="Stop blobs are not used"), NetBuilder(), ops.IfNet(ops.Const(True)):
        ops.stop()


@pytest.mark.parametrize("stops", [False, True])
def test_stop_guards(run, stops):
    with NetBuilder() as builder:
        reached = ops.Const(0)
        with ops.stop_guard() as guard:
            ops.stop_if(ops.Const(stops))
            ops.Const(1, blob_out=reached)
        with pytest.raises(AssertionError, match="not used yet"):
            ops.stop_guard().has_stopped()
    value = run(builder)
    assert (value(reached), value(guard.has_stopped())) == (not stops, stops)


def test_operators_need_a_builder():
    assert not hasattr(ops, "Relu")
    with NetBuilder("outer"), NetBuilder("inner") as inner:
        assert hasattr(ops, "Relu")
        assert ops.net(name="mine").Name() == "outer/inner/mine"
        assert ops.net() is ops.net()
    with pytest.raises(AssertionError, match="has been built already"):
        inner.current_net()


def test_task_groups_and_reporters():
    with TaskGroup() as group, NetBuilder():
        assert isinstance(ops.task_group(), TaskGroup)
        with ops.local_reporter(interval_ms=20):
            ops.Const(1)
    ((node, step),) = group._report_steps
    assert (node, step.Proto().run_every_ms) == ("local", 20)

import pytest

from caffe2.python import core, workspace
from caffe2.python.net_builder import NetBuilder, ops


def net(name, output):
    made = core.Net(name)
    made.ConstantFill([], output, shape=[1], value=1.0)
    return made


def test_a_step_says_what_it_is_told():
    stop = core.BlobReference("stop")
    step = core.execution_step("s", net("a", "x"), should_stop_blob=stop, only_once=True, create_workspace=True)
    proto = step.Proto()
    assert (proto.should_stop_blob, proto.only_once, proto.create_workspace) == ("stop", True, True)
    assert not proto.HasField("num_iter") and core.execution_step("s", None).Proto().num_iter == 1


def test_steps_hold_their_nets_and_those_within():
    a, b = net("a", "x"), net("b", "y")
    step = core.execution_step("s", [core.execution_step("t", a), b], concurrent_substeps=True)
    assert step.Nets() == [a, b] and step.HasSubsteps() and not step.HasNets()
    assert [s.name for s in step.Proto().substep] == ["t", step.Substeps()[1].Name()]
    assert step.get_net(a.Name()) is a


def test_empty_steps_are_left_out():
    step = core.ExecutionStep("s").AddSubstep(core.ExecutionStep("empty"))
    plan = core.Plan(step)
    assert not step.HasSubsteps() and plan.Steps() == [] and str(plan) == "s"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: core.execution_step("s", None, num_iter=1, should_stop_blob=core.BlobReference("b")),
        lambda: core.execution_step("s", None, report_net=net("r", "r")),
        lambda: core.ExecutionStep("s").SetShouldStopBlob("b"),
        lambda: core.ExecutionStep("s").AddNet("a"),
        lambda: core.execution_step("s", net("a", "x")).AddSubstep(core.ExecutionStep("t")),
        lambda: core.execution_step("s", [core.execution_step("t", net("a", "x"))]).AddNet(net("b", "y")),
        lambda: core.Plan("p").AddStep("s"),
    ],
)
def test_steps_refuse(wrong):
    with pytest.raises(AssertionError):
        wrong()


def test_other_things_are_no_steps():
    with pytest.raises(ValueError, match="not a int"):
        core.execution_step("s", 3)
    with pytest.raises(ValueError, match="name_or_step"):
        core.Plan(3)


def test_a_step_in_use_is_settled():
    step = core.execution_step("s", net("a", "x"))
    core.Plan("p").AddStep(step)
    with pytest.raises(AssertionError, match="already been added"):
        step.SetIter(3)


def test_two_nets_of_one_name_do_not_go_together():
    a = net("a", "x")
    twin = net("b", "y")
    twin.Proto().name = a.Name()
    with pytest.raises(AssertionError, match="Different nets with same name"):
        core.execution_step("s", [a, twin])


def test_a_plan_holds_nets_in_the_order_they_run():
    a, b, report = net("a", "x"), net("b", "y"), net("r", "r")
    inner = core.execution_step("t", b)
    plan = core.Plan("p")
    plan.AddStep(core.execution_step("s", [inner, a], report_net=report, report_interval=1))
    assert plan.Nets() == [b, a, report] and len(plan.Proto().network) == 3


def test_a_plan_comes_back_from_its_message():
    stop = core.BlobReference("stop")
    parts = [core.execution_step("t", net("a", "x"), num_iter=3), core.execution_step("u", [net("b", "y")])]
    plan = core.Plan(core.execution_step("s", parts, should_stop_blob=stop, run_every_ms=5))
    plan.Steps()[0].Nets()[0].add_attribute("k", 1)
    back = core.Plan.create_from_proto(plan.Proto())
    before, after = plan.Proto().execution_step[0], back.Proto().execution_step[0]
    assert (after.name, after.should_stop_blob, after.run_every_ms) == (before.name, "stop", 5)
    assert [s.num_iter for s in after.substep] == [3, 1] and plan.get_all_attributes("k") == [1]


def test_names_get_the_scope():
    with core.NameScope("q"):
        assert core.scoped_execution_step("s", None).Name() == "q/s"


def test_a_builder_becomes_a_step_that_runs():
    with NetBuilder(name="counting") as builder:
        total = ops.Const(0)
        with ops.loop(4) as loop:
            ops.Add([total, loop.iter()], [total])
    step = core.to_execution_step(builder)
    workspace.RunPlan(step)
    assert step.Name() == "counting" and workspace.FetchBlob(total) == 6


def test_outputs_as_a_list():
    n = net("a", "x")
    one, two = n.Relu("x", "y"), n.Concat(["x", "y"], ["c", "s"], axis=0)
    assert core.output_to_list(one) == ["y"] and core.output_to_list(two) == ["c", "s"]

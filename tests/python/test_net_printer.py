import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, net_printer, workspace
from caffe2.python.checkpoint import Job
from caffe2.python.net_builder import ops
from caffe2.python.task import Task, TaskGroup, WorkspaceType


@pytest.fixture
def net():
    net = core.Net("printed")
    with core.NameScope("in"):
        a = net.ConstantFill([], "a", shape=[2], value=0.5)
        with core.DeviceScope(core.DeviceOption(caffe2_pb2.CPU, node_name="n")):
            b = net.Relu(a, "b")
    net.Sum([a, b], ["c"])
    return net


def test_nets_as_calls_of_methods(net):
    name = net.Name()
    assert net_printer.to_string(net).splitlines() == [
        f"{name} = core.Net('{name}')",
        f"{name}.ConstantFill([], ['in/a'], shape=[2], value=0.5)",
        f"{name}.Relu(['in/a'], ['in/b'], device_option=DeviceOption(0, 0, 'n'))",
        f"{name}.Sum(['in/a', 'in/b'], ['c'])",
    ]


def test_nets_as_assignments(net):
    text = net_printer.to_string(net, c2_syntax=False, factor_prefixes=True)
    assert text.splitlines()[0::3] == [f"# net: {net.Name()}", "c = Sum(in/[a, b])"]


def test_arguments():
    op = core.CreateOperator(
        "Op", [], [], i=1, s="x" * 70, ints=[1, 2], floats=[0.5], strings=["a"], none=[], bytes=b"\xffa"
    )
    text = net_printer.to_string(op)
    assert text == (
        f"""Op(i=1, s='{"x" * 64}'...<+len=6>, ints=[1, 2], floats=[0.5], strings=["'a'"], none=[], bytes='a')"""
    )


def test_nets_in_arguments():
    inner = caffe2_pb2.NetDef(name="inner", op=[core.CreateOperator("Relu", "x", "x")])
    op = core.CreateOperator("If", ["c"], [], then_net=inner)
    lines = ["If(c, then_net=[])", "with arg: then_net:", "    # net: inner", "    x = Relu(x)"]
    assert net_printer.to_string(op, c2_syntax=False).splitlines() == lines


def test_steps(net):
    def skeleton(step):
        lines = net_printer.to_string(step, c2_syntax=False).splitlines()
        return [line for line in lines if line.strip().startswith(("with", "yield", "pass"))]

    once = core.execution_step("once", net)
    often = core.execution_step("often", net, num_iter=3)
    ticks = core.execution_step("ticks", net, run_every_ms=10)
    assert skeleton(often) == ["with loop(3):"]
    both = core.execution_step("both", [once, often, ticks], concurrent_substeps=True)
    assert skeleton(both) == [
        "with parallel():",
        "    with step(once):",
        "    with step(often):",
        "        with loop(3):",
        "    with reporter(ticks, interval_ms=10):",
    ]
    stop = core.execution_step("stop", net, should_stop_blob=core.BlobReference("done"))
    assert skeleton(stop) == ["with loop():", "    yield stop_if(done)"]
    assert skeleton(core.execution_step("nothing", [], num_iter=2)) == ["with loop(2):", "    pass"]


def test_tasks_and_groups():
    with TaskGroup() as group, Task(node="far", name="work"):
        ops.Add(["x", "y"], ["z"])
    lines = net_printer.to_string(group).splitlines()
    assert lines[0] == "with TaskGroup():"
    assert lines[1].startswith("    with Task(node=far, name=far/grouped_by_node, outputs=Output[")
    assert "        far/work.Add(['x', 'y'], ['z'])" in lines


def test_jobs_have_all_their_groups():
    with Job() as job:
        Task()
    lines = net_printer.to_string(job).splitlines()
    assert [line for line in lines if line.startswith("with")] == [
        "with Job.current().init_group:",
        "with Job.current().epoch_group:",
        "with Job.current().stop_conditions:",
        "with Job.current().download_group:",
        "with Job.current().exit_group:",
    ]


def test_what_cannot_be_printed():
    with pytest.raises(TypeError, match=r"Printer: unsupported object type: <class 'int'>"):
        net_printer.to_string(3)


def test_printers_of_further_classes():
    class Remark:
        text = "so it goes"

    class Remarker(net_printer.Printer):
        pass

    Remarker.register(Remark)(lambda printer, remark: printer.add(f"# {remark.text}"))
    printer = Remarker()
    printer(Remark())
    assert str(printer) == "# so it goes"
    with pytest.raises(TypeError):
        net_printer.to_string(Remark())
    with pytest.raises(AssertionError, match="already registered"):
        Remarker.register(Remark)


def test_blobs_are_written_before_they_are_read(net):
    net_printer.analyze(net)
    net.Relu("nowhere", "d")
    with pytest.raises(AssertionError, match="Blob undefined: nowhere"):
        net_printer.analyze(core.execution_step("step", net))


@pytest.mark.parametrize("kind", [WorkspaceType.GLOBAL, WorkspaceType.PRIVATE])
def test_blobs_of_a_private_task_stay_in_it(kind):
    with Job(init_group=TaskGroup(workspace_type=kind)) as job:
        with job.init_group, Task():
            ops.ConstantFill([], "made", shape=[1])
        with Task():
            ops.Relu("made", "used")
    if kind == WorkspaceType.GLOBAL:
        net_printer.analyze(job)
    else:
        with pytest.raises(AssertionError, match="Blob undefined: made"):
            net_printer.analyze(job)


def test_steps_side_by_side_write_different_blobs():
    nets = [core.Net("left"), core.Net("right")]
    for net in nets:
        net.ConstantFill([], "same", shape=[1])
    steps = [core.execution_step("step", net) for net in nets]
    net_printer.analyze(core.execution_step("serial", steps))
    with pytest.raises(AssertionError, match="multiple parallel steps: same"):
        net_printer.analyze(core.execution_step("parallel", steps, concurrent_substeps=True))


def test_debug_net_logs_every_operator(net):
    logged = net_printer.debug_net(net)
    types = [op.type for op in logged.Proto().op if op.type != "GivenTensorStringFill"]
    assert types == ["Print", "ConstantFill", "Print", "Relu", "Print", "Sum"]
    workspace.ResetWorkspace()
    workspace.RunNetOnce(logged)
    assert workspace.FetchBlob("c").tolist() == [1, 1]

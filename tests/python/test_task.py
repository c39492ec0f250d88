import numpy as np
import pytest

from caffe2.python import core, schema
from caffe2.python.net_builder import ops
from caffe2.python.task import (
    Cluster,
    Node,
    SetupNets,
    Task,
    TaskGroup,
    TaskOutput,
    TaskOutputList,
    WorkspaceType,
    final_output,
    get_setup_nets,
)


def names(step):
    """The names of a step's parts, and of theirs."""
    return [
        (part.Name(), names(part)) if hasattr(part, "Substeps") else part.Name() for part in step.Substeps()
    ] + list(step.Proto().network)


def some_net(name="net"):
    net = core.Net(name)
    net.ConstantFill([], 1, shape=[1])
    return net


def test_clusters_know_their_nodes():
    with Cluster() as cluster:
        Node("b", cores=2)
        Node("a")
        Node("b", cores=3, disks=1)
    assert cluster.nodes() == ["b", "a"]
    assert cluster.node_kwargs() == {"b": {"cores": 2, "disks": 1}, "a": {}}


def test_tasks_are_named_after_their_node():
    with TaskGroup() as group:
        with Node("n"):
            first, second = Task(name="t"), Task(name="t")
        third = Task(step=core.execution_step("mine", some_net()), node="m")
    assert [first.name, second.name, third.name] == ["n/t", "n/t:1", "m/mine"]
    assert group.used_nodes() == ["n", "m"]
    assert group.num_registered_tasks() == 3


def test_tasks_within_a_task_come_first():
    with TaskGroup() as group, Task(name="outer"):
        Task(name="inner")
    assert [task.name for task in group.tasks()] == ["local/inner", "local/outer"]


def test_a_group_and_its_tasks_agree_on_the_workspace():
    group, task = TaskGroup(), Task(workspace_type=WorkspaceType.GLOBAL)
    group.add(task)
    assert group.workspace_type() == WorkspaceType.GLOBAL
    with pytest.raises(AssertionError, match="workspace is global, the task's private"):
        group.add(Task(workspace_type=WorkspaceType.PRIVATE))
    plain = TaskGroup()
    plain.add(Task())
    assert plain.workspace_type() == WorkspaceType.PRIVATE


def test_a_used_group_or_task_is_settled():
    group = TaskGroup()
    task = Task(group=group)
    assert group.tasks() == [task]
    with pytest.raises(AssertionError, match="already used TaskGroup"):
        group.add(Task())
    with pytest.raises(AssertionError, match="Cannot modify task"):
        task.set_step(some_net())


def test_setup_runs_around_a_task_and_its_instances():
    with Task(name="t", num_instances=3, node="n") as task:
        with ops.task_init():
            ops.Const(0)
        with ops.task_instance_init():
            ops.Const(1)
        ops.Const(2)
        with ops.task_exit():
            ops.Const(3)
        task.add_output(ops.Const(4))
    init, parallel, exit = task.get_step().Substeps()
    assert [step.Name().split("_")[0] for step in (init, parallel, exit)] == ["n/t:init", "n/t:parallel", "n/t:exit"]
    assert parallel.Proto().num_concurrent_instances == 3
    (instance,) = parallel.Substeps()
    assert instance.Proto().create_workspace
    assert [step.Name().split("_")[0] for step in instance.Substeps()] == ["n/t:instance:init", "n/t"]


def test_setup_objects_run_once():
    init, net = some_net("init"), some_net()
    net.add_attribute(Task.TASK_SETUP, SetupNets([init]))
    assert get_setup_nets(Task.TASK_SETUP, [net, net], None) == ([init], [])
    assert get_setup_nets(Task.TASK_SETUP, [net], None) == ([], [])


def test_setup_objects_may_add_to_a_net_or_give_nonsense():
    class Adds:
        def setup(self, net):
            net.ConstantFill([], 1, shape=[1])

    class Nonsense:
        def exit(self, net):
            return "no net"

    net, other = some_net(), some_net()
    net.add_attribute("key", Adds())
    other.add_attribute("key", Nonsense())
    (made,), exits = get_setup_nets("key", [net], None)
    assert [op.type for op in made.Proto().op] == ["ConstantFill"]
    assert exits == []
    with pytest.raises(TypeError, match="not a str"):
        get_setup_nets("key", [other], None)


def test_tasks_of_one_node_become_one():
    with TaskGroup() as group:
        for node in ("a", "b", "a"):
            Task(step=core.execution_step(f"on_{node}", some_net()), node=node, outputs=[core.BlobReference(node)])
        group.report_step(some_net("report"), node="a", interval_ms=50)
    grouped = group.tasks_by_node()
    assert group.tasks_by_node() is grouped
    on_a, on_b = grouped.tasks()
    assert (on_a.node, on_b.node) == ("a", "b")
    assert [str(name) for name in on_a.output_list().names()] == ["a", "a"]
    report, *steps = on_a.get_step().Substeps()
    assert report.Proto().run_every_ms == 50
    assert len(steps) == 2
    assert on_a.get_step().Proto().concurrent_substeps
    with pytest.raises(AssertionError, match="multiple times"):
        group.to_task()


def test_outputs_have_the_form_that_was_asked_for():
    record = schema.Struct(("x", schema.Scalar(np.float32)), ("y", schema.Scalar(np.int32)))
    schema.InitEmptyRecord(core.Net("record"), record)
    outputs = TaskOutputList(
        [TaskOutput("a"), TaskOutput(["b", "c"]), TaskOutput(schema.NewRecord(core.Net("n"), record))]
    )
    with pytest.raises(AssertionError, match="not set yet"):
        outputs.outputs[0].get()
    outputs.set_values([1, 2, 3, np.float32(4), np.int32(5)], _fetch_func=lambda value: value * 10)
    one, two, three = outputs.outputs
    assert (one.get(), one.fetch()) == (1, 10)
    assert (two.get(), two.fetch()) == ([2, 3], [20, 30])
    assert (three.fetch().x(), three.fetch().y()) == (40, 50)
    with pytest.raises(AssertionError, match="Wrong number"):
        outputs.set_values([1])


def test_final_outputs_belong_to_the_current_task():
    with TaskGroup() as group:
        with Task() as task:
            output = final_output(ops.Const(1))
        alone = final_output(core.BlobReference("x"))
    assert task.outputs() == [output]
    assert [t.outputs() for t in group.tasks()][1] == [alone]

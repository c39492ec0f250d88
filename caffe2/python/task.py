"""Tasks: steps with outputs, which run side by side, on one node or on several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

from caffe2.python import context, core, net_builder
from caffe2.python._misuse import demand
from caffe2.python._task.node import Cluster, Node
from caffe2.python._task.output import TaskOutput, TaskOutputList
from caffe2.python._task.setup import SetupNets, add_setup_steps, get_setup_nets

__all__ = [
    "Cluster",
    "Node",
    "SetupNets",
    "Task",
    "TaskGroup",
    "TaskOutput",
    "TaskOutputList",
    "WorkspaceType",
    "add_setup_steps",
    "final_output",
    "get_setup_nets",
]


class WorkspaceType:
    """Whether a task runs in the workspace that outlives it, or in a child that it leaves behind."""

    PRIVATE = "private"
    GLOBAL = "global"


class TaskGroup(context.Managed):
    """Tasks that start together, and are done when the last of them is.

    Tasks that are made within belong to it. Those on one node share a workspace, and may share blobs:

        with TaskGroup() as group:
            Task(step=first)
            with Node("other"):
                Task(step=second)
        session.run(group)
    """

    LOCAL_SETUP = "local_setup"

    def __init__(self, workspace_type: str | None = None) -> None:
        self._tasks: list[Task] = []
        self._tasks_to_add: list[Task] = []
        self._already_used = False
        self._report_nets: dict[str, tuple[core.Net, int]] = {}
        self._report_steps: list[tuple[str, core.ExecutionStep]] = []
        self._workspace_type = workspace_type
        self._tasks_by_node: tuple[TaskGroup, dict[str, str]] | None = None
        self._remote_nets: list[Any] = []

    def add_remote_net(self, net: Any) -> None:
        """Take note of a net that is to run elsewhere."""
        self._remote_nets.append(net)

    def remote_nets(self) -> list[Any]:
        """The nets that are to run elsewhere."""
        return self._remote_nets

    def add(self, task: Task) -> None:
        """Take a task in; group and task lend each other the workspace type that one of them lacks."""
        demand(not self._already_used, "Cannot add Task to an already used TaskGroup.")
        kinds = {self._workspace_type, task._workspace_type} - {None}
        demand(len(kinds) < 2, f"a {task._workspace_type} task cannot be in a {self._workspace_type} group")
        task._workspace_type = next(iter(kinds), WorkspaceType.PRIVATE)
        self._workspace_type = task._workspace_type
        task._notify_used()
        self._tasks.append(task)

    def tasks(self) -> list[Task]:
        """The tasks; none can be added any more."""
        for task in self._tasks_to_add:
            self.add(task)
        self._tasks_to_add = []
        self._already_used = True
        return self._tasks

    def num_registered_tasks(self) -> int:
        """How many tasks there are."""
        return len(self._tasks_to_add) + len(self._tasks)

    def used_nodes(self) -> list[str]:
        """The nodes of the tasks, in order."""
        return list(dict.fromkeys(task.node for task in self._tasks + self._tasks_to_add))

    def report_step(self, step: Any = None, node: Any = None, interval_ms: int = 1000) -> None:
        """Run a step every `interval_ms` while the tasks of the node run, and at least once after them."""
        step = core.to_execution_step(step)
        step.RunEveryMillis(interval_ms)
        self._report_steps.append((str(node or Node.current(node)), step))

    def report_net(self, net: core.Net | None = None, node: Any = None, report_interval: int = 5) -> core.Net:
        """The net that runs every `report_interval` seconds; report_step is the newer way."""
        node = str(node or Node.current(node))
        demand(net is None or node not in self._report_nets, f"node {node} has a report net already")
        if node not in self._report_nets:
            self._report_nets[node] = net or core.Net(f"{node}/reporter"), report_interval
        return self._report_nets[node][0]

    def tasks_by_node(self, node_remap: Callable[[str], str] | None = None) -> TaskGroup:
        """A group of one task for each node, which `node_remap` may rename, that runs all tasks of the node."""
        names = {task.node: node_remap(task.node) if node_remap else task.node for task in self.tasks()}
        if self._tasks_by_node is not None:
            grouped, names_before = self._tasks_by_node
            demand(names_before == names, "Cannot call tasks_by_node multiple times.")
            return grouped
        for node, (net, seconds) in self._report_nets.items():
            self.report_step(net, node=node, interval_ms=seconds * 1000)
        self._report_nets = {}
        tasks: defaultdict[str, list[Task]] = defaultdict(list)
        reports: defaultdict[str, list[core.ExecutionStep]] = defaultdict(list)
        for task in self.tasks():
            tasks[names[task.node]].append(task)
        for node, step in self._report_steps:
            reports[names[node]].append(step)
        grouped = TaskGroup()
        for node in tasks:
            self._group_node(node, tasks[node], reports[node], grouped)
        self._tasks_by_node = grouped, names
        return grouped

    def _group_node(
        self, node: str, tasks: list[Task], reports: list[core.ExecutionStep], grouped: TaskGroup
    ) -> None:
        steps = [task.get_step() for task in tasks]
        inits, exits = get_setup_nets(TaskGroup.LOCAL_SETUP, steps + reports, self)
        for task, step in zip(tasks, steps):
            step.SetCreateWorkspace(task.workspace_type() == WorkspaceType.PRIVATE)
        steps = reports + steps
        body = steps[0] if len(steps) == 1 else core.execution_step(f"{node}:body", steps, concurrent_substeps=True)
        any_global = any(task.workspace_type() == WorkspaceType.GLOBAL for task in tasks)
        Task(
            node=node,
            step=add_setup_steps(body, inits, exits, node),
            outputs=[output for task in tasks for output in task.outputs()],
            name="grouped_by_node",
            group=grouped,
            workspace_type=WorkspaceType.GLOBAL if any_global else WorkspaceType.PRIVATE,
        )

    def to_task(self, node: Node | None = None) -> Task:
        """One task that runs all tasks, on one node: the current one by default."""
        name = str(Node.current(node))
        tasks = self.tasks_by_node(lambda _: name).tasks()
        return tasks[0] if tasks else Task()

    def workspace_type(self) -> str | None:
        """Where the tasks run, as WorkspaceType says."""
        return self._workspace_type

    def __repr__(self) -> str:
        return (
            f"TaskGroup(tasks={self._tasks + self._tasks_to_add}, workspace_type={self.workspace_type()}, "
            f"remote_nets={self.remote_nets()})"
        )


class Task(context.Managed):
    """A step and its outputs, in the current task group and on the current node.

    Operations of net_builder that are called within make up the step:

        with Task(name="count", num_instances=2):
            with ops.task_init():
                total = ops.Const(0)
            with ops.loop(10):
                ops.Add([total, ops.Const(1)], [total])

    `num_instances` copies of it run at the same time, after what task_init holds and before what task_exit holds.
    """

    TASK_SETUP = "task_setup"
    TASK_INSTANCE_SETUP = "task_instance_setup"
    REPORT_STEP = "report_step"
    _global_names_used: ClassVar[set[str]] = set()

    def __init__(
        self,
        step: Any = None,
        outputs: Any = None,
        workspace_type: str | None = None,
        group: TaskGroup | None = None,
        node: Any = None,
        name: str | None = None,
        num_instances: int | None = None,
    ) -> None:
        if not name and isinstance(step, core.ExecutionStep):
            name = step.Proto().name
        self.node = str(Node.current(None if node is None else Node(node)))
        self.group = TaskGroup.current(group, required=False)
        self.name = Task._get_next_name(self.node, self.group, name or "task")
        if self.group is not None:
            self.group._tasks_to_add.append(self)
        self._already_used = False
        self._step: core.ExecutionStep | None = None
        self._step_with_setup: core.ExecutionStep | None = None
        self._outputs: list[TaskOutput] = []
        self._workspace_type = workspace_type
        self._num_instances = num_instances
        self._net_builder: net_builder.NetBuilder | None = None
        if step is not None:
            self.set_step(step)
        if outputs is not None:
            self.add_outputs(outputs)

    @staticmethod
    def _get_next_name(node: Any, group: TaskGroup | None, name: str) -> str:
        used = Task._global_names_used if group is None else {task.name for task in group._tasks_to_add}
        base = free = f"{node}/{name}"
        count = 0
        while free in used:
            count += 1
            free = f"{base}:{count}"
        return free

    def __enter__(self) -> Task:
        super().__enter__()
        # It comes back at the end: tasks that are made within go before it.
        if self.group is not None:
            self.group._tasks_to_add.remove(self)
        self._assert_not_used()
        demand(self._step is None, "This Task already has an execution step.")
        self._net_builder = net_builder.NetBuilder(_fullname=self.name)
        self._net_builder.__enter__()
        return self

    def __exit__(self, type: Any, value: Any, traceback: Any) -> None:
        super().__exit__(type, value, traceback)
        self._net_builder.__exit__(type, value, traceback)
        if type is None:
            self.set_step(self._net_builder)
        if self.group is not None:
            self.group._tasks_to_add.append(self)
        self._net_builder = None

    def workspace_type(self) -> str | None:
        """Where the task runs, as WorkspaceType says."""
        return self._workspace_type

    def _assert_not_used(self) -> None:
        demand(not self._already_used, "Cannot modify task since it is already been used.")

    def add_output(self, output: Any) -> TaskOutput:
        """Give back a blob, a list of blobs, or a record when the task has run."""
        self._assert_not_used()
        self._outputs.append(output if isinstance(output, TaskOutput) else TaskOutput(output))
        return self._outputs[-1]

    def add_outputs(self, outputs: Any) -> TaskOutput | list[TaskOutput]:
        """Give back each of a list of outputs, or the one output."""
        self._assert_not_used()
        if isinstance(outputs, (list, tuple)):
            return [self.add_output(output) for output in outputs]
        return self.add_output(outputs)

    def set_step(self, step: Any) -> None:
        """Set what the task runs: a step, a net, a list of either, or a net builder."""
        self._assert_not_used()
        self._step = core.to_execution_step(step)

    def get_step(self) -> core.ExecutionStep:
        """What the task runs, with reports, and with what runs before and after it."""
        if self._step_with_setup is None:
            empty = core.execution_step(self.name, []) if self._step is None else None
            self._step_with_setup = empty or self._whole_step(self._step)
        return self._step_with_setup

    def _whole_step(self, step: core.ExecutionStep) -> core.ExecutionStep:
        reports = [s for s in step.get_all_attributes(Task.REPORT_STEP) if not hasattr(s, "_report_step_used")]
        for report in reports:
            report._report_step_used = True
            if not report.Proto().run_every_ms:
                report.RunEveryMillis(1000)
        inits, exits = get_setup_nets(Task.TASK_SETUP, [step, *reports], self)
        instance_inits, instance_exits = get_setup_nets(Task.TASK_INSTANCE_SETUP, [step, *reports], self)
        if not self._outputs:
            # A task without outputs gives back a zero, so that there is something to wait for.
            net = core.Net(f"{self.name}:output")
            self.add_output(net.ConstantFill([], 1, dtype=core.DataType.INT32, value=0))
            exits.append(net)
        body = core.execution_step(f"{self.name}:body", [*reports, step]) if reports else step
        body = add_setup_steps(body, instance_inits, instance_exits, f"{self.name}:instance")
        if self._num_instances and self._num_instances > 1:
            body.SetCreateWorkspace(True)
            count = self._num_instances
            body = core.execution_step(f"{self.name}:parallel", [body], num_concurrent_instances=count)
        return add_setup_steps(body, inits, exits, self.name)

    def output_list(self) -> TaskOutputList:
        """The outputs, to be set together."""
        return TaskOutputList(self._outputs)

    def outputs(self) -> list[TaskOutput]:
        """The outputs."""
        return self._outputs

    def _notify_used(self) -> None:
        self.get_step()
        self._already_used = True

    def __repr__(self) -> str:
        return f"Task(name={self.name}, node={self.node}, outputs={self.outputs()})"


def final_output(blob_or_record: Any) -> TaskOutput:
    """Give back a blob or a record when the current task has run; without one, when all tasks of the node have."""
    return (Task.current(required=False) or Task()).add_output(blob_or_record)

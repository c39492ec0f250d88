"""Tasks: a step to run on a node, in one or several instances, with outputs to give back."""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

from caffe2.python import context
from caffe2.python._core.net import Net
from caffe2.python._core.operators import DataType
from caffe2.python._core.step import ExecutionStep, execution_step, to_execution_step
from caffe2.python._misuse import demand
from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python._task.cluster import Node
from caffe2.python._task.outputs import TaskOutput, TaskOutputList
from caffe2.python._task.setup import add_setup_steps, get_setup_nets


class Group(context.Managed):
    """What tasks made within it are added to. TaskGroup is the one there is."""

    _tasks_to_add: list[Task]


class Task(context.Managed):
    """A step that runs on a node, in a group of tasks that run at once, and gives outputs back to the session.

    As a context, what is created by net_builder.ops within it is its step:

        with Node("trainer"), Task(name="my_task", num_instances=2):
            with ops.task_init():
                total = ops.Const(0)
            with ops.task_instance_init():
                mine = ops.Const(0)
            with ops.loop(100):
                ops.Add([mine, ops.Const(1)], [mine])
            with ops.task_instance_exit():
                ops.Add([total, mine], [total])

    step: what it runs, otherwise. outputs: blobs or records to give back. node: where it runs, instead of the current
    one. group: instead of the current one. workspace_type: one of WorkspaceType. num_instances: how many run at once.
    """

    TASK_SETUP: ClassVar[str] = "task_setup"
    TASK_INSTANCE_SETUP: ClassVar[str] = "task_instance_setup"
    REPORT_STEP: ClassVar[str] = "report_step"
    _global_names_used: ClassVar[set[str]] = set()

    def __init__(
        self,
        step: Any = None,
        outputs: Any = None,
        workspace_type: str | None = None,
        group: Any = None,
        node: Any = None,
        name: str | None = None,
        num_instances: int | None = None,
    ) -> None:
        if not name and isinstance(step, ExecutionStep):
            name = step.Name()
        self.node = str(Node.current(None if node is None else Node(node)))
        self.group = Group.current(group, required=False)
        self.name = Task._get_next_name(self.node, self.group, name or "task")
        if self.group is not None:
            self.group._tasks_to_add.append(self)
        self._already_used = False
        self._step: ExecutionStep | None = None
        self._step_with_setup: ExecutionStep | None = None
        self._outputs: list[TaskOutput] = []
        self._net_builder: NetBuilder | None = None
        if step is not None:
            self.set_step(step)
        if outputs is not None:
            self.add_outputs(outputs)
        self._pipeline: Any = None
        self._is_pipeline_context = False
        self._workspace_type = workspace_type
        self._num_instances = num_instances

    @staticmethod
    def _get_next_name(node: str, group: Group | None, name: str) -> str:
        taken = Task._global_names_used if group is None else {t.name for t in group._tasks_to_add}
        base = f"{node}/{name}"
        return base if base not in taken else next(n for k in count(1) if (n := f"{base}:{k}") not in taken)

    def __enter__(self) -> Task:
        super().__enter__()
        self._assert_not_used()
        demand(self._step is None, "This Task already has an execution step.")
        if self.group is not None:  # it is added anew at the end, after those made within it
            self.group._tasks_to_add.remove(self)
        self._net_builder = NetBuilder(_fullname=self.name)
        self._net_builder.__enter__()
        return self

    def __exit__(self, etype: Any, value: Any, traceback: Any) -> None:
        super().__exit__(etype, value, traceback)
        self._net_builder.__exit__(etype, value, traceback)
        if etype is None:
            self.set_step(self._net_builder)
        if self.group is not None:
            self.group._tasks_to_add.append(self)
        self._net_builder = None

    def workspace_type(self) -> str | None:
        """One of WorkspaceType; None where its group is to say."""
        return self._workspace_type

    def _assert_not_used(self) -> None:
        demand(not self._already_used, "Cannot modify task since it is already been used.")

    def add_output(self, output: Any) -> TaskOutput:
        """Give a blob, a list of blobs or a record back."""
        self._assert_not_used()
        made = output if isinstance(output, TaskOutput) else TaskOutput(output)
        self._outputs.append(made)
        return made

    def add_outputs(self, outputs: Any) -> TaskOutput | list[TaskOutput]:
        """add_output of one, or of each in a list."""
        if isinstance(outputs, (list, tuple)):
            return [self.add_output(output) for output in outputs]
        return self.add_output(outputs)

    def set_step(self, step: Any) -> None:
        """Run a step, nets, or what a NetBuilder made."""
        self._assert_not_used()
        self._step = to_execution_step(step)

    def get_step(self) -> ExecutionStep:
        """The step with all that runs before, after and beside it."""
        if self._step_with_setup is None:
            self._step_with_setup = execution_step(self.name, []) if self._step is None else self._enclosed()
        return self._step_with_setup

    def _enclosed(self) -> ExecutionStep:
        reports = self._new_report_steps()
        parts = [self._step, *reports]
        task_init, task_exit = get_setup_nets(Task.TASK_SETUP, parts, self)
        instance_init, instance_exit = get_setup_nets(Task.TASK_INSTANCE_SETUP, parts, self)
        if not self._outputs:
            # A task ends, to whoever waits for it, when an output is there.
            net = Net(f"{self.name}:output")
            self.add_output(net.ConstantFill([], 1, dtype=DataType.INT32, value=0))
            task_exit.append(net)
        body = execution_step(f"{self.name}:body", [*reports, self._step]) if reports else self._step
        instance = add_setup_steps(body, instance_init, instance_exit, f"{self.name}:instance")
        if (self._num_instances or 1) > 1:
            instance.SetCreateWorkspace(True)
            instance = execution_step(f"{self.name}:parallel", [instance], num_concurrent_instances=self._num_instances)
        return add_setup_steps(instance, task_init, task_exit, self.name)

    def _new_report_steps(self) -> list[ExecutionStep]:
        steps = self._step.get_all_attributes(Task.REPORT_STEP)
        new = [step for step in steps if not hasattr(step, "_report_step_used")]
        for step in new:
            step._report_step_used = True
            if not step.Proto().run_every_ms:
                step.RunEveryMillis(1000)
        return new

    def output_list(self) -> TaskOutputList:
        """The outputs, as one."""
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
    """Have the current task, or one made for it, give a blob or record back, as it is when its group is through."""
    return (Task.current(required=False) or Task()).add_output(blob_or_record)

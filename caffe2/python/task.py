"""Tasks, groups of them, the nodes they run on and what they give back."""

from caffe2.python._task.cluster import Cluster, Node, WorkspaceType
from caffe2.python._task.group import TaskGroup
from caffe2.python._task.outputs import TaskOutput, TaskOutputList
from caffe2.python._task.setup import SetupNets, add_setup_steps, get_setup_nets
from caffe2.python._task.task import Task, final_output

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

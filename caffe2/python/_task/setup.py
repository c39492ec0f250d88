"""What runs before and after a task or a group: gathered from attributes of its nets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step

Runnable = Any
"""A net or an execution step."""


class SetupNets:
    """Nets to run before and after a task or group, as an attribute of a net that it runs; each once a run.

    net.add_attribute(Task.TASK_SETUP, SetupNets([init_net])) runs init_net once before the task,
    net.add_attribute(TaskGroup.LOCAL_SETUP, SetupNets([init_net])) once on the node before all its tasks.
    """

    def __init__(self, init_nets: list[Net] | None = None, exit_nets: list[Net] | None = None) -> None:
        self.init_nets, self.exit_nets = init_nets, exit_nets

    def setup(self, init_net: Net) -> list[Net] | None:
        """The nets to run before."""
        return self.init_nets

    def exit(self, exit_net: Net) -> list[Net] | None:
        """The nets to run after."""
        return self.exit_nets

    def __repr__(self) -> str:
        return f"SetupNets(init_nets={self.init_nets}, exit_nets={self.exit_nets})"


def get_setup_nets(key: str, steps_or_nets: Iterable[Runnable], target: Any) -> tuple[list[Runnable], list[Runnable]]:
    """What to run before and what to run after, by the attributes `key` of nets and steps.

    An attribute is an object with `setup(net)`, `exit(net)` or both, which append operators to the net they are given
    or return further nets or steps. It is asked once. One with a `_setup_target` is for that target alone.
    """
    nets = {"setup": Net(f"{key}/init"), "exit": Net(f"{key}/exit")}
    found: dict[str, list[Runnable]] = {"setup": [], "exit": []}
    for attribute in _attributes(key, steps_or_nets):
        if getattr(attribute, "_setup_used", False) or getattr(attribute, "_setup_target", target) != target:
            continue
        for when in ("setup", "exit"):
            ask = getattr(attribute, when, None)
            if ask is not None:
                found[when] += _listed(ask(nets[when]))
                attribute._setup_used = True
    for when, net in nets.items():
        if net.Proto().op:
            found[when].insert(0, net)
    return found["setup"], found["exit"]


def _attributes(key: str, steps_or_nets: Iterable[Runnable]) -> list[Any]:
    found = []
    for one in steps_or_nets:
        found += one.get_attributes(key) if isinstance(one, Net) else one.get_all_attributes(key)
    return found


def _listed(runnables: Any) -> list[Runnable]:
    if runnables is None:
        return []
    if isinstance(runnables, (Net, ExecutionStep)):
        return [runnables]
    if not isinstance(runnables, (list, tuple)):
        raise TypeError(f"set-up is a net, a step or a list of these, not a {type(runnables).__name__}")
    return list(runnables)


def add_setup_steps(
    step: ExecutionStep, init_nets: list[Runnable], exit_nets: list[Runnable], name: str
) -> ExecutionStep:
    """A step `name` that runs what comes before, `step`, and what comes after; `step` itself where there is neither."""
    if not init_nets and not exit_nets:
        return step
    before = [execution_step(f"{name}:init", init_nets)] if init_nets else []
    after = [execution_step(f"{name}:exit", exit_nets)] if exit_nets else []
    return execution_step(name, [*before, step, *after])

"""What runs before and after a task or a group of tasks, as the attributes of its nets say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from caffe2.python import core

Parts = list[core.Net | core.ExecutionStep]


class SetupNets:
    """Nets to run before and after, as an attribute of a net.

    net.add_attribute(Task.TASK_SETUP, SetupNets([init_net])) runs init_net before the task that runs `net`, and
    TaskGroup.LOCAL_SETUP runs it before all tasks of the group on that node: once, however many nets have the object.
    """

    def __init__(self, init_nets: Parts | None = None, exit_nets: Parts | None = None) -> None:
        self.init_nets = init_nets
        self.exit_nets = exit_nets

    def setup(self, init_net: core.Net) -> Parts | None:
        """The nets to run before."""
        return self.init_nets

    def exit(self, exit_net: core.Net) -> Parts | None:
        """The nets to run after."""
        return self.exit_nets

    def __repr__(self) -> str:
        return f"SetupNets(init_nets={self.init_nets}, exit_nets={self.exit_nets})"


def get_setup_nets(key: str, steps_or_nets: Iterable[Any], target: Any) -> tuple[Parts, Parts]:
    """What the objects that nets have under the attribute `key` want run before and after.

    An object may have methods setup(net) and exit(net), which add operators to the net or give nets or steps. One that
    was asked before, or whose `_setup_target` is another than `target`, is passed over.
    """
    init_net, exit_net = core.Net(f"{key}/init"), core.Net(f"{key}/exit")
    init_nets: Parts = []
    exit_nets: Parts = []
    for obj in [obj for part in steps_or_nets for obj in _attributes(part, key)]:
        if getattr(obj, "_setup_used", False) or getattr(obj, "_setup_target", target) != target:
            continue
        for method, net, nets in (("setup", init_net, init_nets), ("exit", exit_net, exit_nets)):
            if hasattr(obj, method):
                nets.extend(_parts(getattr(obj, method)(net)))
                obj._setup_used = True
    for net, nets in ((init_net, init_nets), (exit_net, exit_nets)):
        if net.Proto().op:
            nets.insert(0, net)
    return init_nets, exit_nets


def _attributes(part: Any, key: str) -> list[Any]:
    for method in ("get_all_attributes", "get_attributes"):
        if hasattr(part, method):
            return getattr(part, method)(key)
    return []


def _parts(given: Any) -> Sequence[Any]:
    if isinstance(given, (core.Net, core.ExecutionStep)):
        return [given]
    if given is not None and not isinstance(given, (list, tuple)):
        raise TypeError(f"setup and exit give nets or steps, not a {type(given).__name__}")
    return given or ()


def add_setup_steps(step: core.ExecutionStep, init_nets: Parts, exit_nets: Parts, name: str) -> core.ExecutionStep:
    """A step `name` of the parts to run before, `step`, and those to run after; `step` itself where there are none."""
    if not init_nets and not exit_nets:
        return step
    before = [core.execution_step(f"{name}:init", init_nets)] if init_nets else []
    after = [core.execution_step(f"{name}:exit", exit_nets)] if exit_nets else []
    return core.execution_step(name, [*before, step, *after])

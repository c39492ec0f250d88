"""Builders that become one net with a control operator, If or While."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python.control_ops_util import add_if_op, add_while_op


class ControlBuilder(NetBuilder):
    """Becomes one net: on leaving it, `_build` makes that of the net of all parts, or None where there are no parts."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, _use_control_ops=True)

    def _finish(self) -> None:
        children = self._take_children()
        self._build(NetBuilder.merge_nets(children, self._lexical_scope))

    def _build(self, body: core.Net | None) -> None:
        raise NotImplementedError


class RunIfNet(ControlBuilder):
    """Runs if a blob is true, as the operator If."""

    def __init__(self, cond_blob: Any, name: str | None = None) -> None:
        super().__init__(name)
        demand(cond_blob, "Conditional blob is not specified for an If net")
        self._cond_blob = cond_blob

    def _build(self, body: core.Net | None) -> None:
        self._then_net = body or core.Net("empty_then_net")
        self._add_if(f"{self.name}/if_net", self._lexical_scope, None)

    def _add_if(self, name: str, scope: set[str], else_net: core.Net | None) -> None:
        net = core.Net(name)
        add_if_op(net, self._cond_blob, scope, self._then_net, else_net)
        self._become(net)


class RunElseNet(ControlBuilder):
    """The other branch of the RunIfNet right before it."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        parent = NetBuilder.current(required=False)
        before = parent._children[-1:] if parent else []
        demand(before and isinstance(before[0], RunIfNet), "Invalid use of Else builder")
        (self._if_builder,) = before

    def _build(self, body: core.Net | None) -> None:
        if body:
            self._if_builder._add_if(f"{self.name}/if_else_net", self._lexical_scope, body)


class RunWhileNet(ControlBuilder):
    """Runs as long as its condition holds, as the operator While."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._cond_builder: RunWhileCondition | None = None

    def _build(self, body: core.Net | None) -> None:
        demand(self._cond_builder, "Condition builder must be specified in While op")
        net = core.Net(f"{self.name}/while_net")
        body = body or core.Net("empty_loop_body_net")
        add_while_op(net, self._cond_builder._cond_blob, self._lexical_scope, body, self._cond_builder._cond_net)
        self._become(net)


class RunWhileCondition(ControlBuilder):
    """Finds the condition of the RunWhileNet around it: the only output of its last operator."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        parent = NetBuilder.current(required=False)
        demand(isinstance(parent, RunWhileNet), "Invalid use of loop condition builder")
        demand(not parent._cond_builder, "Multiple loop condition builders specified")
        demand(not parent._children, "Condition definition must be specified before the loop's body")
        parent._cond_builder = self

    def _build(self, body: core.Net | None) -> None:
        demand(body and body.Proto().op, "a loop's condition has operators")
        *_, last = body.Proto().op
        demand(len(last.output) == 1, f"a loop's condition ends with one output, not with {list(last.output)}")
        self._cond_net = body
        self._cond_blob = core.BlobReference(name=last.output[0], net=None)
        self._become(body)

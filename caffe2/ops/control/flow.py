"""If and While: nets that run, or run again, when a condition holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.blob import describe


def truth(condition: Any, name: str) -> bool:
    """The one boolean that a condition blob holds. Raises EnforceNotMet where it holds anything else."""
    if not isinstance(condition, Tensor) or condition.numel() != 1 or condition.dtype != torch.bool:
        raise EnforceNotMet(f"{name}: the condition is one boolean, got {describe(condition)}")
    return bool(condition)


@op("If: condition *captured -> *written", inplace=None, stores=False, empty=True, shape=UNKNOWN)
class If(Op):
    """Runs then_net when condition holds, else_net, if there is one, otherwise; both on the workspace of the operator.

    then_net, else_net: nets; they read the captured blobs and write the written ones by name.
    """

    then_net: NetDef
    else_net: NetDef | None = None

    def bind(self, site: Site) -> None:
        self.when = site.bind_net(self.then_net)
        self.otherwise = site.bind_net(self.else_net) if self.else_net is not None else None

    def __call__(self, condition: Any, *captured: Any) -> None:
        if truth(condition, "If"):
            self.when()
        elif self.otherwise:
            self.otherwise()


@op("While: condition *captured -> *written", inplace=None, stores=False, empty=True, shape=UNKNOWN)
class While(Op):
    """Runs loop_net as long as condition holds; the nets read and write blobs of the operator's workspace by name.

    condition: bool, one element.
    loop_net: the net that is repeated.
    cond_net: computes the condition before every look at it, if given.
    """

    loop_net: NetDef
    cond_net: NetDef | None = None

    def bind(self, site: Site) -> None:
        self.body = site.bind_net(self.loop_net)
        self.test = site.bind_net(self.cond_net) if self.cond_net is not None else None
        self.condition = site.workspace.require(site.inputs[0])

    def __call__(self, condition: Any, *captured: Any) -> None:
        while True:
            if self.test:
                self.test()
            if not truth(self.condition.value, "While"):
                return
            self.body()

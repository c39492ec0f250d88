"""ONNXWhile: ONNX's Loop as an operator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops.control.flow import truth
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.workspace import Workspace


@op("ONNXWhile: max_trip_count condition *initial -> *outputs", inplace=None, stores=False, empty=True, shape=UNKNOWN)
class ONNXWhile(Op):
    """Runs `body` again and again, carrying N values from one run to the next and stacking K others (ONNX's Loop).

    max_trip_count: int64, one element; obeyed with has_trip_count.
    condition: bool, one element; obeyed with has_cond.
    initial: the N carried values before the first run.
    outputs: the N carried values at the end, then the K stacks (trips, ...).
    body: a net of external inputs (iteration int64, condition bool, N carried values) and external outputs (condition,
        N carried values, K values to stack).
    has_trip_count: stops after max_trip_count runs.
    has_cond: stops where the condition does not hold.
    save_scopes: a workspace of its own for every run.
    disable_scopes: the body runs on the workspace of the operator, not in one of its own.
    """

    body: NetDef
    has_trip_count: bool = False
    has_cond: bool = False
    save_scopes: bool = False
    disable_scopes: bool = False

    def bind(self, site: Site) -> None:
        self.site = site
        self.inner, self.results = list(self.body.external_input), list(self.body.external_output)
        self.carried = len(site.inputs) - 2
        self.stacked = len(self.results) - 1 - self.carried
        if len(self.inner) != self.carried + 2:
            raise EnforceNotMet(f"ONNXWhile: body takes {self.carried + 2} inputs and has {self.inner}")
        if self.stacked < 0 or len(site.outputs) != self.carried + self.stacked:
            raise EnforceNotMet(f"ONNXWhile: body gives {self.results} for {len(site.outputs)} outputs")
        self.cells = [site.workspace.cell(name) for name in site.outputs]
        self.scope, self.run = None, None

    def _enter(self) -> None:
        if self.scope is None or self.save_scopes:
            self.scope = self.site.workspace if self.disable_scopes else Workspace(self.site.workspace)
            make = self.scope.cell if self.disable_scopes else self.scope.local
            for name in (*self.inner, *self.results):
                make(name)
            self.run = self.site.bind_net(self.body, self.scope)

    def __call__(self, max_trip_count: Any, condition: Any, *initial: Tensor) -> None:
        trips, goes_on = 0, truth(condition, "ONNXWhile") if self.has_cond else True
        limit = int(max_trip_count) if self.has_trip_count else None
        values: list[Tensor] = [v.clone() for v in initial]
        stacks: list[list[Tensor]] = [[] for _ in range(self.stacked)]
        while goes_on and (limit is None or trips < limit):
            self._enter()
            given = [torch.tensor(trips), torch.tensor(goes_on), *values]
            for name, value in zip(self.inner, given):
                self.scope.require(name).value = value
            self.run()
            found = [self.scope.require(name).value for name in self.results]
            goes_on = truth(found[0], "ONNXWhile") if self.has_cond else True
            values = [v.clone() for v in found[1 : 1 + self.carried]]
            for stack, value in zip(stacks, found[1 + self.carried :]):
                if stack and stack[0].shape != value.shape:
                    shapes = list(stack[0].shape), list(value.shape)
                    raise EnforceNotMet("ONNXWhile: a value to stack changed from {} to {}".format(*shapes))
                stack.append(value.clone())
            trips += 1
        for cell, value in zip(self.cells, [*values, *map(_scanned, stacks)]):
            cell.value = value


def _scanned(values: list[Tensor]) -> Tensor:
    """Values of all trips along a new first dimension; as in the original one of size 1 that they have serves as it."""
    if not values:
        return torch.zeros(0, dtype=torch.int32)
    return torch.cat(values) if values[0].dim() and values[0].shape[0] == 1 else torch.stack(values)

"""Do: a net in a workspace of its own, kept on a stack so that its gradient finds what it computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.blob import Blob, describe
from caffe2.runtime.workspace import Workspace


class Scopes:
    """A stack of workspaces: Do pushes one, the gradient of Do pops it; popped ones serve again."""

    def __init__(self) -> None:
        self._made: list[Workspace] = []
        self._copies: list[dict[str, Blob]] = []
        self._depth = 0

    def __len__(self) -> int:
        return self._depth

    def clear(self) -> None:
        """Forget what is on the stack; the workspaces serve again."""
        self._depth = 0

    def push(self, parent: Workspace, names: Mapping[str, str]) -> Workspace:
        """A workspace that sees blobs of `parent` under the names given, and nothing else of it."""
        if self._depth == len(self._made):
            self._made.append(Workspace(parent, names))
            self._copies.append({})
        scope = self._made[self._depth]
        self._map(scope, parent, names)
        self._depth += 1
        return scope

    def last(self, parent: Workspace, names: Mapping[str, str]) -> Workspace:
        """The workspace on top, seeing `parent` under the names given."""
        scope = self._made[self._depth - 1]
        self._map(scope, parent, names)
        return scope

    def pop(self, parent: Workspace, names: Mapping[str, str]) -> Workspace:
        """Take the workspace on top off; blobs that it does not have yet are seen in `parent`.

        Raises EnforceNotMet where the stack is empty.
        """
        if not self._depth:
            raise EnforceNotMet("Do: there is no scope left for the gradient; run the forward operator first")
        self._depth -= 1
        scope = self._made[self._depth]
        self._map(scope, parent, {k: v for k, v in names.items() if k not in scope})
        return scope

    def keep(self, names: Mapping[str, str]) -> None:
        """Give the workspace on top copies of the blobs of its parent, as they are now."""
        scope, copies = self._made[self._depth - 1], self._copies[self._depth - 1]
        for name in names:
            held = scope.require(name).value
            if not isinstance(held, torch.Tensor):
                raise EnforceNotMet(f"Do: copy_external_blobs copies tensors, and {name} is none")
            cell = copies.setdefault(name, Blob(name))
            cell.value = held.clone()
            scope.share(name, cell)

    @staticmethod
    def _map(scope: Workspace, parent: Workspace, names: Mapping[str, str]) -> None:
        for inner, outer in names.items():
            scope.share(inner, parent.require(outer))


@op("CreateScope: -> scope", gradient=NONE)
def create_scope() -> Scopes:
    """An empty stack of scopes, for Do to keep its workspaces on."""
    return Scopes()


@op("HasScope: scope -> result", inplace=None, gradient=NONE)
def has_scope(scope: Scopes) -> torch.Tensor:
    """Whether a scope holds a workspace that no gradient has used.

    result: (1), bool.
    """
    return torch.tensor([len(scope) > 0])


@op("Do: +inputs -> +outputs", inplace=None, stores=False, empty=True, shape=UNKNOWN)
class Do(Op):
    """Runs a net in a workspace of its own, which sees the blobs of the operator under names of its own.

    inputs, outputs: the blobs that the net sees; the last of each is the scope, made by CreateScope.
    net: the net.
    inner_blobs, outer_blobs_idx: inner_blobs[k] names, within, the blob at outer_blobs_idx[k] of inputs then outputs,
        the scope left out.
    copy_external_blobs: copies of those blobs are kept within, for the gradient, before someone overwrites them.
    saved_fwd_blobs: names of blobs of the forward run that a net of gradients sees; the gradient sets it.
    reuse_workspace: the net runs in the workspace on top of the stack, instead of pushing a new one.
    """

    net: NetDef
    inner_blobs: tuple[str, ...] = ()
    outer_blobs_idx: tuple[int, ...] = ()
    saved_fwd_blobs: tuple[str, ...] = ()
    copy_external_blobs: bool = False
    reuse_workspace: bool = False

    def bind(self, site: Site) -> None:
        self.site, self.backward = site, site.op.is_gradient_op
        if site.inputs[-1] != site.outputs[-1]:
            raise EnforceNotMet(f"Do: its scope is the last input and output, got {site.inputs[-1]} {site.outputs[-1]}")
        outer = [*site.inputs[:-1], *site.outputs[:-1]]
        indices = self.outer_blobs_idx
        if len(self.inner_blobs) != len(indices) or len(set(self.inner_blobs)) != len(self.inner_blobs):
            raise EnforceNotMet(f"Do: inner_blobs {self.inner_blobs} and outer_blobs_idx {indices} do not pair up")
        if any(not 0 <= k < len(outer) for k in indices):
            raise EnforceNotMet(f"Do: outer_blobs_idx {indices} go beyond the {len(outer)} blobs of the operator")
        bound = [outer[k] for k in indices]
        if len(set(bound)) != len(bound) or set(bound) != set(outer):
            raise EnforceNotMet(f"Do: every one of {sorted(set(outer))} needs one inner name, got {bound}")
        if self.reuse_workspace and (self.copy_external_blobs or self.backward):
            raise EnforceNotMet("Do: reuse_workspace goes with neither copy_external_blobs nor a gradient")
        self.names = dict(zip(self.inner_blobs, bound))

    def __call__(self, *blobs: Any) -> None:
        scopes = blobs[-1]
        if not isinstance(scopes, Scopes):
            raise EnforceNotMet(f"Do: {self.site.inputs[-1]} is a scope, as CreateScope makes, not {describe(scopes)}")
        if self.backward:
            scope = scopes.pop(self.site.workspace, self.names)
        elif self.reuse_workspace and len(scopes):
            scope = scopes.last(self.site.workspace, self.names)
        else:
            scope = scopes.push(self.site.workspace, self.names)
        if self.net.name not in scope.net_names():
            scope.create_net(self.net)
        scope.run_net(self.net.name)
        if self.copy_external_blobs and not self.backward:
            scopes.keep(self.names)

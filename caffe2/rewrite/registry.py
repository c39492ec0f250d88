"""Passes by name."""

from __future__ import annotations

from collections.abc import Callable

from caffe2.opdef import EnforceNotMet, did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

Pass = Callable[[caffe2_pb2.NetDef], None]
passes: dict[str, Pass] = {}
"""Each changes the net that it is given, in place."""

WorkspacePass = Callable[[caffe2_pb2.NetDef, Workspace], None]
workspace_passes: dict[str, WorkspacePass] = {}
"""Each changes the net that it is given, and the parameters of it in a workspace, in place."""


def named(name: str) -> Callable[[Pass], Pass]:
    """Register the pass below under a name of the original's."""

    def attach(function: Pass) -> Pass:
        passes[name] = function
        return function

    return attach


def named_with_workspace(name: str) -> Callable[[WorkspacePass], WorkspacePass]:
    """Register the pass below, which works on a workspace too, under a name of the original's."""

    def attach(function: WorkspacePass) -> WorkspacePass:
        workspace_passes[name] = function
        return function

    return attach


def apply(name: str, net: caffe2_pb2.NetDef) -> caffe2_pb2.NetDef:
    """A copy of a net, changed by the pass of that name. Raises EnforceNotMet for an unknown one."""
    if name not in passes:
        raise EnforceNotMet(f"no transform is named {name!r}{did_you_mean(name, passes)}; there are {sorted(passes)}")
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    passes[name](made)
    return made

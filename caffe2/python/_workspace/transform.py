"""Nets transformed by passes that are known by name."""

from __future__ import annotations

from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._workspace.names import message
from caffe2.rewrite import apply
from caffe2.runtime.observe import benchmark
from caffe2.runtime.workspace import Workspace


def ApplyTransform(transform_key: Any, net: Any) -> caffe2_pb2.NetDef:
    """A copy of a net, changed by the transform of that name. Raises EnforceNotMet for an unknown one."""
    return apply(str(transform_key), message(net, caffe2_pb2.NetDef))


def ApplyTransformIfFaster(
    transform_key: Any,
    net: Any,
    init_net: Any,
    *,
    warmup_runs: int = 5,
    main_runs: int = 10,
    improvement_threshold: float = 1.01,
) -> caffe2_pb2.NetDef:
    """The transformed net where it is `improvement_threshold` times as fast, else the net.

    Both are timed over main_runs runs, after warmup_runs others, in a workspace of their own that init_net fills.
    """
    before = message(net, caffe2_pb2.NetDef)
    after = ApplyTransform(transform_key, before)
    workspace = Workspace()
    workspace.run_net_once(message(init_net, caffe2_pb2.NetDef))
    slow, fast = (benchmark(workspace.bind_net(n), warmup_runs, main_runs, False)[0] for n in (before, after))
    return after if improvement_threshold * fast < slow else before

"""Nets transformed by name."""

from __future__ import annotations

from typing import Any

from caffe2 import rewrite
from caffe2.proto import caffe2_pb2
from caffe2.runtime.observe import benchmark
from caffe2.runtime.workspaces import workspaces


def ApplyTransform(transform_key: str, net: caffe2_pb2.NetDef) -> caffe2_pb2.NetDef:
    """A net changed by the transform of that name. Raises EnforceNotMet, a RuntimeError, for an unknown one."""
    return rewrite.apply(str(transform_key), net)


def ApplyTransformIfFaster(
    transform_key: str, net: caffe2_pb2.NetDef, init_net: caffe2_pb2.NetDef, **kwargs: Any
) -> caffe2_pb2.NetDef:
    """The transformed net where it runs faster by a factor, else the net; both are run on the current workspace.

    warmup_runs (5), main_runs (10): how often each is run. improvement_threshold (1.01): the factor.
    """
    runs = int(kwargs.get("warmup_runs", 5)), int(kwargs.get("main_runs", 10))
    changed = ApplyTransform(transform_key, net)
    workspace = workspaces.current
    workspace.run_net_once(init_net)
    before, after = (benchmark(workspace.bind_net(n), *runs, False)[0] for n in (net, changed))
    return changed if before > after * float(kwargs.get("improvement_threshold", 1.01)) else net

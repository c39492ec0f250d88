"""What the C extension of the original offers on transforms of serialized nets, under its names."""

from __future__ import annotations

from functools import partial

from caffe2 import rewrite
from caffe2.proto import caffe2_pb2
from caffe2.python._workspace.inference import FillRandomNetworkInputs
from caffe2.python._workspace.transforms import ApplyTransformIfFaster
from caffe2.runtime.workspaces import workspaces


def transform_exists(name: str) -> bool:
    """Whether a transform of nets has that name."""
    return name in rewrite.passes


def workspace_transform_exists(name: str) -> bool:
    """Whether a transform of nets and their parameters has that name."""
    return name in rewrite.workspace_passes


def run_transform(name: str | bytes, net: bytes) -> bytes:
    """A serialized net, transformed. Raises EnforceNotMet for an unknown name."""
    word = name.decode() if isinstance(name, bytes) else name
    return rewrite.apply(word, caffe2_pb2.NetDef.FromString(net)).SerializeToString()


def run_workspace_transform(name: str, net: bytes) -> bytes:
    """A serialized net, transformed with its parameters in the current workspace."""
    definition = caffe2_pb2.NetDef.FromString(net)
    rewrite.workspace_passes[name](definition, workspaces.current)
    return definition.SerializeToString()


def apply_transform_if_faster(
    name: str | bytes, net: bytes, init_net: bytes, warmup_runs: int, main_runs: int, improvement_threshold: float
) -> bytes:
    """A serialized net, transformed where it then runs faster by a factor."""
    word = name.decode() if isinstance(name, bytes) else name
    made = ApplyTransformIfFaster(
        word,
        caffe2_pb2.NetDef.FromString(net),
        caffe2_pb2.NetDef.FromString(init_net),
        warmup_runs=warmup_runs,
        main_runs=main_runs,
        improvement_threshold=improvement_threshold,
    )
    return made.SerializeToString()


def transform_optimizeForMKLDNN(net: bytes, training_mode: bool = False) -> bytes:
    """The net itself: MKL-DNN's kernels serve operators on the CPU anyway."""
    return net


apply_transform, fill_random_network_inputs = run_transform, FillRandomNetworkInputs
transform_addNNPACK = partial(run_transform, "AddNNPACK")
transform_fuseNNPACKConvRelu = partial(run_transform, "FuseNNPACKConvRelu")
transform_fuseConvBN = partial(run_workspace_transform, "FuseConvBN")

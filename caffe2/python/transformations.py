"""Nets changed in place into others that compute the same."""

from __future__ import annotations

from collections.abc import Callable

from caffe2 import rewrite
from caffe2.opdef import did_you_mean
from caffe2.python._core.net import Net
from caffe2.runtime.workspaces import workspaces


class Transformer:
    """Transforms by name: `Transformer().FuseConvBN(net)`."""

    @classmethod
    def runTransform(cls, transform_name: str, net: Net) -> None:
        """Change a net by the transform of that name. Raises AttributeError where there is none.

        A transform that changes parameters changes them in the current workspace.
        """
        if transform_name in rewrite.passes:
            rewrite.passes[transform_name](net.Proto())
        elif transform_name in rewrite.workspace_passes:
            rewrite.workspace_passes[transform_name](net.Proto(), workspaces.current)
        else:
            known = [*rewrite.passes, *rewrite.workspace_passes]
            raise AttributeError(f"Transformation {transform_name} not found{did_you_mean(transform_name, known)}.")

    def __getattr__(self, transform_name: str) -> Callable[[Net], None]:
        if transform_name.startswith("__"):
            raise AttributeError(transform_name)
        return lambda net: self.runTransform(transform_name, net)


def fuseNNPACKConvRelu(net: Net) -> None:
    """Convolutions of the engine NNPACK take the Relu that follows into themselves."""
    Transformer.runTransform("FuseNNPACKConvRelu", net)


def optimizeForMKLDNN(net: Net, training_mode: bool = False) -> None:
    """Leaves the net as it is: MKL-DNN's kernels serve operators on the CPU anyway."""


def fuseConvBN(net: Net) -> None:
    """Batch normalizations in test mode go into the weights, in the current workspace, of the convolutions before."""
    Transformer.runTransform("FuseConvBN", net)

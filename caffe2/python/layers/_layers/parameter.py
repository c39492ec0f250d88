"""The parameters of layers."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python._misuse import demand

logger = logging.getLogger(__name__)


class LayerPsParam(NamedTuple):
    """What a parameter server knows of a parameter: the blob of the ids that it is read by, and how many at once."""

    sparse_key: Any
    average_length: Any


class AccessedFeatures(NamedTuple):
    """Features that a layer reads: their type and ids."""

    type: str
    ids: set[int]


class LayerParameter:
    """A parameter's blob, the operator that fills it, and who updates it.

    Its shape is the argument of that operator, or else that of what it makes. Raises Misuse for shapes that differ.
    """

    def __init__(
        self,
        parameter: core.BlobReference | None = None,
        optimizer: Any = None,
        initializer: caffe2_pb2.OperatorDef | None = None,
        ps_param: LayerPsParam | None = None,
        regularizer: Any = None,
    ) -> None:
        demand(isinstance(parameter, core.BlobReference), f"a parameter is a BlobReference, not {parameter!r}")
        self._shape: list[int] | None = None
        self.parameter = parameter
        self.optimizer = optimizer
        self.initializer = initializer
        self.ps_param = ps_param
        self.regularizer = regularizer

    @property
    def initializer(self) -> caffe2_pb2.OperatorDef | None:
        """The operator that fills the parameter."""
        return self._initializer

    @initializer.setter
    def initializer(self, op: caffe2_pb2.OperatorDef | None) -> None:
        demand(op is None or core.IsOperator(getattr(op, "type", "")), f"an initializer is an operator, not {op!r}")
        self._initializer = op
        if op is not None:
            self.shape = self._infer_shape_from_initializer()

    @property
    def shape(self) -> list[int] | None:
        """The shape of the parameter; None where it is not known."""
        return self._shape

    @shape.setter
    def shape(self, shape: list[int] | None) -> None:
        demand(self.shape in (None, shape), f"inconsistent shape of {self}: expected {self.shape}, but got {shape}")
        self._shape = shape

    def _infer_shape_from_initializer(self) -> list[int] | None:
        for arg in self.initializer.arg:
            if arg.name == "shape":
                return list(arg.ints)
        with workspace.WorkspaceGuard("model_init_by_loading_params"):
            try:
                net = core.Net("shape_checker")
                net.Proto().op.extend([self.initializer])
                blob = net.NextScopedBlob(self.parameter + "_shape")
                net.Shape([self.parameter], blob)
                workspace.RunNetOnce(net)
                return workspace.FetchBlob(blob).tolist()
            except RuntimeError as error:
                logger.warning("the shape that %s gives %s is not known: %s", self.initializer.type, self, error)
                return None
            finally:
                workspace.ResetWorkspace()

    def __str__(self) -> str:
        return str(self.parameter)

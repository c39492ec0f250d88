"""What a model knows of one of its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand


class ParameterTags:
    """What a parameter is for; a computed parameter, such as a running mean, has no gradient."""

    BIAS = "BIAS"
    WEIGHT = "WEIGHT"
    COMPUTED_PARAM = "COMPUTED_PARAM"


class ParameterInfo:
    """A parameter's blob, shape and gradient, and who updates it.

    param_id: a number of the parameter within its model, or None.
    key: the name of a field of the input record that the parameter belongs to.
    length: how many rows of the parameter one example reads; at least 1.
    blob_copy: copies of the parameter in other element types, by DataType.
    """

    def __init__(
        self,
        param_id: int | None,
        param: core.BlobReference,
        key: Any = None,
        shape: Sequence[int] | None = None,
        length: int | None = None,
        grad: Any = None,
        blob_copy: Mapping[int, core.BlobReference] | None = None,
    ) -> None:
        demand(isinstance(param, core.BlobReference), f"a parameter is a BlobReference, not {param!r}")
        self.param_id = param_id
        self.name = str(param)
        self.blob = param
        self.key = key
        self.shape = shape
        self.size = None if shape is None else math.prod(shape)
        self.length = max(1, length or 1)
        self.grad = grad
        self._cloned_init_net = None
        self.blob_copy = blob_copy
        self.regularizer: Any = None
        self._optimizer: Any = None

    @property
    def parameter(self) -> core.BlobReference:
        """The parameter's blob."""
        return self.blob

    @property
    def optimizer(self) -> Any:
        """The optimizer of this parameter in particular; it can be set once."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        demand(self._optimizer is None, f"parameter {self.name} has an optimizer already: {self._optimizer!r}")
        self._optimizer = value

    def __str__(self) -> str:
        return self.name

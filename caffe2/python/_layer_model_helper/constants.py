"""Constants that all layers of a model may read, filled by every init net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, utils
from caffe2.python._misuse import demand

Initializer = Callable[[core.BlobReference], caffe2_pb2.OperatorDef]

_FILLS = {"int32": "GivenTensorIntFill", "int64": "GivenTensorInt64Fill", "bool": "GivenTensorBoolFill"}
"""The operator that fills in a constant, by element type; strings and, for all others, float have theirs too."""


class GlobalConstants:
    """The part of a model of layers that holds its constants: blobs by name, and the operators that fill them."""

    net: core.Net
    global_constants: dict[str, core.BlobReference]
    global_constant_initializers: dict[core.BlobReference, caffe2_pb2.OperatorDef]

    @staticmethod
    def _get_global_constant_initializer_op(
        blob_name: core.BlobReference, array: Any = None, dtype: Any = None, initializer: Initializer | None = None
    ) -> caffe2_pb2.OperatorDef:
        demand((array is None) != (initializer is None), "a constant has either an array or an initializer")
        if initializer is not None:
            return initializer(blob_name)
        array = np.array(array) if dtype is None else np.array(array, dtype=dtype)
        fill = "GivenTensorStringFill" if array.dtype.kind in "SUO" else _FILLS.get(array.dtype.name, "GivenTensorFill")
        return core.CreateOperator(fill, [], blob_name, shape=array.shape, values=array.flatten().tolist())

    def add_global_constant(
        self, name: str, array: Any = None, dtype: Any = None, initializer: Initializer | None = None
    ) -> core.BlobReference:
        """A new constant: an array, or what the operator that `initializer` makes for its blob fills in.

        Raises Misuse where there is one of that name.
        """
        demand(isinstance(name, str), f"a constant is named by a string, not {name!r}")
        demand(name not in self.global_constants, f"there is a constant named {name} already")
        blob = self.net.NextBlob(name)
        self.global_constants[name] = blob
        self.global_constant_initializers[blob] = self._get_global_constant_initializer_op(
            blob, array, dtype, initializer
        )
        return blob

    def maybe_add_global_constant(self, name: str, *args: Any, **kwargs: Any) -> core.BlobReference:
        """The constant of this name, new or, if it is filled in the same way, an earlier one; raises Misuse if not."""
        if name not in self.global_constants:
            return self.add_global_constant(name, *args, **kwargs)
        blob = self.global_constants[name]
        now, before = (
            self._get_global_constant_initializer_op(blob, *args, **kwargs),
            self.global_constant_initializers[blob],
        )
        demand(
            utils.OpAlmostEqual(now, before, "debug_info"),
            f"the constant {name} is filled in different ways: before by {before}, now by {now}",
        )
        return blob

    def _init_global_constants(self) -> None:
        self.global_constants = {}
        self.global_constant_initializers = {}
        self.add_global_constant("ONE", 1.0)
        self.add_global_constant("NAN", float("NaN"))
        self.add_global_constant("ZERO", 0.0)
        self.add_global_constant("ZERO_RANGE", [0, 0], dtype="int32")

    def _add_global_constants(self, init_net: core.Net) -> None:
        init_net._net.op.extend(self.global_constant_initializers.values())

    def create_init_net(self, name: str) -> core.Net:
        """A net that fills the constants."""
        init_net = core.Net(name)
        self._add_global_constants(init_net)
        return init_net

    def _GetOne(self) -> core.BlobReference:
        return self.global_constants["ONE"]

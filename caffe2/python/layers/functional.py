"""Functional: a layer made of a function that adds operators."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, schema, scope, workspace
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer

logger = logging.getLogger(__name__)

_TYPES = {
    caffe2_pb2.TensorProto.DOUBLE: np.float64,
    caffe2_pb2.TensorProto.FLOAT: np.float32,
    caffe2_pb2.TensorProto.INT32: np.int32,
    caffe2_pb2.TensorProto.INT64: np.int64,
    caffe2_pb2.TensorProto.FLOAT16: np.float16,
}


class Functional(ModelLayer):
    """A layer whose operators `function(net, input_record, output_record, **kwargs)` appends.

    output_names_or_num: the names of the output's fields, or their number, one of which is a Scalar, more a Struct; or
        the record itself.
    output_dtypes: the fields' types; without them they are inferred from the operators, as far as that is possible.
    """

    def __init__(
        self,
        model: Any,
        input_record: Any,
        output_names_or_num: Any,
        function: Callable[..., None],
        name: str = "functional",
        output_dtypes: Any = None,
        tags: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, schema.as_record(input_record), tags=tags, **kwargs)
        self._function = function
        self._kwargs = kwargs
        if isinstance(output_names_or_num, schema.Field):
            self.output_schema = output_names_or_num.clone(keep_blobs=True)
            return
        outputs = self._new_outputs(output_names_or_num)
        single = output_names_or_num == 1 or not isinstance(output_names_or_num, (int, list))
        self.output_schema = outputs[0] if single else outputs
        if output_dtypes is None:
            self._infer_types()
            return
        scalars = self.output_schema.all_scalars()
        types = output_dtypes if isinstance(output_dtypes, list) else [output_dtypes] * len(scalars)
        demand(len(types) == len(scalars), f"{len(scalars)} output_dtypes are expected, not {len(types)}")
        for dtype, scalar in zip(types, scalars):
            scalar.set_type(dtype)

    def _new_outputs(self, names_or_num: Any) -> schema.Struct:
        if isinstance(names_or_num, int):
            record = schema.RawTuple(names_or_num)
        else:
            names = names_or_num if isinstance(names_or_num, list) else [names_or_num]
            record = schema.Struct(*((name, np.void) for name in names))
        with scope.NameScope(self.name, reset=True):
            return schema.NewRecord(self.model.net, record)

    def _infer_types(self) -> None:
        """Give the outputs the types and shapes that the operators make of an input without examples."""
        unknown = []
        try:
            net = core.Net("_temp_type_and_shape_inference_net")
            schema.InitEmptyRecord(net, self.input_record, enforce_types=True)
            self._function(net, self.input_record, self.output_schema, **self._kwargs)
            shapes, types = workspace.InferShapesAndTypes([net], {})
            unknown = [s() for s in self.output_schema.all_scalars() if not _set_type(s, shapes, types)]
        except TypeError as error:
            unknown = [error]
        if unknown:
            logger.warning("layer %s: types could not be inferred: %s", self.name, ", ".join(map(str, unknown)))

    def add_ops(self, net: core.Net) -> None:
        self._function(net, self.input_record, self.output_schema, **self._kwargs)


def _set_type(scalar: schema.Scalar, shapes: dict[str, list[int]], types: dict[str, int]) -> bool:
    """Give a scalar its inferred type; whether that is known, without examples, or without a dimension for them."""
    blob = scalar()
    if blob not in types or blob not in shapes or (shapes[blob] and shapes[blob][0] != 0):
        return False
    dtype = _TYPES.get(types[blob])
    if dtype is not None:
        scalar.set_type((dtype, tuple(shapes[blob][1:])))
    return True

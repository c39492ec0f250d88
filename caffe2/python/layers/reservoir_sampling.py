"""ReservoirSampling: a uniform sample of all examples seen."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer

_INT64 = core.DataType.INT64


class ReservoirSampling(ModelLayer):
    """reservoir: num_to_collect examples of the field data, each of all runs as likely as any; num_visited; and mutex.

    Where the record has object_id, an example replaces the one of its id. Vitter, 1985.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        num_to_collect: int,
        name: str = "reservoir_sampling",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(num_to_collect > 0, f"num_to_collect is positive: {num_to_collect}")
        self.num_to_collect = num_to_collect
        zero = ("ConstantFill", {"value": 0, "dtype": _INT64})
        self.reservoir = self.create_param("reservoir", [0], ("ConstantFill",), model.NoOptim)
        self.num_visited_blob = self.create_param("num_visited", [], zero, model.NoOptim)
        self.mutex = self.create_param("mutex", [], ("CreateMutex",), model.NoOptim)
        self.extra_input_blobs: list[core.BlobReference] = []
        self.extra_output_blobs: list[core.BlobReference] = []
        if "object_id" in input_record:
            # The original names the second type valued_dtype, which CreateMap does not know; it is int32 in any case.
            create = ("CreateMap", {"key_dtype": _INT64, "valued_dtype": core.DataType.INT32})
            positions = self.create_param("object_to_pos", None, create, model.NoOptim)
            objects = self.create_param("pos_to_object", [0], zero, model.NoOptim)
            self.extra_input_blobs = [input_record.object_id(), positions, objects]
            self.extra_output_blobs = [positions, objects]
        self.output_schema = schema.Struct(
            ("reservoir", schema.from_blob_list(input_record.data, [self.reservoir])),
            ("num_visited", schema.Scalar(blob=self.num_visited_blob)),
            ("mutex", schema.Scalar(blob=self.mutex)),
        )

    def add_ops(self, net: core.Net) -> None:
        net.ReservoirSampling(
            [self.reservoir, self.num_visited_blob, self.input_record.data(), self.mutex, *self.extra_input_blobs],
            [self.reservoir, self.num_visited_blob, *self.extra_output_blobs],
            num_to_collect=self.num_to_collect,
        )

"""LastNWindowCollector: the last examples seen."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class LastNWindowCollector(ModelLayer):
    """last_n: the last num_to_collect examples of all runs, in a ring; num_visited: how many there were; and mutex."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        num_to_collect: int,
        name: str = "last_n_window_collector",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(num_to_collect > 0, f"num_to_collect is positive: {num_to_collect}")
        self.num_to_collect = num_to_collect
        demand_scalar(input_record)
        self.last_n, self.next_blob, self.mutex, self.num_visited_blob = (
            self.create_param(param, shape, fill, model.NoOptim)
            for param, shape, fill in (
                ("last_n", [0], ("ConstantFill", {})),
                ("next", [], ("ConstantFill", {"value": 0, "dtype": core.DataType.INT32})),
                ("mutex", [], ("CreateMutex",)),
                ("num_visited", [], ("ConstantFill", {"value": 0, "dtype": core.DataType.INT64})),
            )
        )
        self.output_schema = schema.Struct(
            ("last_n", schema.from_blob_list(input_record, [self.last_n])),
            ("num_visited", schema.Scalar(blob=self.num_visited_blob)),
            ("mutex", schema.Scalar(blob=self.mutex)),
        )

    def add_ops(self, net: core.Net) -> None:
        net.LastNWindowCollector(
            [self.last_n, self.next_blob, self.input_record(), self.mutex, self.num_visited_blob],
            [self.last_n, self.next_blob, self.num_visited_blob],
            num_to_collect=self.num_to_collect,
        )

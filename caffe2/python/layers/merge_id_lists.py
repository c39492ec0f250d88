"""MergeIdLists: the ids of several lists as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import IdList, ModelLayer, get_categorical_limit


class MergeIdLists(ModelLayer):
    """For each example, the ids of all fields, IdLists with a categorical limit, each id once."""

    def __init__(self, model: Any, input_record: schema.Field, name: str = "merged") -> None:
        super().__init__(model, name, input_record)
        demand(
            all(schema.equal_schemas(record, IdList) for record in input_record),
            "Inputs to MergeIdLists should all be IdLists.",
        )
        demand(all(r.items.metadata is not None for r in input_record), "Features without metadata are not supported")
        limits = [get_categorical_limit(record) for record in input_record]
        demand(None not in limits, "Unbounded features are not supported")
        items = schema.Scalar(
            np.int64, blob=model.net.NextBlob(name), metadata=schema.Metadata(categorical_limit=max(limits))
        )
        self.output_schema = schema.NewRecord(model.net, schema.List(items))

    def add_ops(self, net: core.Net) -> None:
        net.MergeIdLists(self.input_record.field_blobs(), self.output_schema.field_blobs())

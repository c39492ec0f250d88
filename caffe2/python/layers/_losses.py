"""What layers of losses share: their inputs as float, and examples with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand


def demand_fields(record: schema.Field, **fields: schema.Field) -> None:
    """Raise Misuse unless a record has these fields."""
    expected = schema.Struct(*fields.items())
    demand(
        schema.is_schema_subset(expected, record),
        f"the fields {', '.join(fields)} are expected in the record {record!r}",
    )


def demand_scalar(record: schema.Field, dimensions: int = 0) -> None:
    """Raise Misuse unless a record is one tensor, whose examples have so many dimensions at least."""
    demand(isinstance(record, schema.Scalar), f"Incorrect input type: a Scalar is expected, not {record!r}")
    shape = record.field_type().shape
    demand(len(shape) >= dimensions, f"an input whose examples have a shape is expected, not {record!r}")


def like_prediction(net: core.Net, record: schema.Struct) -> Any:
    """The label, cast to the type of the prediction where it has another."""
    label, kind = record.label.field_blobs(), record.prediction.field_type()
    if record.label.field_type().base == kind.base:
        return label
    return net.Cast(label, net.NextScopedBlob("cast_label"), to=schema.data_type_for_dtype(kind))


def weights_of(net: core.Net, record: schema.Struct) -> core.BlobReference:
    """The weights of the examples, as float."""
    weight = record.weight()
    if record.weight.field_type().base == np.float32:
        return weight
    return net.Cast(weight, weight + "_float32", to=core.DataType.FLOAT)


def weighted(net: core.Net, record: schema.Struct, loss: Any, name: str) -> Any:
    """The losses of examples times their weights, where the record has these; no gradient goes to the weights."""
    if "weight" not in record.fields:
        return loss
    weight = net.StopGradient([weights_of(net, record)], [net.NextScopedBlob("weight_stop_gradient")])
    return net.Mul([loss, weight], net.NextScopedBlob(name))

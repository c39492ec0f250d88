"""GatherRecord: some examples of a record."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class GatherRecord(ModelLayer):
    """The examples of the field `record`, lists and all, that the field `indices` names."""

    def __init__(self, model: Any, input_record: schema.Field, name: str = "gather_record", **kwargs: Any) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand("indices" in input_record and "record" in input_record, "the fields indices and record are expected")
        self.output_schema = schema.NewRecord(model.net, input_record.record.clone_schema())
        self._indices = self.input_record.indices()

    def _gather_scalar(self, net: core.Net, record: Any, lengths_blob: Any, output_record: Any) -> None:
        if lengths_blob is None:
            net.Gather([record(), self._indices], output_record())
        else:
            net.LengthsGather([record(), lengths_blob, self._indices], output_record())

    def _gather_struct(self, net: core.Net, record: Any, lengths_blob: Any, output_record: Any) -> None:
        for name, field in record.get_children():
            self._dispatch(net, field, lengths_blob, output_record[name])

    def _gather_list(self, net: core.Net, record: Any, lengths_blob: Any, output_record: Any) -> None:
        self._gather_scalar(net, record.lengths, lengths_blob, output_record.lengths)
        lengths = record.lengths()
        if lengths_blob is not None:
            # The items of an example's inner lists: LengthsSum adds up floats.
            floats = net.Cast(lengths, net.NextScopedBlob(f"{lengths}_float"), to=core.DataType.FLOAT)
            sums = net.LengthsSum([floats, lengths_blob], net.NextScopedBlob(f"{lengths}_nested_float"))
            lengths = net.Cast(sums, net.NextScopedBlob(f"{lengths}_nested"), to=core.DataType.INT32)
        self._dispatch(net, record._items, lengths, output_record._items)

    def _dispatch(self, net: core.Net, record: Any, lengths_blob: Any, output_record: Any) -> None:
        """Gather a field; lengths_blob holds the number of its items that belong to each example, None for one each."""
        if isinstance(record, schema.Scalar):
            self._gather_scalar(net, record, lengths_blob, output_record)
        elif isinstance(record, schema.Struct):
            self._gather_struct(net, record, lengths_blob, output_record)
        elif isinstance(record, schema.List):
            self._gather_list(net, record, lengths_blob, output_record)
        else:
            raise NotImplementedError(f"a {type(record).__name__} cannot be gathered")

    def add_ops(self, net: core.Net) -> None:
        self._dispatch(net, self.input_record.record, None, self.output_schema)

"""SelectRecordByContext: one record or another, by the kind of net."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import InstantiationContext, ModelLayer


class SelectRecordByContext(ModelLayer):
    """The field of the record that is named as the kind of net (see InstantiationContext); all are of one schema.

    check_field_metas: the fields' metadata are equal too. use_copy: copy blobs rather than share them.
    default_output_record_field: the field for kinds of nets that none is named as.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "select_record_by_context",
        check_field_metas: bool = True,
        use_copy: bool = False,
        default_output_record_field: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(
            isinstance(input_record, schema.Struct) and len(input_record) > 1,
            f"a Struct of several fields is expected, not {input_record!r}",
        )
        self.use_copy = use_copy
        default = default_output_record_field
        self.default_output_record = None if default is None else input_record[default]
        for field in input_record:
            equal = schema.equal_schemas(field, input_record[0], check_field_metas=check_field_metas)
            demand(equal, f"the fields differ: {field!r}, {input_record[0]!r}")
        self.output_schema = schema.NewRecord(model.net, input_record[0])

    def _set_output_blobs(self, net: core.Net, context: str) -> None:
        record = self.input_record.get(context, self.default_output_record)
        demand(record is not None, f"{context} context is not in input record without providing default output")
        append = net.Copy if self.use_copy else net.Alias
        for in_blob, out_blob in zip(record.field_blobs(), self.output_schema.field_blobs()):
            append(in_blob, out_blob)

    def add_ops(self, net: core.Net) -> None:
        self._set_output_blobs(net, InstantiationContext.PREDICTION)

    def add_eval_ops(self, net: core.Net) -> None:
        self._set_output_blobs(net, InstantiationContext.EVAL)

    def add_train_ops(self, net: core.Net) -> None:
        self._set_output_blobs(net, InstantiationContext.TRAINING)

    def add_ops_to_accumulate_pred(self, net: core.Net) -> None:
        self._set_output_blobs(net, InstantiationContext.ACCUMULATE_PRED)

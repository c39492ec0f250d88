"""SparseDropoutWithReplacement: ids replaced at random."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import IdList, ModelLayer


class SparseDropoutWithReplacement(ModelLayer):
    """An IdList where each example's list is, with a probability by the kind of net, replaced by replacement_value."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        dropout_prob_train: float,
        dropout_prob_eval: float,
        dropout_prob_predict: float,
        replacement_value: int,
        name: str = "sparse_dropout",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(schema.equal_schemas(input_record, IdList), f"an IdList is expected, not {input_record!r}")
        self.dropout_prob_train = float(dropout_prob_train)
        self.dropout_prob_eval = float(dropout_prob_eval)
        self.dropout_prob_predict = float(dropout_prob_predict)
        self.replacement_value = int(replacement_value)
        probabilities = (self.dropout_prob_train, self.dropout_prob_eval, self.dropout_prob_predict)
        demand(all(0 <= p <= 1 for p in probabilities), f"probabilities are between 0 and 1: {probabilities}")
        demand(any(probabilities), "Ratios all set to 0.0 for train, eval and predict")
        self.output_schema = schema.NewRecord(model.net, IdList)
        for source, target in (
            (input_record.lengths, self.output_schema.lengths),
            (input_record.items, self.output_schema.items),
        ):
            if source.metadata:
                target.set_metadata(source.metadata)

    def _add_ops(self, net: core.Net, ratio: float) -> None:
        source, target = self.input_record, self.output_schema
        net.SparseDropoutWithReplacement(
            [source.items(), source.lengths()],
            [target.items(), target.lengths()],
            ratio=ratio,
            replacement_value=self.replacement_value,
        )

    def add_train_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.dropout_prob_train)

    def add_eval_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.dropout_prob_eval)

    def add_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.dropout_prob_predict)

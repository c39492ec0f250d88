"""SamplingTrain: a prediction layer that is trained on some of its outputs."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer, get_layer_class
from caffe2.python.layers.sampling_trainable_mixin import SamplingTrainableMixin


class SamplingTrain(ModelLayer):
    """The layer prediction_layer on the field input, for training with the rows of its parameters that indices name.

    subtract_log_odd: for training, subtract the logarithm of the field sampling_prob from the output.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        prediction_layer: str,
        output_dims: int,
        subtract_log_odd: bool = True,
        name: str = "sampling_train",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        layer_class = get_layer_class(prediction_layer)
        demand(issubclass(layer_class, SamplingTrainableMixin), f"{prediction_layer} cannot be trained on samples")
        for field in ("indices", "input", *(["sampling_prob"] if subtract_log_odd else [])):
            demand(field in input_record, f"the field {field} is expected in {input_record!r}")
        demand(
            isinstance(input_record.indices, schema.Scalar), "input_record.indices is expected to be a schema.Scalar"
        )
        self.subtract_log_odd = subtract_log_odd
        layer = layer_class(model, input_record.input, output_dims=output_dims, **kwargs)
        layer.train_param_blobs = [model.net.NextBlob(f"{blob}_sampled") for blob in layer.param_blobs]
        self._prediction_layer = layer
        self.params = layer.params
        self.output_schema = layer.output_schema

    def add_ops(self, net: core.Net) -> None:
        self._prediction_layer.add_ops(net)

    def add_train_ops(self, net: core.Net) -> None:
        layer = self._prediction_layer
        for whole, sampled in zip(layer.param_blobs, layer.train_param_blobs):
            net.Gather([whole, self.input_record.indices()], sampled)
        layer.add_train_ops(net)
        if not self.subtract_log_odd:
            return
        log_q = net.Log(self.input_record.sampling_prob(), net.NextScopedBlob("log_q"))
        net.Sub([self.output_schema(), log_q], self.output_schema(), broadcast=1, use_grad_hack=1)

"""FCWithBootstrap: fully connected layers, each trained on examples drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._fully_connected import (
    clip_arguments,
    clipped,
    input_size,
    predictor_precision,
    uniform_fill,
)
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.sampling_trainable_mixin import SamplingTrainableMixin


def get_fc_predictor_version(fc_version: str) -> str:
    """The precision of the layers in predictors, which is "fp32"."""
    demand(fc_version == "fp32", f"the precision of FCWithBootstrap is fp32, not {fc_version!r}")
    return fc_version


class FCWithBootstrap(SamplingTrainableMixin, ModelLayer):
    """num_bootstrap layers FC of one input; for training each sees as many examples, drawn with replacement.

    Output: for each, bootstrap_iteration_i/indices, of its examples, and bootstrap_iteration_i/preds.
    Other arguments are those of FC.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        num_bootstrap: int,
        weight_init: Any = None,
        bias_init: Any = None,
        weight_optim: Any = None,
        bias_optim: Any = None,
        name: str = "fc_with_bootstrap",
        weight_reg: Any = None,
        bias_reg: Any = None,
        clip_param: Sequence[float | None] | None = None,
        axis: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.axis = axis
        self.input_dims = input_size(input_record, axis)
        self.clip_args = clip_arguments(clip_param)
        self.num_bootstrap = num_bootstrap
        self.bootstrapped_FCs: list[core.BlobReference] = []
        self.batch_size: Any = None
        self.output_dim_vec = None
        self.lower_bound: Any = None
        self.upper_bound: Any = None
        default = uniform_fill(self.input_dims)
        outputs = schema.Struct()
        for i in range(num_bootstrap):
            prefix = f"bootstrap_iteration_{i}"
            fields = (f"{prefix}/indices", f"{prefix}/preds")
            outputs += schema.Struct(*((field, self.get_next_blob_reference(field)) for field in fields))
            for suffix, shape, init, optim, reg in (
                ("w", [output_dims, self.input_dims], weight_init, weight_optim, weight_reg),
                ("b", [output_dims], bias_init, bias_optim, bias_reg),
            ):
                blob = self.create_param(f"{prefix}/{suffix}", shape, init or default, optim, regularizer=reg)
                self.bootstrapped_FCs.append(blob)
        self.output_schema = outputs

    def _generate_bootstrapped_indices(self, net: core.Net, copied_cur_layer: Any, iteration: int) -> Any:
        """The indices of as many examples as there are, drawn with replacement."""
        with core.NameScope(f"bootstrap_iteration_{iteration}"):
            if iteration == 0:
                shape = net.Shape(copied_cur_layer, "input_shape")
                first = net.Const(np.array([0]), "batch_size_index")
                self.batch_size = net.Gather([shape, first], "batch_size")
                self.lower_bound = net.Const(np.array([0]), "lower_bound", dtype=np.int32)
                one = net.Const(np.array([1]), "offset", dtype=np.int32)
                size = net.Cast([self.batch_size], "int_batch_size", to=core.DataType.INT32)
                self.upper_bound = net.Sub([size, one], "upper_bound")
            inputs = [self.batch_size, self.lower_bound, self.upper_bound]
            return net.UniformIntFill(inputs, self.output_schema[iteration * 2].field_blobs()[0], input_as_shape=1)

    def _bootstrap_ops(self, net: core.Net, copied_cur_layer: Any, indices: Any, iteration: int) -> schema.Scalar:
        """The examples of these indices."""
        blob = net.NextScopedBlob(f"bootstrapped_features_{iteration}")
        return schema.Scalar((np.float32, self.input_dims), net.Gather([copied_cur_layer, indices], blob))

    def _insert_fc_ops(
        self, net: core.Net, features: schema.Field, params: list[Any], outputs: list[Any], version: str
    ) -> Any:
        get_fc_predictor_version(version)
        return net.FC([*features.field_blobs(), *params], outputs, axis=self.axis, **self.kwargs)

    def _add_ops(self, net: core.Net, features: schema.Field, iteration: int, params: list[Any], version: str) -> None:
        outputs = [self.output_schema.field_blobs()[iteration * 2 + 1]]
        self._insert_fc_ops(net, features, clipped(net, params, self.clip_args), outputs, version)

    def _params_of(self, blobs: list[Any], iteration: int) -> list[Any]:
        return blobs[iteration * 2 : iteration * 2 + 2]

    def add_ops(self, net: core.Net) -> None:
        version = predictor_precision()
        for i in range(self.num_bootstrap):
            self._generate_bootstrapped_indices(net, self.input_record.field_blobs()[0], i)
            self._add_ops(net, self.input_record, i, self._params_of(self.bootstrapped_FCs, i), version)

    def add_train_ops(self, net: core.Net) -> None:
        (features,) = self.input_record.field_blobs()
        for i in range(self.num_bootstrap):
            indices = self._generate_bootstrapped_indices(net, features, i)
            drawn = self._bootstrap_ops(net, features, indices, i)
            self._add_ops(net, drawn, i, self._params_of(self.train_param_blobs, i), "fp32")

    def get_fp16_compatible_parameters(self) -> list[core.BlobReference]:
        return self.bootstrapped_FCs[::2]

    @property
    def param_blobs(self) -> list[core.BlobReference]:
        return self.bootstrapped_FCs

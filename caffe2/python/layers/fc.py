"""FC: the fully connected layer."""

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
    """The precision of FC in predictors, "fp32" or "fp16", which arg_scope sets: arg_scope(this, fc_version="fp16")."""
    demand(fc_version in ("fp32", "fp16"), f"the precision of FC is fp32 or fp16, not {fc_version!r}")
    return fc_version


class FC(SamplingTrainableMixin, ModelLayer):
    """x w^T + b, with parameters uniform in +-sqrt(uniform_weight_init_scale_numerator / input columns).

    weight_init, bias_init: other operators that fill them. weight_optim, bias_optim, weight_reg, bias_reg: how they are
        trained.
    clip_param: a range that the parameters are clipped to before they are used.
    max_fc_size: split w by rows into several parameters of at most so many elements.
    axis: the first axis of x that counts as columns. transposed: w is stored with a row a column of x.
    Other arguments go to the operator.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        weight_init: Any = None,
        bias_init: Any = None,
        weight_optim: Any = None,
        bias_optim: Any = None,
        name: str = "fc",
        weight_reg: Any = None,
        bias_reg: Any = None,
        clip_param: Sequence[float | None] | None = None,
        max_fc_size: int | None = None,
        axis: int = 1,
        transposed: bool = False,
        uniform_weight_init_scale_numerator: float | None = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        input_dims = input_size(input_record, axis)
        self.axis = axis
        self.clip_args = clip_arguments(clip_param)
        default = uniform_fill(input_dims, uniform_weight_init_scale_numerator)
        of_weight = (weight_init or default, weight_optim, weight_reg)
        of_bias = (bias_init or default, bias_optim, bias_reg)
        self.output_dim_vec = FC.calculate_fc_output_dims(max_fc_size, input_dims, output_dims)
        self.transposed = transposed
        if self._is_whole():
            self.w = self._param("w", self._weight_shape(output_dims, input_dims), *of_weight)
            self.b = self._param("b", [output_dims], *of_bias)
        else:
            self.w_vec, self.b_vec = [], []
            for i, size in enumerate(self.output_dim_vec):
                self.w_vec.append(self._param(f"w_sub_{i}", self._weight_shape(size, input_dims), *of_weight))
                # Parts of the bias are filled and trained as those of the weight, as in the original.
                self.b_vec.append(self._param(f"b_sub_{i}", [size], *of_weight))
        leading = input_record.field_types()[0].shape[: axis - 1]
        kind = (np.float32, (*leading, output_dims))
        self.output_schema = schema.Scalar(kind, self.get_next_blob_reference("output"))

    def _is_whole(self) -> bool:
        return self.output_dim_vec is None or len(self.output_dim_vec) == 1

    def _weight_shape(self, output_dims: int, input_dims: int) -> list[int]:
        return [input_dims, output_dims] if self.transposed else [output_dims, input_dims]

    def _param(self, name: str, shape: list[int], init: Any, optim: Any, reg: Any) -> core.BlobReference:
        return self.create_param(name, shape, init, optim, regularizer=reg)

    @staticmethod
    def calculate_fc_output_dims(max_fc_size: int | None, input_dim: int, output_dim: int) -> list[int] | None:
        """The output columns of each part, so that none has more than max_fc_size elements; None for no limit.

        Raises Misuse where one column has more.
        """
        if not max_fc_size or max_fc_size < 0:
            return None
        demand(
            max_fc_size >= input_dim,
            f"FC is split by output columns, one of which has {input_dim} elements, above max_fc_size {max_fc_size}",
        )
        allowed = max_fc_size // input_dim
        parts = (output_dim - 1) // allowed
        return [allowed] * parts + [output_dim - allowed * parts]

    def _insert_fc_ops(self, net: core.Net, params: list[Any], outputs: list[Any], version: str) -> Any:
        get_fc_predictor_version(version)
        operator = "FbFCPacked" if version == "fp16" else "FCTransposed" if self.transposed else "FC"
        inputs = [*self.input_record.field_blobs(), *params]
        return getattr(net, operator)(inputs, outputs, axis=self.axis, **self.kwargs)

    def _add_ops(self, net: core.Net, params: list[Any], version: str) -> None:
        params = clipped(net, params, self.clip_args)
        output = self.output_schema.field_blobs()
        if self._is_whole():
            self._insert_fc_ops(net, params, output, version)
            return
        half = len(params) // 2
        parts = []
        for i, pair in enumerate(zip(params[:half], params[half:])):
            blob = net.NextScopedBlob(f"output_sub_{i}")
            parts.append(self._insert_fc_ops(net, list(pair), [blob], version))
        net.Concat(parts, [*output, output[0] + "_concat_dims"])

    def add_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.param_blobs, predictor_precision())

    def add_train_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.train_param_blobs, "fp32")

    def get_fp16_compatible_parameters(self) -> list[core.BlobReference]:
        return [self.w] if self._is_whole() else self.w_vec

    @property
    def param_blobs(self) -> list[core.BlobReference]:
        return [self.w, self.b] if self._is_whole() else self.w_vec + self.b_vec

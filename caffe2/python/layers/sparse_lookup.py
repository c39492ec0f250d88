"""SparseLookup: rows of a learned table, by id, reduced to one for each example."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.helpers.arg_scope import get_current_scope
from caffe2.python.layers._lookup_versions import (
    VERSIONS,
    get_sparse_lookup_predictor_version,
    get_sparse_lookup_trainer_version,
    get_trainer_version_based_on_optim,
)
from caffe2.python.layers.layers import (
    IdList,
    IdListWithEvicted,
    IdScoreList,
    IdScoreListWithEvicted,
    LayerPsParam,
    ModelLayer,
    almost_equal_schemas,
    get_categorical_limit,
    get_key,
)

__all__ = [
    "SparseLookup",
    "get_sparse_lookup_predictor_version",
    "get_sparse_lookup_trainer_version",
    "get_trainer_version_based_on_optim",
]

Blob = core.BlobReference


def _is_id_list(input_record: schema.Field) -> bool:
    return almost_equal_schemas(input_record, IdList)


def _is_id_score_list(input_record: schema.Field) -> bool:
    return almost_equal_schemas(input_record, IdScoreList, check_field_types=False)


class SparseLookup(ModelLayer):
    """The rows of a table of shape (categorical limit, *inner_shape) for an IdList or IdScoreList, reduced by example.

    reducer: Sum, Mean, Sqrt (the sum divided by the square root of the length), Max, LogSumExp, LogMeanExp, or None,
        which leaves the rows as they are; with scores also WeightedSum and WeightedMean, weighted by them, and
        PositionWeighted and RecencyWeighted, whose scores are learned.
    weight_init: an operator that fills the table, by default uniform in
        +-sqrt(uniform_weight_init_scale_numerator / categorical limit).
    use_external_weights: weight a sum by scores that are learned.
    The optimizer says whether the table is trained in float32 or float16, and
    arg_scope(get_sparse_lookup_predictor_version, version=...) how it is stored in predictors.
    """

    _id_list_supported_reducers = [
        "LogMeanExp",
        "LogSumExp",
        "Max",
        "Mean",
        "Sum",
        "WeightedSum",
        "WeightedMean",
        "Sqrt",
        "None",
    ]
    _id_score_list_supported_reducers = [
        "PositionWeighted",
        "RecencyWeighted",
        "Mean",
        "Sum",
        "WeightedSum",
        "WeightedMean",
        "None",
    ]
    _fp16_compatible_init_op_types = ["Float16UniformFill"]
    _fp16_compatible_reducers = ["Sum", "Mean", "Sqrt", "PositionWeighted", "RecencyWeighted"]

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        inner_shape: int | Sequence[int],
        reducer: str,
        weight_init: Any = None,
        weight_optim: Any = None,
        name: str = "sparse_lookup",
        regularizer: Any = None,
        use_external_weights: bool = False,
        uniform_weight_init_scale_numerator: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.sparse_key = get_key(self.input_record)()
        inner_shape = [inner_shape] if isinstance(inner_shape, int) else inner_shape
        demand(
            isinstance(inner_shape, (list, tuple)),
            f"inner_shape of {self.sparse_key} is an integer, a list or a tuple, not {inner_shape!r}",
        )
        self.reducer = reducer
        self.use_external_weights = use_external_weights
        if reducer in ("PositionWeighted", "RecencyWeighted") or use_external_weights:
            self.external_weights = self._learned_scores()
        self.input_dim = get_categorical_limit(self.input_record)
        demand(self.input_dim and self.input_dim > 0, f"{self.sparse_key} should have categorical limit > 0")
        self.shape = [self.input_dim, *inner_shape]
        self.trainer_version = get_trainer_version_based_on_optim(weight_optim)
        self.uniform_weight_init_scale_numerator = uniform_weight_init_scale_numerator
        self.weight_init = weight_init or self._get_default_init_op()
        if self.trainer_version == "fp16":
            self._adapt_to_fp16(regularizer)
        lengths = self.input_record.lengths.metadata
        ps_param = LayerPsParam(self.sparse_key, lengths.expected_value if lengths else None)
        self.w = self.create_param("w", self.shape, self.weight_init, weight_optim, ps_param, regularizer)
        self.evicted_values = self._evicted_values()
        if self.evicted_values:
            self.reinit_vec = self.create_param("reinit_vec", inner_shape, self.weight_init, model.NoOptim)
        self.scale_bias_init = ("ConstantFill", {"value": 0.0})
        self.scale_bias = self.create_param("scale_bias", [], self.scale_bias_init, model.NoOptim)
        self.output_schema = schema.Scalar((np.float32, inner_shape), self.get_next_blob_reference("output"))

    def _learned_scores(self) -> Blob:
        demand(
            _is_id_score_list(self.input_record),
            f"{self.reducer} of {self.sparse_key} needs an IdScoreList, not {self.input_record!r}; the layer"
            " PositionWeighted makes one of an IdList",
        )
        weighted = ("PositionWeighted", "RecencyWeighted", "Sum", "WeightedSum")
        demand(self.reducer in weighted, f"external weights of {self.sparse_key} are for sums, not for {self.reducer}")
        return self.input_record.values()

    def _evicted_values(self) -> Any:
        """The field of the ids whose rows begin anew, where the record has one."""
        record = self.input_record
        evicting = schema.equal_schemas(record, IdListWithEvicted) or schema.equal_schemas(
            record, IdScoreListWithEvicted, check_field_types=False
        )
        return record._evicted_values if evicting else None

    def _adapt_to_fp16(self, regularizer: Any) -> None:
        where = f"float16 training of {self.sparse_key}: "
        reducers, fills = self._fp16_compatible_reducers, self._fp16_compatible_init_op_types
        demand(
            self.reducer in reducers or self.use_external_weights,
            f"{where}a reducer is one of {', '.join(reducers)}, not {self.reducer}",
        )
        if self.weight_init[0] == "UniformFill":
            self.weight_init = ("Float16UniformFill", self.weight_init[1])
        demand(self.weight_init[0] in fills, f"{where}a table is filled by {fills[0]}, not {self.weight_init[0]}")
        demand(regularizer is None, f"{where}there is no regularizer")

    def _get_default_init_op(self) -> tuple[str, dict[str, float]]:
        scale = math.sqrt(self.uniform_weight_init_scale_numerator / self.input_dim)
        fill = "Float16UniformFill" if self.trainer_version == "fp16" else "UniformFill"
        return fill, {"min": -scale, "max": scale}

    # Parameters

    def get_memory_usage(self) -> int:
        return math.prod(self.shape) * 4

    def get_fp16_compatible_parameters(self) -> list[Blob]:
        return [self.w]

    def support_8bit(self) -> bool:
        """Whether the table may be stored in 8 bits: its rows are vectors of 8 or more."""
        return len(self.shape) == 2 and self.shape[1] >= 8

    def get_8bits_compatible_parameters(self, fused: bool = True) -> list[Any]:
        """The table as w, and unless `fused` scale_bias, its rows' scales and biases; empty where 8 bits do not do."""
        if not self.support_8bit():
            return []
        fields = {"w": self.w} if fused else {"w": self.w, "scale_bias": self.scale_bias}
        return [namedtuple("RowwiseQuantized8BitsWeight", fields)(**fields)]

    # Operators

    def _gather_wrapper(self, net: core.Net, version: str, in_indices: Blob, out: Any) -> Blob:
        """The rows, as float."""
        stored = VERSIONS[version]
        if stored.to_float is None:
            return net.Gather([self.w, in_indices], out)
        gathered = [net.Gather([self.w, in_indices], "gathered_w")]
        if stored.separate_scale:
            gathered.append(net.Gather([self.scale_bias, in_indices], "gathered_scale_bias"))
        return getattr(net, stored.to_float)(gathered, out)

    def _reduce(self, net: core.Net, version: str, reducer: str, inputs: list[Blob], **kwargs: Any) -> None:
        """Append SparseLengths`reducer`; `kwargs` are for training."""
        stored = VERSIONS[version]
        scales = [self.scale_bias] if stored.separate_scale else []
        operator = getattr(net, f"SparseLengths{reducer}{stored.suffix}")
        operator([self.w, *inputs, *scales], self.output_schema.field_blobs(), **(kwargs if stored.trainable else {}))

    def _sparse_lengths_weighted_reducer(
        self, in_indices: Blob, weights: Blob, reducer: str, net: core.Net, version: str, grad_on_weights: int = 0
    ) -> None:
        engine = {"engine": "FP16"} if reducer == "WeightedSum" and version == "fp16" else {}
        inputs = [weights, in_indices, self.input_record.lengths()]
        self._reduce(net, version, reducer, inputs, grad_on_weights=grad_on_weights, **engine)

    def _demand_reducer(self, supported: list[str]) -> None:
        demand(
            self.reducer in supported,
            f"Unsupported reducer {self.reducer} for {self.sparse_key}; supported are {', '.join(supported)}",
        )

    def _add_ops_id_list(self, net: core.Net, version: str) -> None:
        self._demand_reducer(self._id_list_supported_reducers)
        ids, lengths = self.input_record.items(), self.input_record.lengths()
        output = self.output_schema.field_blobs()
        reducer = self.reducer.removeprefix("Weighted")
        if reducer in ("Sum", "Mean"):
            self._reduce(net, version, reducer, [ids, lengths])
        elif reducer == "Sqrt":
            weights = net.LengthsToWeights([lengths], [net.NextScopedBlob("lengths_sqrt")], power=0.5)
            self._sparse_lengths_weighted_reducer(ids, weights, "WeightedSum", net, version)
        elif reducer == "None":
            self._gather_wrapper(net, version, ids, output)
        else:
            rows = self._gather_wrapper(net, version, ids, "table_rows")
            segments = net.LengthsToSegmentIds(lengths, net.NextScopedBlob(lengths + "_sid"))
            getattr(net, f"SortedSegmentRange{reducer}")([rows, segments], output)

    def _add_ops_id_score_list(self, net: core.Net, version: str) -> None:
        self._demand_reducer(self._id_score_list_supported_reducers)
        record, reducer = self.input_record, self.reducer
        if reducer in ("WeightedSum", "WeightedMean"):
            self._sparse_lengths_weighted_reducer(record.keys(), record.values(), reducer, net, version)
        elif reducer in ("PositionWeighted", "RecencyWeighted") or self.use_external_weights:
            weights = self.external_weights
            self._sparse_lengths_weighted_reducer(record.keys(), weights, "WeightedSum", net, version, 1)
        elif reducer in ("Sum", "Mean"):
            self._reduce(net, version, reducer, [record.keys(), record.lengths()])
        else:
            self._gather_wrapper(net, version, record.keys(), self.output_schema.field_blobs())

    def _add_ops(self, net: core.Net, version: str = "fp32", is_train: bool = True) -> None:
        if self.evicted_values and is_train:
            net.CopyRowsToTensor([self.w, self.evicted_values.get(), self.reinit_vec], [self.w])
        if _is_id_list(self.input_record):
            self._add_ops_id_list(net, version)
        elif _is_id_score_list(self.input_record):
            self._add_ops_id_score_list(net, version)
        else:
            raise TypeError(f"an IdList or IdScoreList is expected, not {self.input_record!r}")

    def add_train_ops(self, net: core.Net) -> None:
        self._add_ops(net, self.trainer_version, is_train=True)

    def add_ops(self, net: core.Net) -> None:
        asked = get_current_scope().get(get_sparse_lookup_predictor_version.__name__, {"version": "fp32"})
        version = get_sparse_lookup_predictor_version(
            asked["version"],
            blob_size=math.prod(self.shape),
            min_blob_size_4bits=asked.get("min_blob_size_4bits"),
            embedding_dim=self.shape[1] if len(self.shape) > 1 else 1,
            sparse_feature_name=self.sparse_key,
        )
        if not VERSIONS[version].trainable and not self.support_8bit():
            version = "fp16"
        self._add_ops(net, version, is_train=False)

"""FeatureSparseToDense: features of each example, by id, put into columns of a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import AccessedFeatures, ModelLayer


class _Kind(NamedTuple):
    """How features of a type whose values are lists are laid out."""

    stem: str
    """Of the names of blobs."""
    inputs: tuple[str, ...]
    """The fields of the values, which are handed on."""
    outputs: tuple[tuple[str, type], ...]
    """Their fields and types in the output."""


_KINDS = {
    "ID_LIST": _Kind("id_list", ("items",), (("values", np.int64),)),
    "ID_SCORE_LIST": _Kind("id_score_list", ("keys", "values"), (("ids", np.int64), ("scores", np.float32))),
    "EMBEDDING": _Kind("embeddings", ("items",), (("values", np.float32),)),
    "GENERIC_FEATURE": _Kind("generics", (), (("values", np.float32),)),
}


class FeatureSparseToDense(ModelLayer):
    """Columns of features from a record that has, for each field, the ids of an example's features and their values.

    input_specs: pairs of a field and its FeatureSpec, which gives type, names and ids. FLOAT makes a matrix, with a
        column an id. A type whose values are lists (ID_LIST, ID_SCORE_LIST, EMBEDDING, GENERIC_FEATURE) makes `ranges`,
        the offset and length of each id's list, and the lists.
    default_dense_value: of missing features, 0 or NaN.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        input_specs: Sequence[tuple[str, schema.FeatureSpec]],
        name: str = "feature_sparse_to_dense",
        default_dense_value: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        default = 0.0 if default_dense_value is None else float(default_dense_value)
        demand(np.isnan(default) or default == 0.0, f"default_dense_value can only be 0.0 or NaN, not {default}")
        self.input_specs = input_specs
        self.default_float_value = model.global_constants["NAN" if np.isnan(default) else "ZERO"]
        self.zero_range = model.global_constants["ZERO_RANGE"]
        self.output_schema = schema.Struct(*((field, self._output(field, specs)) for field, specs in input_specs))
        for field, specs in input_specs:
            schema.attach_metadata_to_scalars(self.output_schema[field], schema.Metadata(feature_specs=specs))

    def _output(self, field: str, specs: schema.FeatureSpec) -> schema.Field:
        count = len(specs.feature_ids)
        demand(len(specs.feature_names) == count, f"{field}: {count} ids but {len(specs.feature_names)} names")
        if specs.feature_type == "FLOAT":
            return schema.Scalar((np.float32, (count,)), self.get_next_blob_reference(field + "_output"))
        kind = _KINDS.get(specs.feature_type)
        if kind is None:
            raise TypeError(f"Unsupported input type: {specs.feature_type}")
        fields = (("ranges", (np.int32, (count, 2))), *kind.outputs)
        return schema.Struct(
            *((name, schema.Scalar(dtype, self.get_next_blob_reference(f"{field}_{name}"))) for name, dtype in fields)
        )

    def add_ops(self, net: core.Net) -> None:
        for field, specs in self.input_specs:
            if specs.feature_type == "FLOAT":
                record = self.input_record[field]
                inputs = [record.keys(), record.values(), self.default_float_value, record.lengths()]
                net.SparseToDenseMask(inputs, [self.output_schema[field]()], mask=specs.feature_ids)
            else:
                self._add_lists(net, field, specs)

    def _add_lists(self, net: core.Net, field: str, specs: schema.FeatureSpec) -> None:
        record, kind = self.input_record[field], _KINDS[specs.feature_type]
        output = self.output_schema[field]
        if specs.feature_type == "GENERIC_FEATURE":
            parsed = ["feature_lengths", "feature_ids", "value_lengths", "value_values"]
            lengths, ids, value_lengths, values = net.ParseGeneric([record()], parsed, feature_type_enum=1)
            lists = [values]
        else:
            lengths, ids, value_lengths = record.lengths(), record.keys(), record.values.lengths()
            lists = [getattr(record.values, name)() for name in kind.inputs]
        ranges = net.LengthsToRanges(value_lengths, net.NextScopedBlob(kind.stem + "_ranges"))
        net.SparseToDenseMask([ids, ranges, self.zero_range, lengths], output.ranges(), mask=specs.feature_ids)
        # Only the offsets are rearranged: the lists are the same blobs.
        for blob, (name, _) in zip(lists, kind.outputs):
            net.Alias(blob, output[name]())

    def get_metadata(self) -> list[tuple[dict[str, Any], list[core.BlobReference], list[np.dtype]]]:
        """What each field's features are, with the blobs and types of its output."""
        metadata = []
        for field, specs in self.input_specs:
            what = {"type": specs.feature_type, "names": specs.feature_names, "ids": specs.feature_ids}
            if specs.feature_type == "FLOAT":
                what["cardinality"] = 1
            output = self.output_schema[field]
            metadata.append((what, output.field_blobs(), output.field_types()))
        return metadata

    def get_accessed_features(self) -> dict[str, list[AccessedFeatures]]:
        accessed: dict[str, list[AccessedFeatures]] = {}
        for field, specs in self.input_specs:
            features = AccessedFeatures(specs.feature_type, set(specs.feature_ids))
            accessed.setdefault(field, []).append(features)
        return accessed

"""SparseFeatureHash: ids mapped to fewer ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import Misuse, demand
from caffe2.python.layers.layers import IdList, IdScoreList, ModelLayer
from caffe2.python.layers.tags import Tags


class SparseFeatureHash(ModelLayer):
    """An IdList or IdScoreList whose ids are mapped below modulo, by default the hash size or limit in the metadata.

    use_hashing: by a hash that `seed` begins; use_divide_mod: by (id / divisor) mod modulo; else by id mod modulo.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        seed: int = 0,
        modulo: int | None = None,
        use_hashing: bool = True,
        use_divide_mod: bool = False,
        divisor: int | None = None,
        name: str = "sparse_feature_hash",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(not (use_hashing and use_divide_mod), "use_hashing and use_divide_mod exclude each other")
        if use_divide_mod:
            demand(divisor is not None and divisor >= 1, f"Unexpected divisor: {divisor}")
            fill = ("GivenTensorInt64Fill", {"values": np.array([divisor])})
            self.divisor = self.create_param("divisor", [1], fill, model.NoOptim)
        self.seed = seed
        self.use_hashing = use_hashing
        self.use_divide_mod = use_divide_mod
        kind, ids = self._kind_and_ids(input_record)
        self.modulo = modulo or self.extract_hash_size(ids.metadata)
        demand(self.modulo >= 1, f"Unexpected modulo: {self.modulo}")
        with core.NameScope(name):
            self.output_schema = schema.NewRecord(model.net, kind)
        metadata = (ids.metadata or schema.Metadata())._replace(categorical_limit=self.modulo)
        self._kind_and_ids(self.output_schema)[1].set_metadata(metadata)
        if input_record.lengths.metadata:
            self.output_schema.lengths.set_metadata(input_record.lengths.metadata)
        self.tags.update([Tags.CPU_ONLY])

    @staticmethod
    def _kind_and_ids(record: schema.Field) -> tuple[schema.Field, schema.Scalar]:
        if schema.equal_schemas(record, IdList):
            return IdList, record.items
        demand(schema.equal_schemas(record, IdScoreList), f"an IdList or IdScoreList is expected, not {record!r}")
        return IdScoreList, record.keys

    def extract_hash_size(self, metadata: schema.Metadata) -> int:
        """The hash size in the metadata of ids, or else the categorical limit. Raises Misuse where there is neither."""
        specs = metadata and metadata.feature_specs
        if specs and specs.desired_hash_size:
            return specs.desired_hash_size
        if metadata and metadata.categorical_limit is not None:
            return metadata.categorical_limit
        raise Misuse("modulo is to be given, or desired_hash_size or categorical_limit in the metadata")

    def add_ops(self, net: core.Net) -> None:
        net.Copy(self.input_record.lengths(), self.output_schema.lengths())
        kind, target = self._kind_and_ids(self.output_schema)
        source, target = self._kind_and_ids(self.input_record)[1](), target()
        if kind is IdScoreList:
            net.Copy(self.input_record.values(), self.output_schema.values())
        if self.use_hashing:
            net.IndexHash(source, target, seed=self.seed, modulo=self.modulo)
            return
        if self.use_divide_mod:
            source = net.Div([source, self.divisor], [net.NextScopedBlob("quotient")])
        net.Mod(source, target, divisor=self.modulo, sign_follow_divisor=True)

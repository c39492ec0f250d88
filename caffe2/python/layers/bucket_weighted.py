"""BucketWeighted: learned weights of ranges of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer, get_categorical_limit
from caffe2.python.layers.tags import Tags


class BucketWeighted(ModelLayer):
    """The weight of the bucket that each value of a list is in.

    bucket_boundaries: where buckets end; without them a value is its own bucket, below max_score if that is positive,
        else below the categorical limit of the list.
    hash_buckets: take the bucket's hash.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        max_score: int = 0,
        bucket_boundaries: Sequence[float] | None = None,
        hash_buckets: bool = True,
        weight_optim: Any = None,
        name: str = "bucket_weighted",
    ) -> None:
        super().__init__(model, name, input_record)
        demand(isinstance(input_record, schema.List), f"Incorrect input type: a List is expected, not {input_record!r}")
        self.bucket_boundaries = bucket_boundaries
        self.hash_buckets = hash_buckets
        if bucket_boundaries is not None:
            self.shape = len(bucket_boundaries) + 1
        else:
            self.shape = max_score if max_score > 0 else get_categorical_limit(input_record)
        self.bucket_w = self.create_param("bucket_w", [self.shape], ("ConstantFill", {"value": 1.0}), weight_optim)
        self.output_schema = schema.Struct(
            ("bucket_weights", schema.Scalar((np.float32, self.shape), self.get_next_blob_reference("bucket_w_gather")))
        )
        self.tags.update({Tags.HANDLE_AS_SPARSE_LAYER})

    def get_memory_usage(self) -> int:
        return self.shape

    def add_ops(self, net: core.Net) -> None:
        values = self.input_record.values()
        if self.bucket_boundaries is not None:
            buckets = net.Bucketize(values, "buckets_int", boundaries=self.bucket_boundaries)
        else:
            buckets = net.Cast(values, "buckets_int", to=core.DataType.INT32)
        if self.hash_buckets:
            buckets = net.IndexHash(buckets, "hashed_buckets_int", seed=0, modulo=self.shape)
        net.Gather([self.bucket_w, buckets], self.output_schema.bucket_weights.field_blobs())

"""PairwiseSimilarity: products of all pairs of embeddings."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class PairwiseSimilarity(ModelLayer):
    """For each example, the products of the rows of x_embeddings and of y_embeddings, or of all_embeddings, in a row.

    output_dim: how many there are. pairwise_similarity_func: "dot", or "cosine_similarity", of normalized rows.
    The record may have indices_to_gather, the positions of those that are given.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dim: int,
        pairwise_similarity_func: str = "dot",
        name: str = "pairwise_similarity",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(isinstance(input_record, schema.Struct), f"Incorrect input type. Expected Struct, got: {input_record!r}")
        one, two = "all_embeddings" in input_record, "x_embeddings" in input_record and "y_embeddings" in input_record
        demand(one != two, "either all_embeddings, or x_embeddings and y_embeddings, should be given")
        self.pairwise_similarity_func = pairwise_similarity_func
        self.x_embeddings, self.y_embeddings = (
            input_record["all_embeddings" if one else name] for name in ("x_embeddings", "y_embeddings")
        )
        gathered = "indices_to_gather" in input_record
        self.indices_to_gather = input_record["indices_to_gather"] if gathered else None
        for field in (self.x_embeddings, self.y_embeddings, self.indices_to_gather):
            demand(field is None or isinstance(field, schema.Scalar), f"Expected Scalar, but received: {field!r}")
        dtype = self.x_embeddings.field_types()[0].base
        self.output_schema = schema.Scalar((dtype, (output_dim,)), self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        x, y = self.x_embeddings(), self.y_embeddings()
        if self.pairwise_similarity_func == "cosine_similarity":
            x, y = net.Normalize(x, axis=1), net.Normalize(y, axis=1)
        elif self.pairwise_similarity_func != "dot":
            raise NotImplementedError(f"pairwise_similarity_func={self.pairwise_similarity_func} is not valid")
        products = net.BatchMatMul([x, y], [self.get_next_blob_reference(x + "_matmul")], trans_b=1)
        if self.indices_to_gather is None:
            net.Flatten(products, self.output_schema())
        else:
            row = net.Flatten(products, products + "_flatten")
            net.BatchGather([row, self.indices_to_gather()], self.output_schema())

"""SemiRandomFeatures: random features, each times a learned linear function."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields
from caffe2.python.layers.arc_cosine_feature_map import ArcCosineFeatureMap


class SemiRandomFeatures(ArcCosineFeatureMap):
    """full: random (x u^T + c) with learned u and c; random: an ArcCosineFeatureMap. Kawaguchi et al., 2018.

    The record is x, or has the fields full, which is x, and random, which the random features are made of, so that such
    layers may be stacked. scale_learned: of u and c at first; other arguments are those of ArcCosineFeatureMap.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        s: int = 1,
        scale_random: float = 1.0,
        scale_learned: float = 1.0,
        weight_init_random: Any = None,
        bias_init_random: Any = None,
        weight_init_learned: Any = None,
        bias_init_learned: Any = None,
        weight_optim: Any = None,
        bias_optim: Any = None,
        set_weight_as_global_constant: bool = False,
        name: str = "semi_random_features",
        **kwargs: Any,
    ) -> None:
        self.input_record_full = self.input_record_random = input_record
        if isinstance(input_record, schema.Struct):
            demand_fields(input_record, full=schema.Scalar(), random=schema.Scalar())
            self.input_record_full, self.input_record_random = input_record.full, input_record.random
        super().__init__(
            model,
            self.input_record_full,
            output_dims,
            s=s,
            scale=scale_random,
            weight_init=weight_init_random,
            bias_init=bias_init_random,
            set_weight_as_global_constant=set_weight_as_global_constant,
            initialize_output_schema=False,
            name=name,
            **kwargs,
        )
        self.output_schema = schema.Struct(
            *(
                (field, schema.Scalar((np.float32, output_dims), model.net.NextScopedBlob(f"{name}_{field}_output")))
                for field in ("full", "random")
            )
        )
        demand(scale_learned > 0.0, f"Expected scale (learned) > 0, got {scale_learned}")
        self.stddev = scale_learned * np.sqrt(1.0 / self.input_dims)
        self.learned_w, self.learned_b = self._initialize_params(
            "learned_w", "learned_b", weight_init_learned, bias_init_learned, weight_optim, bias_optim
        )

    def add_ops(self, net: core.Net) -> None:
        learned, random = (
            net.FC([*record.field_blobs(), w, b], net.NextScopedBlob(name))
            for record, w, b, name in (
                (self.input_record_full, self.learned_w, self.learned_b, "learned_features"),
                (self.input_record_random, self.random_w, self.random_b, "random_features"),
            )
        )
        random = self._heaviside_with_power(net, random, self.output_schema.random.field_blobs(), self.s)
        net.Mul([random, learned], self.output_schema.full.field_blobs())

"""HomotopyWeight: a gradual passage from one loss to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class HomotopyWeight(ModelLayer):
    """a x + b y for the two fields of the record, where a falls from max_weight to min_weight and a + b is their sum.

    a has fallen half way after half_life runs, and about three quarters after quad_life: it is affine in
    (1 + gamma t)^-power at run t.
    atomic_iter: the count of runs; by default one of the layer's own.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "homotopy_weight",
        min_weight: float = 0.0,
        max_weight: float = 1.0,
        half_life: float = 1e6,
        quad_life: float = 3e6,
        atomic_iter: core.BlobReference | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("homotopy_weight"))
        data = self.input_record.field_blobs()
        demand(len(data) == 2, f"two fields are expected, not {len(data)}")
        self.x, self.y = data
        self.use_external_iter = atomic_iter is not None
        self.atomic_iter = atomic_iter if self.use_external_iter else self.create_atomic_iter()
        demand(max_weight > min_weight, f"max_weight {max_weight} is not above min_weight {min_weight}")
        self.scale = float(max_weight - min_weight)
        self.offset = self.model.add_global_constant(f"{self.name}_offset_1dfloat", float(min_weight))
        self.gamma, self.power = self.solve_inv_lr_params(half_life, quad_life)

    def solve_inv_lr_params(self, half_life: float, quad_life: float) -> tuple[float, float]:
        """gamma and power such that (1 + gamma t)^-power is 1/2 at half_life and, about, 1/4 at quad_life.

        1 + gamma half_life is taken for t (1 + sqrt 2) / 2 - sqrt 2 with t = quad_life / half_life, as in the original.
        """
        demand(half_life > 0, f"half_life is positive: {half_life}")
        demand(quad_life > 2 * half_life, f"quad_life {quad_life} is not above twice half_life {half_life}")
        t = float(quad_life) / float(half_life)
        x = t * (1.0 + np.sqrt(2.0)) / 2.0 - np.sqrt(2.0)
        return (x - 1.0) / float(half_life), np.log(2.0) / np.log(x)

    def create_atomic_iter(self) -> core.BlobReference:
        """Create the layer's own count of runs."""
        keep = self.model.NoOptim
        self.mutex = self.create_param(f"{self.name}_mutex", None, ("CreateMutex",), keep)
        zero = ("ConstantFill", {"value": 0, "dtype": core.DataType.INT64})
        self.atomic_iter = self.create_param(f"{self.name}_atomic_iter", [1], zero, keep)
        return self.atomic_iter

    def update_weight(self, net: core.Net) -> tuple[core.BlobReference, core.BlobReference]:
        """The weights a and b of this run."""
        names = ("alpha", "beta", "lr", "complementary_lr", "scaled_lr", "scaled_complementary_lr")
        alpha, beta, rate, rest, scaled, scaled_rest = map(net.NextScopedBlob, names)
        if not self.use_external_iter:
            net.AtomicIter([self.mutex, self.atomic_iter], [self.atomic_iter])
        net.LearningRate([self.atomic_iter], [rate], policy="inv", gamma=self.gamma, power=self.power, base_lr=1.0)
        net.Sub([self.model.global_constants["ONE"], rate], [rest])
        net.Scale([rate], [scaled], scale=self.scale)
        net.Scale([rest], [scaled_rest], scale=self.scale)
        net.Add([scaled, self.offset], [alpha])
        net.Add([scaled_rest, self.offset], [beta])
        return alpha, beta

    def add_ops(self, net: core.Net) -> None:
        alpha, beta = self.update_weight(net)
        net.WeightedSum([self.x, alpha, self.y, beta], self.output_schema())

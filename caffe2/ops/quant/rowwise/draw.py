"""Rows quantized at random, so that they are right in the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.quant.rowwise.fused import as_bytes, of_bytes

HEAD = 10
EPSILON = 1e-8


@op("FloatToFusedRandRowwiseQuantized: input -> output", gradient=NONE, types="input: float", random=True)
class FloatToFusedRandRowwiseQuantized(Op):
    """The rows of a matrix quantized to `bitwidth` bits with random rounding, whose mean is exact.

    With t = (x - min) / (max - min) * (2^bitwidth - 1), min and max those of the row, q = floor(t + u), u uniform in
    [0, 1). A row's bytes are bitwidth, tail (1 byte each), min, max (float32), and then n bytes, the i-th with q[i],
    q[i + n], ... from its lowest bits on; the last `tail` places of the last bytes are empty. Wen et al., TernGrad,
    2017.

    input: (M, K), K > 0.
    output: (M, 10 + ceil(K * bitwidth / 8)), uint8.
    bitwidth: 1, 2, 4 or 8.
    random: whether rounding is random; otherwise q is t rounded to the nearest integer.
    """

    bitwidth: int = 8
    random: bool = True
    generator: torch.Generator

    def bind(self, site: Site) -> None:
        if self.bitwidth not in (1, 2, 4, 8):
            raise EnforceNotMet(f"{site.op.type}\n  bitwidth is 1, 2, 4 or 8, not {self.bitwidth}")

    def __call__(self, x: Tensor) -> Tensor:
        demand.rank(x, 2, "input")
        if not x.shape[1]:
            raise EnforceNotMet("rows of input hold at least one number")
        low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
        inverse = (((high - low) / self._levels).double() + EPSILON).reciprocal().float()
        t = (x - low) * inverse
        q = (t + self._drawn(x)).floor_() if self.random else t.round_()
        count = 8 // self.bitwidth
        tail = -x.shape[1] % count
        q = torch.nn.functional.pad(q.clamp_(0, self._levels).to(torch.uint8), (0, tail)).unflatten(1, (count, -1))
        head = x.new_tensor([self.bitwidth, tail], dtype=torch.uint8).expand(len(x), 2)
        packed = sum(q[:, k] << k * self.bitwidth for k in range(count))
        return torch.cat([head, as_bytes(low), as_bytes(high), packed], 1)

    @property
    def _levels(self) -> int:
        return 2**self.bitwidth - 1

    def _drawn(self, x: Tensor) -> Tensor:
        return torch.empty_like(x).uniform_(generator=self.generator)


@op(
    "FusedRandRowwiseQuantizedToFloat: quantized_input -> float_input",
    gradient=NONE,
    types="quantized_input: uint8",
    shape=UNKNOWN,
)
def rand_to_float(packed: Tensor) -> Tensor:
    """The numbers q * (max - min) / (2^bitwidth - 1) + min that the rows of FloatToFusedRandRowwiseQuantized stand for.

    quantized_input: (M, bytes), uint8, M > 0.
    float_input: (M, K), float32.
    """
    demand.rank(packed, 2, "quantized_input")
    if packed.shape[0] < 1 or packed.shape[1] < HEAD:
        raise EnforceNotMet(f"quantized_input has rows of at least {HEAD} bytes, not {tuple(packed.shape)}")
    bits, tail = packed[0, :2].tolist()
    count = 8 // bits if bits in (1, 2, 4, 8) else 0
    columns = (packed.shape[1] - HEAD) * count - tail
    if not count or columns < 0:
        raise EnforceNotMet(f"quantized_input begins with its bit width and tail, not {bits} and {tail}")
    low, high = of_bytes(packed[:, 2:HEAD], torch.float32).split(1, 1)
    gap = (((high - low) / (2**bits - 1)).double() + EPSILON).float()
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device).view(-1, 1)
    q = (packed[:, None, HEAD:] >> shifts & 2**bits - 1).flatten(1)[:, :columns]
    return torch.addcmul(low, q.float(), gap)

"""Weights kept as codes: numbers of a code book's entries, or bytes between a smallest and a largest weight."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Gradient, gradient, op
from caffe2.ops import demand

CODES = (torch.uint8, torch.uint16, torch.int32)


@op("QuantDecode: codebook +codes -> +decoded", types="codebook: float, codes: uint8 uint16 int32")
def quant_decode(codebook: Tensor, *codes: Tensor) -> tuple[Tensor, ...]:
    """Entries of a code book: decoded = codebook[codes].

    codebook: (K), float32.
    codes: uint8, uint16 or int32, of any shape, numbers of entries.
    decoded: one float32 tensor for each of codes, of its shape.
    """
    flat = codebook.reshape(-1)
    return tuple(flat.index_select(0, _numbers(c, flat)).view(c.shape) for c in codes)


def _numbers(codes: Tensor, flat: Tensor) -> Tensor:
    numbers = codes.reshape(-1).int()
    demand.in_range(numbers, flat.numel(), "codes")
    return numbers


@gradient("QuantDecode")
def _(g: Gradient) -> None:
    grads = [x for x in g.blob("ddecoded")]
    made = g.grad_name("codebook")
    g.add("QuantDecodeGradient", [g.blob("codebook"), *g.blob("codes"), *grads], [made]).set("codebook", made)


@op(
    "QuantDecodeGradient: codebook +codes_and_gradients -> codebook_grad",
    gradient=NONE,
    types="codebook: float",
    arity=lambda i, o: i >= 3 and i % 2 == 1,
)
def quant_decode_gradient(codebook: Tensor, *rest: Tensor) -> Tensor:
    """The gradient of a code book: for each entry the sum of the gradients at its codes.

    codebook: (K), float32.
    codes_and_gradients: all blobs of codes, then the gradient of each.
    codebook_grad: (K).
    """
    made = torch.zeros_like(codebook)
    flat = made.view(-1)
    half = len(rest) // 2
    for codes, upstream in zip(rest[:half], rest[half:]):
        if codes.dtype not in CODES or upstream.dtype != codebook.dtype:
            raise EnforceNotMet(f"codes are uint8, uint16 or int32 and gradients float, not {codes.dtype} and so on")
        if codes.numel() != upstream.numel():
            raise EnforceNotMet(f"there is a gradient for each of {codes.numel()} codes, not {upstream.numel()}")
        flat.index_add_(0, _numbers(codes, flat), upstream.reshape(-1))
    return made


@op("ByteWeightDequant: X -> Y", gradient=NONE, types="X: uint8 string")
def byte_weight_dequant(
    x: Tensor | np.ndarray, *, min: float = -3.0, max: float = 3.0, shape: tuple[int, ...] = ()
) -> Tensor:
    """Y = min + X (max - min) / 255.

    X: bytes, of any shape, or a string tensor, of whose first string the bytes are taken. At least as many as the shape
        has elements; further ones are ignored.
    Y: float32, of the shape given.
    min, max: the numbers that the bytes 0 and 255 stand for.
    shape: the shape of Y.
    """
    if isinstance(x, np.ndarray):
        x = torch.frombuffer(bytearray(x.reshape(-1)[0] if x.size else b""), dtype=torch.uint8)
    count = torch.Size(shape).numel()
    if x.numel() < count:
        raise EnforceNotMet(f"X holds {x.numel()} bytes; shape {tuple(shape)} takes {count}")
    return x.reshape(-1)[:count].float().mul_((max - min) / 255).add_(min).view(shape)

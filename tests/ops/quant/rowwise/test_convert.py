"""Conversions to fused rows and back: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, lookup
from caffe2.ops.quant.rowwise import fused
from caffe2.ops.quant.rowwise.convert import FAKE, FROM_FUSED, TO_FUSED
from caffe2.ops.quant.rowwise.greedy import loss, narrowed
from tests.sample import Sample, floats, samples

TYPES = {"float": np.float32, "float16": np.float16}


@samples(*(row[0] for row in TO_FUSED))
def _(rng):
    for name, kind, _layout in TO_FUSED:
        for shape in ((3, 8), (2, 1, 4), (12,), (0, 4)):
            yield Sample(name, (floats(rng, *shape).astype(TYPES[kind]),))


@samples(*(row[0] for row in FAKE))
def _(rng):
    for name, kind, _layout in FAKE:
        yield Sample(name, (floats(rng, 3, 5).astype(TYPES[kind]),))
        yield Sample(name, (floats(rng, 0, 5).astype(TYPES[kind]),))


@samples(*(row[0] for row in FROM_FUSED))
def _(rng):
    for name, _output, _dtype, layout in FROM_FUSED:
        for shape in ((3, 8), (2, 1, 4), (12,), (0, 4)):
            yield Sample(name, (fused.pack(torch.from_numpy(floats(rng, *shape)), layout).numpy(),))


def by_hand(x: np.ndarray, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bias = np.float32(np.float16(x.min()))
    scale = np.float32(np.float16((x.max() - bias) / levels))
    return np.clip(np.round((x - bias) / scale), 0, levels).astype(np.uint8), np.float16(scale), np.float16(bias)


@pytest.mark.parametrize("bits", [2, 4])
def test_numbers_share_bytes_the_first_in_the_lowest_bits(run, bits):
    x = np.random.default_rng(0).standard_normal(8).astype(np.float32)
    q, scale, bias = by_hand(x, 2**bits - 1)
    per_byte = 8 // bits
    packed = [sum(int(q[k + j]) << j * bits for j in range(per_byte)) for k in range(0, 8, per_byte)]
    made = run(f"FloatToFused{bits}BitRowwiseQuantized", x[None])
    assert made[0].tolist() == [*packed, *scale.tobytes(), *bias.tobytes()]
    assert np.allclose(run(f"Fused{bits}BitRowwiseQuantizedToFloat", made)[0], q * np.float32(scale) + bias, atol=1e-6)


@pytest.mark.parametrize("layout", [fused.BYTE, fused.NIBBLE, fused.CRUMB])
def test_tensor_operations_do_what_the_kernels_do(layout):
    x = torch.randn(20, 16)
    x[3] = 7.5
    q, scale, bias = fused.quantized(x, layout)
    made = torch.cat([fused.crowded(q, layout.bits), fused.as_bytes(scale), fused.as_bytes(bias)], 1)
    assert torch.equal(fused.pack(x, layout), made)
    assert torch.allclose(fused.unpack(made, layout), q.float() * scale.float() + bias.float(), atol=1e-6)


def test_a_constant_row_has_scale_one(run):
    assert run("FloatToFused4BitRowwiseQuantized", np.full((1, 2), 3, np.float32)).tolist() == [[0, 0, 60, 0, 66]]


@pytest.mark.parametrize("layout", [fused.NIBBLE, fused.CRUMB])
def test_the_greedy_range_loses_less(layout):
    x = torch.randn(50, 32)
    x[:, 0] = 10
    low, high = narrowed(x, layout)
    whole = loss(x, x.amin(1, keepdim=True), x.amax(1, keepdim=True), layout.levels)
    found = loss(x, low, high, layout.levels)
    assert bool((found <= whole).all()) and float(found.sum()) < 0.999 * float(whole.sum())
    q, scale, bias = fused.quantized(x, layout, narrowed)
    made = torch.cat([fused.crowded(q, layout.bits), fused.as_bytes(scale), fused.as_bytes(bias)], 1)
    assert (fused.pack(x, layout, narrowed) != made).any(1).sum() <= 1


def test_the_engine_greedy_searches(run):
    x = torch.randn(50, 32)
    bodies = [lookup("FloatToFused2BitFakeRowwiseQuantized").kernel("cpu", engine) for engine in ("", "GREEDY")]
    assert not torch.equal(*(body(x) for body in bodies))


def test_fake_rows_are_rows_of_bytes(run):
    x = np.random.default_rng(1).standard_normal((4, 8)).astype(np.float32)
    fake = run("Fused8BitRowwiseQuantizedToFloat", run("FloatToFused4BitFakeRowwiseQuantized", x))
    assert np.allclose(fake, run("Fused4BitRowwiseQuantizedToFloat", run("FloatToFused4BitRowwiseQuantized", x)))


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(EnforceNotMet, match="positive multiple of 4"):
        run("FloatToFused2BitRowwiseQuantized", np.zeros((1, 6), np.float32))
    with pytest.raises(EnforceNotMet, match="positive multiple of 1"):
        run("FloatToFused8BitRowwiseQuantized", np.zeros((1, 0), np.float32))
    with pytest.raises(EnforceNotMet, match="8 bytes of scale and bias"):
        run("Fused8BitRowwiseQuantizedToFloat", np.zeros((1, 7), np.uint8))
    with pytest.raises(EnforceNotMet, match="2 dimensions"):
        run("FloatToFused4BitFakeRowwiseQuantized", np.zeros(4, np.float32))

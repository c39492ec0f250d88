"""Quantized tensors made, undone and rearranged: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.quant.scheme import choose
from tests.ops.quant.values import bytes_of
from tests.sample import Sample, floats, samples

KEPT = {"Y_scale": 0.1, "Y_zero_point": 120}


@samples("Int8Quantize", "Quantize")
def _(rng):
    for shape in ((3, 4), (2, 3, 2, 2), (0, 3), ()):
        yield [floats(rng, *shape)], {"Y_scale": 0.05, "Y_zero_point": 100}
    yield Sample("Quantize", (floats(rng, 5),))


@samples("Int8Dequantize", "Int8DequantizeRowWise", "Dequantize")
def _(rng):
    for shape in ((3, 4), (2, 2, 2, 2), (0, 3)):
        yield [bytes_of(rng, *shape)], {}
    yield Sample("Dequantize", (floats(rng, 3),))


@samples("Int8GivenTensorFill")
def _(rng):
    yield [], {"shape": [2, 2], "values": b"\x00\x80\x90\xff", "Y_scale": 0.5, "Y_zero_point": 3}
    yield [], {"shape": [0], "values": b""}


@samples("Int8GivenIntTensorFill")
def _(rng):
    yield [], {"shape": [2, 2], "values": [1, -2, 3, 400], "Y_scale": 0.5}


@samples("Int8Flatten")
def _(rng):
    for axis in (0, 1, 2):
        yield [bytes_of(rng, 2, 3, 4)], KEPT | {"axis": axis}


@samples("Int8Reshape")
def _(rng):
    yield [bytes_of(rng, 2, 6)], KEPT | {"shape": [3, -1]}
    yield [bytes_of(rng, 2, 6), np.array([0, 2, 3])], KEPT


@samples("Int8Slice")
def _(rng):
    x = bytes_of(rng, 3, 4)
    yield [x], KEPT | {"starts": [0, 1], "ends": [-1, 3]}
    yield [x, np.array([1, 0]), np.array([3, 2])], KEPT
    yield [x], KEPT | {"dim": 1, "start_idx": 1, "end_idx": 3}


@samples("Int8Transpose")
def _(rng):
    yield [bytes_of(rng, 2, 3, 4)], KEPT
    yield [bytes_of(rng, 2, 3, 4)], KEPT | {"axes": [1, 0, 2]}


@samples("Int8Concat")
def _(rng):
    for order, shapes in (("NHWC", ((1, 2, 2, 3), (1, 2, 2, 2))), ("", ((2, 3), (1, 3)))):
        inputs = tuple(bytes_of(rng, *shape) for shape in shapes)
        yield Sample("Int8Concat", inputs, KEPT | ({"order": order} if order else {}), outputs=1)


@samples("Int8ChannelShuffle")
def _(rng):
    yield [bytes_of(rng, 1, 2, 2, 6)], KEPT | {"group": 3, "order": "NHWC"}


@samples("Int8ResizeNearest")
def _(rng):
    yield [bytes_of(rng, 1, 2, 3, 2)], KEPT | {"width_scale": 2.0, "height_scale": 1.5}
    yield [bytes_of(rng, 1, 2, 3, 2)], KEPT | {"output_size": [4, 6]}


def test_there_and_back(run):
    x = np.linspace(-3, 3, 100, dtype=np.float32)
    again = run("Int8Dequantize", run("Int8Quantize", x, Y_scale=6 / 255, Y_zero_point=127))
    assert np.abs(again - x).max() <= 6 / 255


def test_halves_go_to_even_and_values_are_held_within_bytes(run):
    q = run("Int8Quantize", np.array([0.5, 1.5, -7, 400, 3e9], np.float32))
    assert q.data.tolist() == [0, 2, 0, 255, 0]


@pytest.mark.parametrize("low, high", [(-1, 3), (0, 0), (2, 5), (-7, -1), (-1e-9, 1e-9)])
def test_chosen_parameters_hit_zero_and_span_the_interval(low, high):
    scale, zero_point = choose(low, high)
    assert scale > 0 and 0 <= zero_point <= 255
    assert (0 - zero_point) * scale <= min(low, 0) + scale and (255 - zero_point) * scale >= max(high, 0) - scale


def test_bytes_are_kept(run, rng):
    x = bytes_of(rng, 2, 3)
    y = run("Int8Transpose", x, **KEPT)
    np.testing.assert_array_equal(y.data.numpy(), x.data.numpy().T)


@pytest.mark.parametrize(
    "name, inputs, args, word",
    [
        ("Int8Quantize", ("f",), {"Y_scale": 0.0}, "positive"),
        ("Int8Quantize", ("f",), {"Y_zero_point": 256}, "byte"),
        ("Int8Dequantize", ("f",), {}, "quantized"),
        ("Int8Flatten", ("q",), {"Y_scale": 0.3}, "keeps the bytes"),
        ("Int8GivenTensorFill", (), {"shape": [3], "values": b"ab"}, "do not fill"),
        ("Dequantize", ("i",), {}, "floats"),
    ],
)
def test_what_cannot_be_is_refused(run, rng, name, inputs, args, word):
    given = {"f": floats(rng, 3), "q": bytes_of(rng, 3), "i": np.arange(3)}
    with pytest.raises(EnforceNotMet, match=word):
        run(name, *[given[k] for k in inputs], **args)

"""Codes: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

CODES = np.array([[0, 2, 2], [1, 0, 2]])


@samples("QuantDecode")
def _(rng):
    for kind in (np.uint8, np.uint16, np.int32):
        yield Sample("QuantDecode", (floats(rng, 3), CODES.astype(kind), CODES[0, :0].astype(kind)), outputs=2)


@samples("QuantDecodeGradient")
def _(rng):
    yield [floats(rng, 4), CODES.astype(np.uint8), CODES[0].astype(np.uint8), floats(rng, 2, 3), floats(rng, 3)], {}


@samples("ByteWeightDequant")
def _(rng):
    yield [rng.integers(0, 256, 7, np.uint8)], {"shape": [2, 3], "min": -1.0, "max": 2.0}
    yield [rng.integers(0, 256, (2, 2), np.uint8)], {}


def test_a_codes_gradient_goes_to_its_entry(run):
    made = run("QuantDecodeGradient", np.zeros(3, np.float32), CODES.astype(np.uint8), np.ones((2, 3), np.float32))
    assert made.tolist() == [2, 1, 3]


def test_bytes_of_a_string(run):
    made = run("ByteWeightDequant", np.array([b"\x00\xff\x33"], object), shape=[2], min=1.0, max=3.0)
    assert made.tolist() == [1, 3]


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(EnforceNotMet, match="codes holds 2"):
        run("QuantDecode", np.zeros(2, np.float32), CODES.astype(np.uint8))
    with pytest.raises(EnforceNotMet, match="a gradient for each of 6"):
        run("QuantDecodeGradient", np.zeros(3, np.float32), CODES.astype(np.uint8), np.zeros(5, np.float32))
    with pytest.raises(EnforceNotMet, match="takes 4"):
        run("ByteWeightDequant", np.zeros(3, np.uint8), shape=[2, 2])

"""Tables with scale and bias apart: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

INDICES = np.array([3, 0, 1, 1, 2])
LENGTHS = np.array([2, 0, 3], np.int32)
REDUCERS = ("Sum", "WeightedSum", "Mean", "WeightedMean")


def table(rng: np.random.Generator, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, shape, np.uint8), floats(rng, shape[0], 2)


@samples("FloatToRowwiseQuantized8Bits")
def _(rng):
    for shape in ((3, 5), (4, 2, 3), (4,), (0, 2)):
        yield [floats(rng, *shape)], {}


@samples("Rowwise8BitQuantizedToFloat")
def _(rng):
    for shape in ((3, 5), (4, 2, 3), (4,), (0, 2)):
        yield table(rng, *shape), {}


@samples(*(f"SparseLengths{reducer}8BitsRowwise" for reducer in REDUCERS))
def _(rng):
    for reducer in REDUCERS:
        data, scale_bias = table(rng, 4, 2, 3)
        for indices, lengths in ((INDICES, LENGTHS), (INDICES[:0].astype(np.int32), LENGTHS[:0])):
            weights = (floats(rng, len(indices)),) if reducer.startswith("Weighted") else ()
            yield Sample(f"SparseLengths{reducer}8BitsRowwise", (data, *weights, indices, lengths, scale_bias))


def test_halves_are_rounded_up(run):
    x = np.array([[0, 0.5, 1.5, 2.5, 0.49999997, 255], [3, 3, 3, 3, 3, 3]], np.float32)
    q, scale_bias = run("FloatToRowwiseQuantized8Bits", x)
    assert q.tolist() == [[0, 1, 2, 3, 0, 255], [0] * 6] and scale_bias.tolist() == [[1, 0], [1, 3]]


def test_floats_come_back_to_half_a_step(run):
    x = np.random.default_rng(0).standard_normal((6, 2, 5)).astype(np.float32)
    q, scale_bias = run("FloatToRowwiseQuantized8Bits", x)
    error = abs(run("Rowwise8BitQuantizedToFloat", q, scale_bias) - x).max((1, 2))
    assert (error <= scale_bias[:, 0] * 0.5001).all()


@pytest.mark.parametrize("reducer", REDUCERS)
def test_look_ups_are_those_of_the_floats(run, reducer):
    rng = np.random.default_rng(1)
    data, scale_bias = table(rng, 4, 2, 3)
    rows = run("Rowwise8BitQuantizedToFloat", data, scale_bias)[INDICES]
    weights = floats(rng, 5) if reducer.startswith("Weighted") else np.ones(5, np.float32)
    ends = np.cumsum(LENGTHS)
    wanted = [(rows * weights[:, None, None])[b - n : b].sum(0) for b, n in zip(ends, LENGTHS)]
    if reducer.endswith("Mean"):
        wanted = [x / max(n, 1) for x, n in zip(wanted, LENGTHS)]
    given = (weights,) if reducer.startswith("Weighted") else ()
    made = run(f"SparseLengths{reducer}8BitsRowwise", data, *given, INDICES, LENGTHS, scale_bias)
    assert np.allclose(made, np.stack(wanted), rtol=1e-4, atol=1e-3)


def test_what_does_not_fit_is_refused(run):
    data, scale_bias = table(np.random.default_rng(2), 4, 3)
    with pytest.raises(EnforceNotMet, match="scale_bias is of shape"):
        run("Rowwise8BitQuantizedToFloat", data, scale_bias[:3])
    with pytest.raises(EnforceNotMet, match="indexes 4 rows"):
        run("SparseLengthsSum8BitsRowwise", data, INDICES + 1, LENGTHS, scale_bias)
    with pytest.raises(EnforceNotMet, match="at least one number"):
        run("FloatToRowwiseQuantized8Bits", np.zeros((2, 0), np.float32))

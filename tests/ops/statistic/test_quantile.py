"""Quantiles and percentiles: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

TABLE = {
    "percentile_raw": [0.0, 1.0, 2.0, 10.0, 20.0],
    "percentile_mapping": [0.1, 0.5, 0.9, 0.2, 0.8],
    "percentile_lower": [0.1, 0.4, 0.8, 0.2, 0.7],
    "percentile_upper": [0.2, 0.6, 1.0, 0.3, 0.9],
    "lengths": [3, 2],
}


@samples("Quantile")
def _(rng):
    why = {"compile": "it bisects on the host"}
    yield Sample("Quantile", (floats(rng, 20),), {"quantile": 0.3}, except_=why)
    yield Sample("Quantile", (floats(rng, 9), floats(rng, 2, 3)), {"quantile": 0.9, "abs": 0}, except_=why)


@samples("Percentile")
def _(rng):
    pairs = np.array([[0, 0.1], [1, 0.5], [2, 0.9], [10, 0.2], [20, 0.8]], np.float32)
    x = np.array([[-1, 10], [0.5, 12], [2, 30]], np.float32)
    yield Sample(
        "Percentile",
        (x, pairs, np.array([3, 2], np.int32)),
        except_={"compile": "the lengths say how wide its tables are"},
    )


@samples("BisectPercentile")
def _(rng):
    yield [np.array([[-1, 10], [0.5, 12], [2, 30]], np.float32)], TABLE


def test_percentiles_are_interpolated(run):
    x = np.array([[-1, 10], [0.5, 15], [2, 30]], np.float32)
    pairs = np.stack((TABLE["percentile_raw"], TABLE["percentile_mapping"]), 1).astype(np.float32)
    known = run("Percentile", x, pairs, np.array([3, 2], np.int32))
    assert np.allclose(known, [[0, 0.2], [0.3, 0.5], [0.9, 1]])
    between = run("BisectPercentile", x, **TABLE)
    assert np.allclose(between, [[0, 0.2], [0.3, 0.5], [0.9, 1]])


def test_tables_must_fit(run):
    x = np.ones((2, 2), np.float32)
    with pytest.raises(EnforceNotMet, match="lengths"):
        run("BisectPercentile", x, **TABLE | {"lengths": [3, 1]})
    with pytest.raises(EnforceNotMet, match="lengths"):
        run("Percentile", x, x, np.array([1, 2], np.int32))
    with pytest.raises(EnforceNotMet, match="quantile"):
        run("Quantile", x)


def test_quantiles_of_all_inputs_together(run):
    assert run("Quantile", np.array([1, -4], np.float32), np.array([2], np.float32), quantile=1.0).tolist() == [4]
    assert run("Quantile", np.array([1, -4], np.float32), quantile=0.0, abs=0).tolist() == [-4]

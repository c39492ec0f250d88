"""Histograms and sums over runs: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples


@samples("Accumulate")
def _(rng):
    yield [floats(rng, 2, 3)], {"gamma": 0.5}


@samples("AccumulateHistogram")
def _(rng):
    args = {"lower_bound": -1.0, "upper_bound": 1.5, "num_buckets": 3}
    yield Sample("AccumulateHistogram", (floats(rng, 20),), args, except_={"compile": "it remembers the runs before"})


@samples("Histogram")
def _(rng):
    yield [floats(rng, 20)], {"bin_edges": [-1.0, 0.0, 0.5]}
    yield [floats(rng, 20).astype(np.float64), floats(rng, 2, 3).astype(np.float64)], {"bin_edges": [-1.0, 2.0]}


@samples("SelfBinningHistogram")
def _(rng):
    yield [floats(rng, 20)], {"num_bins": 4}
    yield [floats(rng, 20), floats(rng, 3, 2)], {"num_bins": 3, "bin_spacing": "logarithmic", "abs": 1}
    yield [np.full(5, 2, np.float32)], {"num_bins": 2}
    yield [np.zeros(0, np.float32)], {"num_bins": 2}


def test_totals_over_runs():
    sample = Sample("AccumulateHistogram", (np.array([-1, 0.1, 0.9, 2], np.float32),), {"num_buckets": 2})
    workspace = sample.workspace()
    net = workspace.bind_net(_net(sample))
    net.run()
    net.run()
    assert workspace.fetch("o0").tolist() == [1, 1, 1, 1] and workspace.fetch("o1").tolist() == [2, 2, 2, 2]


def test_accumulation_decays():
    sample = Sample("Accumulate", (np.ones(2, np.float32),), {"gamma": 0.5})
    workspace: Workspace = sample.workspace()
    net = workspace.bind_net(_net(sample))
    for _ in range(3):
        net.run()
    assert workspace.fetch("o0").tolist() == [1.75, 1.75]


def _net(sample):
    return caffe2_pb2.NetDef(op=[sample.definition()])


def test_edges_belong_to_the_bin_that_they_open(run):
    assert run("Histogram", np.array([0, 1, 2, -1], np.float32), bin_edges=[0.0, 1.0, 2.0]).tolist() == [1, 1]


@pytest.mark.parametrize(
    "name, args, word",
    [
        ("Histogram", {"bin_edges": [1.0]}, "bin edges"),
        ("Histogram", {"bin_edges": [1.0, 1.0]}, "increasing"),
        ("SelfBinningHistogram", {"num_bins": 0}, "num_bins"),
        ("SelfBinningHistogram", {"num_bins": 1, "bin_spacing": "cubic"}, "cubic"),
        ("SelfBinningHistogram", {"num_bins": 1, "logspace_start": 0.0}, "positive"),
        ("AccumulateHistogram", {"num_buckets": 0}, "num_buckets"),
    ],
)
def test_impossible_bins_are_refused(run, name, args, word):
    with pytest.raises(EnforceNotMet, match=word):
        run(name, np.ones(3, np.float32), outputs=1 if name == "Histogram" else 2, **args)

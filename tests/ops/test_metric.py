"""Average precision and perplexity: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, samples


@samples("APMeter")
def _(rng):
    inputs = (rng.random((6, 3), dtype=np.float32), rng.integers(0, 2, (6, 3)).astype(np.int32))
    yield Sample("APMeter", inputs, {"buffer_size": 4}, except_={"compile": "it remembers the runs before"})


@samples("Perplexity")
def _(rng):
    yield [rng.uniform(0.1, 0.9, 6).astype(np.float32)], {}


def test_average_precision_over_runs():
    x, labels = np.array([[0.9], [0.5]], np.float32), np.array([[0], [1]], np.int32)
    sample = Sample("APMeter", (x, labels))
    workspace = sample.workspace()
    net = workspace.bind_net(caffe2_pb2.NetDef(op=[sample.definition()]))
    net.run()
    assert workspace.fetch("o0").tolist() == [0.5]
    net.run()
    assert workspace.fetch("o0").tolist() == [pytest.approx((1 / 3 + 2 / 4) / 2)]


def test_perplexity_of_a_fair_die(run):
    assert run("Perplexity", np.full(4, 1 / 6, np.float32)) == pytest.approx(6)
    with pytest.raises(EnforceNotMet, match="at least 1 dimension"):
        run("Perplexity", np.ones((), np.float32))


def test_perplexity_of_the_first_probabilities(run):
    assert run("Perplexity", np.array([[0.5, 0.25], [0.1, 0.2]], np.float32)) == pytest.approx(8**0.5)

"""Caffe's choosing layers: samples for the laws, and the order of equal values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.caffe.select import accuracy, arg_max, select
from tests.sample import floats, samples


@samples("CaffeArgMax")
def _(rng):
    x = floats(rng, 2, 3, 4)
    yield [x], {}
    yield [x], {"top_k": 2, "out_max_val": 1}
    yield [x], {"top_k": 2, "axis": 1}
    yield [x], {"axis": 0, "out_max_val": 1}
    yield [floats(rng, 2, 3, 2, 2)], {"top_k": 3}


@samples("CaffeAccuracy")
def _(rng):
    yield [floats(rng, 4, 3), np.array([0, 1, 2, 1], np.float32)], {}
    x, label = floats(rng, 2, 3, 2), np.array([[0, 5], [2, 1]], np.float32)
    yield [x, label], {"top_k": 2, "ignore_label": 5}
    yield [floats(rng, 4, 3), np.zeros(4, np.float32)], {"axis": -1}


@samples("CaffeFilter")
def _(rng):
    yield [np.array([1, 0, 1], np.float32), floats(rng, 3, 2)], {}
    yield [np.zeros((3, 1), np.float32), floats(rng, 3, 2), floats(rng, 3)], {}


def test_of_equal_values_the_last_comes_first():
    assert arg_max(torch.tensor([[1.0, 2.0, 2.0]]), top_k=2).tolist() == [[[2.0, 1.0]]]


def test_of_equal_scores_the_true_one_comes_last():
    assert accuracy(torch.ones(1, 2), torch.zeros(1))[0] == 0


def test_too_large_a_top_k_and_a_selector_of_another_length_are_refused():
    with pytest.raises(EnforceNotMet, match="top_k"):
        arg_max(torch.ones(1, 2), top_k=3)
    with pytest.raises(EnforceNotMet, match="selector"):
        select(torch.ones(2), torch.ones(3, 1))

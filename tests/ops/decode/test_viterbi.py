"""Best paths through chains."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.decode.viterbi import swap_best_path, viterbi_path
from tests.sample import floats, samples


@samples("ViterbiPath")
def _(rng):
    yield [floats(rng, 5, 3), floats(rng, 3, 3)], {}
    yield [floats(rng, 1, 1), floats(rng, 1, 1)], {}


@samples("SwapBestPath")
def _(rng):
    yield [floats(rng, 4, 3), np.array([2, 0, 1, 1], np.int32)], {}
    yield [floats(rng, 0, 3), np.zeros(0, np.int32)], {}


@pytest.mark.parametrize("count, states", [(1, 4), (2, 3), (5, 3)])
def test_the_path_is_the_best_of_all(count, states):
    rng = np.random.default_rng(count)
    scores, moves = floats(rng, count, states), floats(rng, states, states)

    def total(path):
        return sum(scores[n, s] for n, s in enumerate(path)) + sum(moves[a, b] for a, b in zip(path, path[1:]))

    best = max(itertools.product(range(states), repeat=count), key=total)
    found = viterbi_path(torch.from_numpy(scores), torch.from_numpy(moves))
    assert found.dtype == torch.int32 and tuple(found.tolist()) == best


def test_swapped():
    scores = torch.tensor([[1.0, 5.0, 2.0], [3.0, 3.0, 0.0], [4.0, 1.0, 9.0]])
    found = swap_best_path(scores, torch.tensor([0, 2, 2], dtype=torch.int32))
    assert found.tolist() == [[5.0, 1.0, 2.0], [0.0, 3.0, 3.0], [4.0, 1.0, 9.0]]


def test_misuse():
    with pytest.raises(EnforceNotMet, match=r"transitions are \[3, 3\]"):
        viterbi_path(torch.rand(2, 3), torch.rand(2, 3))
    with pytest.raises(EnforceNotMet, match="bestPath holds 3"):
        swap_best_path(torch.rand(1, 3), torch.tensor([3], dtype=torch.int32))
    with pytest.raises(EnforceNotMet, match="for each of 2 steps"):
        swap_best_path(torch.rand(2, 3), torch.tensor([1], dtype=torch.int32))

"""Matrices as trains of tensors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import tt_core


def test_full_ranks_give_the_matrix_back():
    """Cores lie last first, each as [in, rank after, rank before, out]."""
    weights = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    cores = tt_core.matrix_to_tt(weights, [2, 4], [4, 2], [1, 8, 1])
    last, first = cores[:64].reshape(4, 1, 8, 2), cores[64:].reshape(2, 8, 1, 4)
    found = np.einsum("irao,jbrp->ijop", first, last)
    np.testing.assert_allclose(found, weights.T.reshape(2, 4, 4, 2), atol=1e-5)


def test_truncated_is_the_best_of_its_rank():
    matrix = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)
    flat = tt_core.tt_svd(matrix, [6, 5], [1, 2, 1])
    found = flat[:12].reshape(6, 2) @ flat[12:].reshape(2, 5)
    left, values, right = np.linalg.svd(matrix)
    np.testing.assert_allclose(found, (left[:, :2] * values[:2]) @ right[:2], atol=1e-5)


def test_initial_cores():
    cores = tt_core.init_tt_cores([3, 2], [2, 4], [1, 3, 1])
    assert cores.dtype == np.float32 and cores.shape == (3 * 2 * 3 + 3 * 2 * 4,)
    first = cores[:18].reshape(6, 3)
    gram = first.T @ first
    np.testing.assert_allclose(gram, gram[0, 0] * np.eye(3), atol=1e-6)
    np.testing.assert_array_equal(cores, tt_core.init_tt_cores([3, 2], [2, 4], [1, 3, 1]))


@pytest.mark.parametrize("sizes", [([2, 4], [4], [1, 2, 1]), ([2, 4], [4, 2], [1, 1]), ([2, 3], [4, 2], [1, 2, 1])])
def test_misuse(sizes):
    with pytest.raises(AssertionError, match="sizes"):
        tt_core.matrix_to_tt(np.zeros((8, 8), np.float32), *sizes)

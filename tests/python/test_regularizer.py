"""Regularizers compute their penalties, and keep their constraints."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import core, regularizer, workspace
from caffe2.python.regularizer import RegularizationBy

W = np.array([[1, -2, 3, 0.5], [0.25, 4, -1, 2]], np.float32)
NORMS = np.linalg.norm(W, axis=0)
SMALLEST = np.sort(np.abs(W), axis=1)[:, :1]


def run(reg, by: str, grad=None) -> core.BlobReference | None:
    workspace.ResetWorkspace()
    net, init = core.Net("net"), core.Net("init")
    out = reg(net, init, core.BlobReference("w"), grad, by=by)
    workspace.FeedBlob("w", W)
    workspace.FeedBlob("rows", np.array([1], np.int64))
    workspace.FeedBlob("values", np.ones((1, 4), np.float32))
    workspace.RunNetOnce(init)
    workspace.RunNetOnce(net)
    return out


@pytest.mark.parametrize(
    "reg, expected",
    [
        (regularizer.L1Norm(0.5), 0.5 * np.abs(W).sum()),
        (regularizer.L2Norm(0.5), 0.5 * (W**2).sum()),
        (regularizer.LpNorm(0.5, p_value=0.5), 0.5 * (NORMS**0.5).sum() ** 2),
        (regularizer.L0ApproxNorm(0.5, alpha=2.5), 0.5 * np.minimum(NORMS, 2.5).sum() / 2.5),
        (regularizer.L0ApproxNorm(0.5, alpha=2.5, budget=3), 0.5 * (np.minimum(NORMS, 2.5).sum() / 2.5 - 3)),
        (regularizer.L1NormTrimmed(0.5, 3), 0.5 * SMALLEST.sum()),
        (regularizer.ElasticNet(0.5, 0.25), 0.5 * np.abs(W).sum() + 0.25 * (W**2).sum()),
        (regularizer.ElasticNetL1NormTrimmed(0.5, 0.25, 3), 0.5 * SMALLEST.sum() + 0.25 * (W**2).sum()),
        (
            regularizer.GroupL1Norm(0.5, [1, 3], 0.25),
            0.5 * sum(np.sqrt(n * ((g**2).sum() + 0.25)) for n, g in ((1, W[:, :1]), (3, W[:, 1:]))),
        ),
        (regularizer.LogBarrier(0.5), -0.25 * np.log(np.maximum(W, 1e-9)).sum()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_penalties(reg, expected: float) -> None:
    out = run(reg, RegularizationBy.ON_LOSS)
    np.testing.assert_allclose(workspace.FetchBlob(out), expected, rtol=1e-5)


SPARSE = core.GradientSlice(core.BlobReference("rows"), core.BlobReference("values"))


@pytest.mark.parametrize(
    "reg, row",
    [
        (regularizer.MaxNorm(2.0), 2 * W[1] / np.linalg.norm(W[1])),
        (regularizer.ConstantNorm(9.0), 9 * W[1] / np.linalg.norm(W[1])),
        (regularizer.SparseL1Norm(0.5), np.sign(W[1]) * np.maximum(np.abs(W[1]) - 0.5, 0)),
        (regularizer.SparseL2Norm(0.5), 0.5 * W[1]),
        (regularizer.BoundedGradientProjection(-0.5, 1.5), np.clip(W[1], -0.5, 1.5)),
        (regularizer.LogBarrier(0.5), np.maximum(W[1], 1e-9)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_constraints_on_the_rows_of_a_sparse_gradient(reg, row: np.ndarray) -> None:
    run(reg, RegularizationBy.AFTER_OPTIMIZER, SPARSE)
    np.testing.assert_allclose(workspace.FetchBlob("w"), [W[0], row], rtol=1e-5)


def test_what_regularizers_refuse() -> None:
    with pytest.raises(AssertionError, match="not by 'sometimes'"):
        run(regularizer.L1Norm(1.0), "sometimes")
    with pytest.raises(NotImplementedError, match="MaxNorm is not supported for dense"):
        run(regularizer.MaxNorm(1.0), RegularizationBy.AFTER_OPTIMIZER)
    for make in (
        lambda: regularizer.L1Norm(-1),
        lambda: regularizer.LpNorm(0),
        lambda: regularizer.L1NormTrimmed(1, 0.5),
        lambda: regularizer.SparseLpNorm(3.0, 1.0),
        lambda: regularizer.BoundedGradientProjection(2.0, 1.0),
    ):
        with pytest.raises(AssertionError):
            make()

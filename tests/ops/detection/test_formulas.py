"""Detectron's operators beside plain loops over their formulas, on inputs of every kind that detectors meet."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

ONE = np.ones((), np.float32)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (2 * rng.standard_normal(shape)).astype(np.float32)


def cell_bounds(low: float, high: float, scale: float, k: int, count: int, limit: int) -> range:
    """The pixels of cell k of a region along an axis; corners are rounded, halves away from zero, and then scaled."""
    start, end = (math.copysign(math.floor(abs(v) + 0.5), v) for v in (low, high))
    start, end = start * scale, (end + 1) * scale
    size = max(end - start, 0.1) / count
    clip = [min(max(v, 0), limit) for v in (math.floor(k * size + start), math.ceil((k + 1) * size + start))]
    return range(*clip)


@pytest.mark.parametrize(("group", "planes", "scale"), [(1, 3, 1.0), (2, 2, 0.5), (3, 1, 0.25)])
def test_position_sensitive_pooling(run, rng, group, planes, scale):
    x = normal(rng, 2, planes * group**2, 9, 7)
    rois = np.float32(
        [[0, 0, 0, 12, 16], [1, 2.5, 3.5, 9.4, 8.6], [1, -6.5, -3.5, 3, 2], [0, 40, 40, 50, 50], [1, 5, 5, 4, 4]]
    )
    want, channels = np.zeros((5, planes, group, group)), np.zeros((5, planes, group, group), np.int32)
    back, dy = np.zeros(x.shape), normal(rng, *want.shape)
    for r, k, i, j in product(range(5), range(planes), range(group), range(group)):
        image, left, top, right, bottom = rois[r].tolist()
        rows = cell_bounds(top, bottom, scale, i, group, 9)
        columns = cell_bounds(left, right, scale, j, group, 7)
        channels[r, k, i, j] = c = (k * group + i) * group + j
        places = [(int(image), c, y, z) for y in rows for z in columns]
        if places:
            want[r, k, i, j] = np.mean([x[place] for place in places])
            for place in places:
                back[place] += dy[r, k, i, j] / len(places)
    settings = {"group_size": group, "output_dim": planes, "spatial_scale": scale}
    y, found = run("PSRoIPool", x, rois, **settings)
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found, channels)
    dx = run("PSRoIPoolGradient", x, rois, found, dy, **settings)
    np.testing.assert_allclose(dx, back, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "gamma", "alpha", "fg"), [(1, 2.0, 0.25, 0.0), (3, 1.0, 0.4, 2.0), (4, 0.5, 0.9, 9.0)]
)
def test_sigmoid_focal_loss(run, rng, classes, gamma, alpha, fg):
    anchors, scale = 2, 0.7
    x, labels = (
        normal(rng, 2, anchors * classes, 3, 2),
        rng.integers(-1, classes + 1, (2, anchors, 3, 2)).astype(np.int32),
    )
    loss, slope = 0.0, np.zeros(x.shape)
    for n, c, y, z in np.ndindex(*x.shape):
        label, own = labels[n, c // classes, y, z], c % classes + 1
        p = 1 / (1 + math.exp(-float(x[n, c, y, z])))
        if label == own:
            loss -= alpha * (1 - p) ** gamma * math.log(p)
            slope[n, c, y, z] = -alpha * (1 - p) ** gamma * (1 - p - gamma * p * math.log(p))
        elif label != -1:
            loss -= (1 - alpha) * p**gamma * math.log(1 - p)
            slope[n, c, y, z] = -(1 - alpha) * p**gamma * (gamma * (1 - p) * math.log(1 - p) - p)
    share, settings = scale / max(fg, 1), {"num_classes": classes, "gamma": gamma, "alpha": alpha, "scale": scale}
    inputs = x, labels, np.float32([fg])
    np.testing.assert_allclose(run("SigmoidFocalLoss", *inputs, **settings), loss * share, rtol=1e-4)
    dx = run("SigmoidFocalLossGradient", *inputs, 3 * ONE, **settings)
    np.testing.assert_allclose(dx, 3 * share * slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("classes", "gamma", "alpha", "fg"), [(2, 2.0, 0.25, 0.0), (3, 1.0, 0.4, 5.0)])
def test_softmax_focal_loss(run, rng, classes, gamma, alpha, fg):
    anchors, scale = 3, 1.3
    x, labels = normal(rng, 2, anchors * classes, 2, 3), rng.integers(-1, classes, (2, anchors, 2, 3)).astype(np.int32)
    grid = np.exp(x.astype(np.float64)).reshape(2, anchors, classes, 2, 3)
    grid /= grid.sum(2, keepdims=True)
    loss, slope = 0.0, np.zeros(grid.shape)
    for n, a, y, z in np.ndindex(*labels.shape):
        label = labels[n, a, y, z]
        if label < 0:
            continue
        p, weight = grid[n, a, label, y, z], alpha if label else 1 - alpha
        loss -= weight * (1 - p) ** gamma * math.log(p)
        factor = weight * (gamma * (1 - p) ** (gamma - 1) * p * math.log(p) - (1 - p) ** gamma)
        slope[n, a, :, y, z] = factor * ((np.arange(classes) == label) - grid[n, a, :, y, z])
    share, settings = scale / max(fg, 1), {"num_classes": classes, "gamma": gamma, "alpha": alpha, "scale": scale}
    inputs = x, labels, np.float32([fg])
    found, probabilities = run("SoftmaxFocalLoss", *inputs, **settings)
    np.testing.assert_allclose(found, loss * share, rtol=1e-4)
    np.testing.assert_allclose(probabilities, grid.ravel(), rtol=1e-4)
    dx = run("SoftmaxFocalLossGradient", *inputs, probabilities, 2 * ONE, **settings)
    np.testing.assert_allclose(dx, 2 * share * slope.reshape(x.shape), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_select_smooth_l1_loss(run, rng, count):
    beta, scale, total = 0.6, 0.5, 2.0
    x, y = normal(rng, 2, 12, 3, 4), normal(rng, count, 4)
    cells = [(n, c, i, j) for n in range(2) for c in (0, 4, 8) for i in range(3) for j in range(4)]
    places = np.float32([cells[k] for k in rng.permutation(len(cells))[:count]]).reshape(count, 4)
    loss, slope = 0.0, np.zeros(x.shape)
    for row, target in zip(places.astype(int), y):
        n, c, i, j = row
        for k in range(4):
            d = float(x[n, c + k, i, j] - target[k])
            loss += 0.5 * d * d / beta if abs(d) < beta else abs(d) - 0.5 * beta
            slope[n, c + k, i, j] = d / beta if abs(d) < beta else math.copysign(1, d)
    inputs = x, y, places, np.float32([total])
    settings = {"beta": beta, "scale": scale}
    np.testing.assert_allclose(run("SelectSmoothL1Loss", *inputs, **settings), loss * scale / total, rtol=1e-4)
    dx = run("SelectSmoothL1LossGradient", *inputs, 2 * ONE, **settings)
    np.testing.assert_allclose(dx, 2 * scale / total * slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("normalize", [0, 1])
@pytest.mark.parametrize("ignored", [False, True])
def test_sigmoid_cross_entropy_loss(run, rng, normalize, ignored):
    x, scale = normal(rng, 3, 4), 0.3
    targets = np.full((3, 4), -1, np.int32) if ignored else rng.integers(-1, 2, (3, 4)).astype(np.int32)
    p, held = 1 / (1 + np.exp(-x.astype(np.float64))), targets != -1
    loss = -np.where(held, targets * np.log(p) + (1 - targets) * np.log(1 - p), 0).sum()
    share = scale / (max(held.sum(), 1e-5) if normalize else 1)
    settings = {"scale": scale, "normalize": normalize}
    np.testing.assert_allclose(run("SigmoidCrossEntropyLoss", x, targets.ravel(), **settings), loss * share, rtol=1e-4)
    dx = run("SigmoidCrossEntropyLossGradient", x, targets, 2 * ONE, **settings)
    np.testing.assert_allclose(dx, np.where(held, p - targets, 0) * 2 * share, rtol=1e-3, atol=1e-6)


def test_smooth_l1_loss(run, rng):
    beta, scale = 0.4, 1.5
    a, b, inside, outside = (normal(rng, 3, 2, 2) for _ in range(4))
    loss, slope = 0.0, np.zeros(a.shape)
    for at in np.ndindex(*a.shape):
        d = float(inside[at] * (a[at] - b[at]))
        loss += outside[at] * (0.5 * d * d / beta if abs(d) < beta else abs(d) - 0.5 * beta)
        slope[at] = outside[at] * inside[at] * (d / beta if abs(d) < beta else math.copysign(1, d))
    settings = {"beta": beta, "scale": scale}
    np.testing.assert_allclose(run("SmoothL1Loss", a, b, inside, outside, **settings), loss * scale / 3, rtol=1e-4)
    dx = run("SmoothL1LossGradient", a, b, inside, outside, 2 * ONE, **settings)
    np.testing.assert_allclose(dx, 2 * scale / 3 * slope, rtol=1e-3, atol=1e-6)


def test_affine_channel_and_nearest_upsampling(run, rng):
    x, scale, bias = normal(rng, 2, 3, 2, 3), normal(rng, 3), normal(rng, 3)
    want = x * scale[:, None, None] + bias[:, None, None]
    np.testing.assert_allclose(run("AffineChannel", x, scale, bias), want, rtol=1e-5)
    up = run("UpsampleNearest", x, scale=3)
    np.testing.assert_array_equal(up, x.repeat(3, 2).repeat(3, 3))
    dy = normal(rng, *up.shape)
    want = dy.reshape(2, 3, 2, 3, 3, 3).sum((3, 5))
    np.testing.assert_allclose(run("UpsampleNearestGradient", x, dy, scale=3), want, rtol=1e-4, atol=1e-5)

"""Batch normalization: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


def blobs(rng, *shape, order="NCHW"):
    x = floats(rng, *shape)
    c = shape[1] if order == "NCHW" else shape[-1]
    return x, floats(rng, c), floats(rng, c), floats(rng, c), np.abs(floats(rng, c))


def batches(x, order="NCHW"):
    """Sums and sums of squares, as of two batches of which x is one."""
    axes = tuple(a for a in range(x.ndim) if a != (1 if order == "NCHW" else x.ndim - 1))
    return x.sum(axes) * 2, (x * x).sum(axes) * 2


@samples("SpatialBN")
def _(rng):
    for order in ("NCHW", "NHWC"):
        for shape in ((2, 3, 4, 2), (4, 2, 3), (2, 3, 2, 2, 2)):
            inputs = blobs(rng, *shape, order=order)
            yield Sample("SpatialBN", inputs, {"is_test": 1, "order": order}, 1)
            args = {"is_test": 0, "order": order, "momentum": 0.7, "epsilon": 0.01}
            yield Sample("SpatialBN", inputs, args, 5)
            stopped = {"gradient": "the sums are taken for given; their own gradient is not this operator's"}
            together = (*inputs, *batches(inputs[0], order))
            yield Sample("SpatialBN", together, args | {"num_batches": 2}, 5, except_=stopped)
    yield Sample("SpatialBN", blobs(rng, 0, 2, 3, 3), {"is_test": 0}, 5)


@samples("SpatialBNGradient")
def _(rng):
    for order in ("NCHW", "NHWC"):
        x, scale, dy, mean, var = blobs(rng, 2, 3, 4, 3, order=order)
        inputs = (x, scale, floats(rng, *x.shape), mean, var)
        yield Sample("SpatialBNGradient", inputs, {"is_test": 0, "order": order})
        yield Sample("SpatialBNGradient", inputs, {"is_test": 1, "order": order})
        more = (floats(rng, len(scale)), floats(rng, len(scale)))
        yield Sample("SpatialBNGradient", (*inputs, *more), {"order": order, "num_batches": 3})


def test_the_running_variance_is_unbiased(run):
    x = np.arange(8, dtype=np.float32).reshape(2, 1, 4)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    _, mean, var, m, rstd = run("SpatialBN", x, one, zero, zero, zero, momentum=0.0, outputs=5)
    assert mean == m == 3.5
    assert var == pytest.approx(x.var() * 8 / 7) and rstd == pytest.approx(1 / np.sqrt(x.var() + 1e-5))


def test_batches_normalized_together_are_one_batch(run):
    rng = np.random.default_rng(1)
    inputs = blobs(rng, 4, 2, 3, 3)
    whole = run("SpatialBN", *inputs, outputs=5)
    sums, sumsq = batches(inputs[0])
    halves = [
        run("SpatialBN", x, *inputs[1:], sums / 2, sumsq / 2, num_batches=2, outputs=5)
        for x in (inputs[0][:2], inputs[0][2:])
    ]
    np.testing.assert_allclose(np.concatenate([h[0] for h in halves]), whole[0], rtol=1e-4, atol=1e-5)
    for k in range(1, 5):
        np.testing.assert_allclose(halves[0][k], whole[k], rtol=1e-4, atol=1e-5)


def test_the_running_statistics_must_stay_in_their_blobs(run):
    sample = Sample("SpatialBN", blobs(np.random.default_rng(1), 2, 2, 3), {}, 5)
    op = sample.definition()
    op.output[1] = "elsewhere"
    with pytest.raises(EnforceNotMet, match="must overwrite"):
        sample.workspace().run_operator_once(op)


@pytest.mark.parametrize(
    "args, outputs",
    [({"is_test": 1}, 5), ({"is_test": 0}, 1), ({"epsilon": 0.0}, 5), ({"momentum": 2.0}, 5), ({"num_batches": 2}, 5)],
)
def test_what_cannot_be_is_refused(run, args, outputs):
    with pytest.raises(EnforceNotMet):
        run("SpatialBN", *blobs(np.random.default_rng(1), 2, 2, 3), outputs=outputs, **args)


def test_no_planes_to_normalize(run):
    row = np.ones((0, 3), np.float32)
    assert run("NormalizePlanarYUV", np.zeros((0, 3, 2, 2), np.float32), row, row).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("args, outputs", [({}, 5), ({"is_test": 1}, 1)])
def test_vectors_have_an_element_for_each_channel(run, k, args, outputs):
    inputs = list(blobs(np.random.default_rng(1), 2, 3, 4, 4))
    inputs[k] = inputs[k][:2]
    with pytest.raises(EnforceNotMet, match="3 channels"):
        run("SpatialBN", *inputs, outputs=outputs, **args)

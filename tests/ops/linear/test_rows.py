"""Products with rows and columns of weights, and tensor trains: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples

TRAIN = {"inp_sizes": [2, 3], "out_sizes": [3, 2], "tt_ranks": [1, 2, 1]}


@samples("ElementwiseLinear")
def _(rng):
    yield [floats(rng, 4, 3), floats(rng, 3), floats(rng, 3)], {}
    yield [floats(rng, 2, 3, 2), floats(rng, 6), floats(rng, 6)], {}
    yield [floats(rng, 2, 3, 2), floats(rng, 2), floats(rng, 2)], {"axis": 2}
    yield [floats(rng, 0, 3), floats(rng, 3), floats(rng, 3)], {}


@samples("ElementwiseLinearGradient")
def _(rng):
    yield [floats(rng, 4, 3), floats(rng, 4, 3), floats(rng, 3)], {}
    yield [floats(rng, 2, 3, 2), floats(rng, 2, 3, 2), floats(rng, 2)], {"axis": 2}


@samples("RowMul")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3)], {}
    yield [floats(rng, 3, 2, 2), floats(rng, 3)], {}


@samples("ReduceTailSum")
def _(rng):
    yield [floats(rng, 3, 4)], {}
    yield [floats(rng, 2, 2, 3)], {}
    yield [floats(rng, 3)], {}


@samples("TT")
def _(rng):
    yield [floats(rng, 4, 6), floats(rng, 6), floats(rng, 24)], TRAIN


@samples("TTLinearGradient")
def _(rng):
    yield [floats(rng, 4, 6), floats(rng, 6), floats(rng, 24), floats(rng, 4, 6)], TRAIN


def test_a_tensor_train_of_one_core_is_a_fully_connected_layer(run):
    x, w = np.ones((1, 3), np.float32), np.arange(6, dtype=np.float32)
    y = run("TT", x, np.zeros(2, np.float32), w, inp_sizes=[3], out_sizes=[2], tt_ranks=[1, 1])
    assert np.allclose(y, x @ w.reshape(3, 2))


def test_sizes_must_fit(run):
    with pytest.raises(EnforceNotMet, match="rows of 6"):
        run("TT", *[np.ones(n, np.float32) for n in ((4, 5), 6, 24)], **TRAIN)
    with pytest.raises(EnforceNotMet, match="tt_ranks"):
        run("TT", *[np.ones(n, np.float32) for n in ((4, 6), 6, 24)], **TRAIN | {"tt_ranks": [1, 1]})
    with pytest.raises(EnforceNotMet, match="vector of 3"):
        run("ElementwiseLinear", *[np.ones(n, np.float32) for n in ((2, 3), 3, 2)])
    with pytest.raises(EnforceNotMet, match="each row"):
        run("RowMul", *[np.ones(n, np.float32) for n in ((2, 3), 3)])


def test_matrices_and_vectors_without_broadcast(run):
    a, b = np.ones((1, 2, 3), np.float32), np.ones((3, 2), np.float32)
    assert run("BatchMatMul", a, b).shape == (1, 2, 2)
    assert run("BatchMatMul", a[0, 0], b).shape == (2,)
    assert run("BatchMatMul", b[:, 0], b[:, 0]).tolist() == [3]
    with pytest.raises(EnforceNotMet, match="broadcast"):
        run("BatchMatMul", np.ones((2, 2, 3), np.float32), b)

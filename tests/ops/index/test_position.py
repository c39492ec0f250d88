"""Positions as vectors: samples, and the formula."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import samples

POSITIONS = np.array([[0, 0], [3, 3], [7, 7]])


@samples("SinusoidPositionEncoding")
def _(rng):
    yield [POSITIONS], {"embedding_size": 5, "alpha": 100.0, "amplitude": 2.0}
    yield [POSITIONS[:0].astype(np.int32)], {"embedding_size": 1}


def test_formula(run):
    y = run("SinusoidPositionEncoding", POSITIONS, embedding_size=4, alpha=50.0, amplitude=3.0)
    angle = POSITIONS[:, :, None] / 50.0 ** (np.arange(4) / 4)
    want = 3 * np.where(np.arange(4) % 2, np.cos(angle), np.sin(angle))
    np.testing.assert_allclose(y, want, atol=1e-5)


def test_sizes_are_positive(run):
    with pytest.raises(EnforceNotMet, match="embedding_size"):
        run("SinusoidPositionEncoding", POSITIONS, embedding_size=0)

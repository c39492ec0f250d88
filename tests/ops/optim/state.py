"""Inputs of optimizers: parameters, moments, gradients and rates."""

from __future__ import annotations

import numpy as np

from tests.sample import floats

LR = np.array([-0.1], np.float32)
ITER = np.array([4])
ROWS = np.array([2, 0])
AGAIN = np.array([1, 3, 1, 1], np.int32)
TURNS = {"compile": "looks for rows that come twice"}


def positive(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Values of a moment that a root is taken of."""
    return np.abs(floats(rng, *shape))

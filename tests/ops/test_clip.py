"""Clip: samples."""

from __future__ import annotations

from tests.sample import floats, samples


@samples("Clip")
def _(rng):
    yield [floats(rng, 3, 4)], {"min": -0.5, "max": 0.7}
    yield [floats(rng, 5)], {"max": 0.1}
    yield [floats(rng, 0)], {}


@samples("ClipGradient")
def _(rng):
    yield [floats(rng, 3, 4), floats(rng, 3, 4)], {"min": -0.5, "max": 0.5}

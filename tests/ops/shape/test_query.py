"""Questions about shapes: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("Shape")
def _(rng):
    yield [floats(rng, 2, 3, 4)], {}
    yield [floats(rng, 2, 3, 4)], {"axes": [2, 0]}


@samples("Size", "IsEmpty")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [np.zeros((2, 0), np.int64)], {}


@samples("HasElements")
def _(rng):
    yield [np.zeros(0, np.float32), floats(rng, 2)], {}
    yield [np.zeros(0, np.float32), np.zeros((0, 2), np.int32)], {}


@samples("LengthsToShape")
def _(rng):
    yield Sample("LengthsToShape", (np.array([3, 3, 3, 3], np.int32),))


def test_strings_are_counted(run):
    words = np.array([b"a", b"b"], object)
    assert run("Shape", words).tolist() == [2] and run("Size", words) == 2 and not run("IsEmpty", words)


def test_lengths_that_differ_make_no_shape(run):
    with pytest.raises(EnforceNotMet, match="all the same"):
        run("LengthsToShape", np.array([3, 2], np.int32))


def test_axes_are_dimensions(run):
    with pytest.raises(EnforceNotMet, match="axes"):
        run("Shape", np.zeros(3, np.float32), axes=[1])

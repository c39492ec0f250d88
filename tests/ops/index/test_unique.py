"""Distinct elements, duplicates and places: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("Unique")
def _(rng):
    counted = {"shape": "only the data can tell how many are distinct"}
    for x, unknown in ((np.array([3, 1, 3, 2]), counted), (np.zeros(0, np.int32), {}), (np.array([4]), {})):
        for outputs in (1, 2):
            yield Sample("Unique", (x,), outputs=outputs, except_=unknown)


@samples("Find")
def _(rng):
    yield [np.array([4, 2, 4]), np.array([[4, 5], [2, 4]])], {"missing_value": -7}
    yield [np.zeros(0, np.int32), np.array([1], np.int32)], {}


@samples("FindDuplicateElements")
def _(rng):
    yield [np.array([1, 2, 1, 1])], {}
    yield [floats(rng, 3)], {}
    yield [np.array([b"a", b"b", b"a"], object)], {}


def test_remapping_leads_back(run):
    x = np.array([3, 1, 3, 2])
    distinct, remapping = run("Unique", x)
    assert distinct.tolist() == [1, 2, 3] and remapping.dtype == np.int32 and (distinct[remapping] == x).all()


def test_the_last_of_equals_is_found(run):
    assert run("Find", np.array([4, 2, 4]), np.array([4, 3, 2])).tolist() == [2, -1, 1]


def test_what_came_before_is_a_duplicate(run):
    assert run("FindDuplicateElements", np.array([1.0, np.nan, np.nan, 1.0])).tolist() == [3]
    assert run("FindDuplicateElements", np.array([b"a", b"b", b"a", b"a"], object)).tolist() == [2, 3]


def test_vectors_of_one_type_are_needed(run):
    with pytest.raises(EnforceNotMet, match="1 dimension"):
        run("Unique", np.array([[1]]))
    with pytest.raises(EnforceNotMet, match="one element type"):
        run("Find", np.array([1]), np.array([1], np.int32))

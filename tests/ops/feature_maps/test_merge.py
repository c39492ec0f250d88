"""Merged features: samples of the merges and of their gradients, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.feature_maps.merge import FORMS
from tests.sample import Sample, floats, samples

YES, NO = True, False
IDS = {"feature_ids": [7, -2]}


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def one(rng: np.random.Generator, form: tuple[str, str]) -> list[np.ndarray]:
    """Two inputs of a form, of three examples."""
    values, presence = floats(rng, 3), np.array([YES, NO, YES])
    lengths, keys = ints(2, 0, 1), np.array([5, 6, 5])
    return {
        ("Single", "Scalar"): [values, presence, floats(rng, 3), ~presence],
        ("Single", "List"): [lengths, values, presence, ints(0, 2, 9), floats(rng, 2), ~presence],
        ("Single", "Map"): [lengths, keys, values, presence, ints(1, 2, 0), keys[1:], floats(rng, 2), ~presence],
        ("Multi", "Scalar"): [lengths, keys, values, ints(0, 1, 1), keys[1:], floats(rng, 2)],
        ("Multi", "List"): [lengths, keys, ints(0, 2, 1), values, ints(1, 0, 0), keys[1:2], ints(2), floats(rng, 2)],
        ("Multi", "Map"): [
            *(lengths, keys, ints(3, 0, 0), keys, values),
            *(ints(1, 0, 0), keys[1:2], ints(2), keys[:2], floats(rng, 2)),
        ],
    }[form]


@samples("MergeDenseFeatureTensors")
def _(rng):
    present = np.array([[YES, NO], [YES, YES], [NO, NO]])
    yield [floats(rng, 3, 2), present], IDS
    yield [np.zeros((0, 2), np.int64), present[:0]], IDS


@samples(*(f"Merge{many}{kind}FeatureTensors" for many, kind in FORMS))
def _(rng):
    for many, kind in FORMS:
        args = IDS if many == "Single" else {}
        name = f"Merge{many}{kind}FeatureTensors"
        yield Sample(name, tuple(one(rng, (many, kind))), args)
        yield Sample(name, tuple(x[:0] for x in one(rng, (many, kind))), args)


@samples(*(f"Merge{many}{kind}FeatureTensorsGradient" for many, kind in FORMS))
def _(rng):
    for many, kind in FORMS:
        names, inputs = FORMS[many, kind] * 2, one(rng, (many, kind))
        asked = [x for n, x in zip(names, inputs) if n in ("_lengths", "_values_lengths", "_presence")]
        upstream = floats(rng, 3 if (many, kind) == ("Single", "Scalar") else 5)
        yield Sample(f"Merge{many}{kind}FeatureTensorsGradient", (*asked, upstream), outputs=2)


def test_a_matrix_keeps_what_is_present(run):
    x, present = np.arange(4).reshape(2, 2), np.array([[NO, YES], [YES, YES]])
    lengths, keys, values = run("MergeDenseFeatureTensors", x, present, **IDS)
    assert lengths.tolist() == [1, 2] and keys.tolist() == [-2, 7, -2] and values.tolist() == [1, 2, 3]


def test_words_of_single_features_and_back(run):
    words, present = np.array([b"a", b"b"], object), [np.array([YES, NO]), np.array([YES, YES])]
    lengths, keys, values = run("MergeSingleScalarFeatureTensors", words, present[0], words, present[1], **IDS)
    assert lengths.tolist() == [2, 1] and keys.tolist() == [7, -2, -2] and values.tolist() == [b"a", b"a", b"b"]
    first, second = run("MergeSingleScalarFeatureTensorsGradient", *present, values, outputs=2)
    assert first.tolist() == [b"a", b""] and second.tolist() == [b"a", b"b"]


def test_lists_of_absent_examples_hold_no_values(run):
    present = np.array([NO, YES])
    merged = run("MergeSingleListFeatureTensors", ints(1, 2), np.array([3.0, 4.0]), present, **IDS)
    assert [x.tolist() for x in merged] == [[0, 1], [7], [2], [3.0, 4.0]]


def test_maps_of_many_features_are_interleaved_and_taken_apart(run):
    left = ints(1, 1), np.array([1, 2]), ints(2, 1), np.array([10, 11, 20]), np.array([0.1, 0.2, 0.3])
    right = ints(0, 2), np.array([3, 4]), ints(1, 0), np.array([30]), np.array([0.4])
    merged = run("MergeMultiMapFeatureTensors", *left, *right)
    assert [x.tolist() for x in merged[:4]] == [[1, 3], [1, 2, 3, 4], [2, 1, 1, 0], [10, 11, 20, 30]]
    given = left[0], left[2], right[0], right[2], merged[4]
    assert [x.tolist() for x in run("MergeMultiMapFeatureTensorsGradient", *given, outputs=2)] == [
        [0.1, 0.2, 0.3],
        [0.4],
    ]


def test_what_does_not_fit_is_refused(run):
    present = np.array([YES, YES])
    with pytest.raises(EnforceNotMet, match="feature_ids names 0"):
        run("MergeSingleScalarFeatureTensors", np.zeros(2), present)
    with pytest.raises(EnforceNotMet, match="holds 2 values add up to 3"):
        run("MergeSingleListFeatureTensors", ints(1, 2), np.zeros(2), present, **IDS)
    with pytest.raises(EnforceNotMet, match="negative"):
        run("MergeMultiScalarFeatureTensors", ints(-1, 2), np.array([1]), np.zeros(1))
    with pytest.raises(EnforceNotMet, match="as many keys as values"):
        run("MergeMultiScalarFeatureTensors", ints(1, 1), np.array([1, 2]), np.zeros(1))
    with pytest.raises(EnforceNotMet, match="one type"):
        run(
            "MergeMultiScalarFeatureTensors", *(ints(1), np.array([1]), np.zeros(1)), *(ints(1), np.array([1]), ints(1))
        )
    with pytest.raises(EnforceNotMet, match="tell of 2 values"):
        run("MergeMultiScalarFeatureTensorsGradient", ints(1, 1), np.zeros(3), outputs=1)

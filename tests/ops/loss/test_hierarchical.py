"""Hierarchical softmax and trees of words: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import hsm_pb2
from tests.sample import Sample, floats, samples


def node(index, length, target):
    return hsm_pb2.PathNodeProto(index=index, length=length, target=target)


PATHS = hsm_pb2.HierarchyProto(
    size=5,
    paths=[
        hsm_pb2.PathProto(word_id=0, path_nodes=[node(0, 2, 0)]),
        hsm_pb2.PathProto(word_id=7, path_nodes=[node(0, 2, 1), node(2, 3, 0)]),
        hsm_pb2.PathProto(word_id=9, path_nodes=[node(0, 2, 1), node(2, 3, 2)]),
    ],
)
ARGS = {"hierarchy": PATHS.SerializeToString()}
TREE = hsm_pb2.TreeProto(
    root_node=hsm_pb2.NodeProto(
        offset=0,
        name="root",
        word_ids=[0],
        children=[hsm_pb2.NodeProto(offset=2, name="inner", word_ids=[7, 8, 9])],
    )
)
LABELS = np.array([7, 0, 9, 7], np.int32)


@samples("HSoftmax")
def _(rng):
    yield [floats(rng, 4, 3), floats(rng, 5, 3), floats(rng, 5), LABELS], ARGS


@samples("HSoftmaxGradient")
def _(rng):
    held = rng.uniform(0.1, 0.9, 2 * (5 + 2 + 5 + 5)).astype(np.float32)
    inputs = (floats(rng, 4, 3), floats(rng, 5, 3), floats(rng, 5), LABELS, held, floats(rng, 4))
    why = {"compile": "the labels say how many decisions there are"}
    yield Sample("HSoftmaxGradient", inputs, ARGS, except_=why)


@samples("HSoftmaxSearch")
def _(rng):
    args = {"tree": TREE.SerializeToString(), "topN": 3, "beam": 5.0}
    yield [floats(rng, 2, 3), floats(rng, 5, 3), floats(rng, 5)], args


@samples("HuffmanTreeHierarchy")
def _(rng):
    yield [np.array([0, 1, 1, 2, 2, 2, 2])], {"num_classes": 4}


def test_probabilities_of_all_words_add_up(run):
    rng = np.random.default_rng(1)
    x, w, b = floats(rng, 1, 3), floats(rng, 5, 3), floats(rng, 5)
    total = 0
    for label in (0, 7, 9):
        y, _ = run("HSoftmax", x, w, b, np.array([label], np.int32), outputs=2, **ARGS)
        total += np.exp(-y[0])
    last = np.exp(w[2:] @ x[0] + b[2:])
    inner = np.exp(w[:2] @ x[0] + b[:2])
    missing = inner[1] / inner.sum() * last[1] / last.sum()
    assert total == pytest.approx(1 - missing, rel=1e-4)


def test_unknown_labels_are_refused(run):
    inputs = [np.ones((1, 3), np.float32), np.ones((5, 3), np.float32), np.ones(5, np.float32)]
    with pytest.raises(EnforceNotMet, match="label 8"):
        run("HSoftmax", *inputs, np.array([8], np.int32), outputs=2, **ARGS)
    with pytest.raises(EnforceNotMet, match="HierarchyProto"):
        run("HSoftmax", *inputs, np.array([8], np.int32), outputs=2, hierarchy=b"\xff")


def test_the_likeliest_words(run):
    args = {"tree": TREE.SerializeToString(), "topN": 2, "beam": 50.0}
    b = np.array([0, 2, 0, 3, 0], np.float32)
    x, w = np.zeros((1, 3), np.float32), np.zeros((5, 3), np.float32)
    names, scores = run("HSoftmaxSearch", x, w, b, outputs=2, **args)
    assert names.tolist() == [[b"0", b"inner"]] and scores[0, 0] == pytest.approx(np.log(1 + np.exp(-2)), rel=1e-4)


def test_rare_labels_lie_deep(run):
    made = run("HuffmanTreeHierarchy", np.array([0, 1, 1, 2, 2, 2, 2]), num_classes=3)
    root = hsm_pb2.TreeProto.FromString(made[0]).root_node
    assert list(root.word_ids) == [2] and sorted(root.children[0].word_ids) == [0, 1]
    with pytest.raises(EnforceNotMet, match="between"):
        run("HuffmanTreeHierarchy", np.array([3]), num_classes=3)

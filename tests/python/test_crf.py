"""Conditional random fields: the loss against a sum over all paths, and predictions along the best one."""

from __future__ import annotations

import itertools

import numpy as np

from caffe2.python import crf, workspace
from caffe2.python.crf_predict import crf_update_predictions
from caffe2.python.model_helper import ModelHelper

WORDS, CLASSES = 3, 2


def field():
    rng = np.random.default_rng(5)
    workspace.ResetWorkspace()
    model = ModelHelper("field")
    workspace.FeedBlob("predictions", rng.standard_normal((WORDS, CLASSES)).astype(np.float32))
    workspace.FeedBlob("moves", rng.uniform(-1, 1, (CLASSES + 2, CLASSES + 2)).astype(np.float32))
    workspace.FeedBlob("labels", np.array([1, 0, 1], np.int64))
    predictions, labels, moves = model.net.AddExternalInputs("predictions", "labels", "moves")
    return model, crf.CRFWithLoss(model, CLASSES, moves), predictions, labels


def ran(model):
    workspace.RunNetOnce(model.param_init_net)
    workspace.RunNetOnce(model.net)


def score(path):
    scores, moves = workspace.FetchBlob("predictions"), workspace.FetchBlob("moves")
    whole = [CLASSES, *path, CLASSES + 1]
    return sum(scores[n, c] for n, c in enumerate(path)) + sum(moves[a, b] for a, b in zip(whole, whole[1:]))


def every_path():
    return itertools.product(range(CLASSES), repeat=WORDS)


def test_loss_and_gradient():
    model, layer, predictions, labels = field()
    loss = layer.crf_loss(predictions, labels)
    gradients = model.net.AddGradientOperators([loss])
    ran(model)

    def expected():
        return np.log(sum(np.exp(score(path)) for path in every_path())) - score((1, 0, 1))

    np.testing.assert_allclose(workspace.FetchBlob(loss), expected(), rtol=1e-4)
    slope = workspace.FetchBlob(gradients["predictions"])
    exact, costs = workspace.FetchBlob("predictions").astype(np.float64), []
    for step in (-1e-3, 1e-3):
        exact[1, 0] += step
        workspace.FeedBlob("predictions", exact)
        costs.append(expected())
    assert abs((costs[1] - costs[0]) / 1e-3 - slope[1, 0]) < 5e-3


def test_the_best_path_gets_the_greatest_scores():
    model, layer, predictions, _ = field()
    updated = [crf_update_predictions(model, layer, predictions), layer.update_predictions(predictions)]
    ran(model)
    best = max(every_path(), key=score)
    given = workspace.FetchBlob("predictions")
    for blob in updated:
        found = workspace.FetchBlob(blob)
        assert tuple(found.argmax(1)) == best
        np.testing.assert_array_equal(np.sort(found, 1), np.sort(given, 1))
    assert str(updated[1]) == "post_crf_classes"


def test_transitions_are_drawn_where_none_are_given():
    model = ModelHelper("own")
    layer = crf.CRFWithLoss(model, 3)
    workspace.RunNetOnce(model.param_init_net)
    drawn = workspace.FetchBlob(layer.transitions)
    assert str(layer.transitions) == "crf_transitions" and layer.transitions in model.params
    assert drawn.shape == (5, 5) and abs(drawn).max() <= 1

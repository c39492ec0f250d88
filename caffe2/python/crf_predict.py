"""Predictions that a conditional random field corrects, by operators alone."""

from __future__ import annotations

from typing import Any

from caffe2.python.core import BlobReference, Net
from caffe2.python.crf import CRFWithLoss, best_path_first
from caffe2.python.model_helper import ModelHelper


def crf_update_predictions(model: ModelHelper, crf_with_loss: CRFWithLoss, classes: Any) -> BlobReference:
    """Predictions [words, classes] with the greatest score of each word given to its class on the best path."""
    return apply_crf(model.param_init_net, model.net, crf_with_loss.transitions, classes, crf_with_loss.num_classes)


def apply_crf(init_net: Net, net: Net, transitions: Any, predictions: Any, num_classes: int) -> BlobReference:
    """The same for transitions [num_classes + 2, num_classes + 2] in a blob."""
    return best_path_first(init_net, net, transitions, predictions, num_classes)

"""The best path through a chain of labels, and scores that put a given path first."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, op
from caffe2.ops import demand


@op(
    "ViterbiPath: predictions transitions -> viterbi_path",
    types="predictions transitions: float",
    gradient=NONE,
    shape=lambda predictions, transitions: predictions.new_empty(len(predictions), dtype=torch.int32),
)
def viterbi_path(predictions: Tensor, transitions: Tensor) -> Tensor:
    """The labels y with the largest sum over n of predictions[n, y[n]] + transitions[y[n - 1], y[n]] (Viterbi, 1967).

    predictions: (steps, labels): scores.
    transitions: (labels, labels): scores from the row's label to the column's.
    viterbi_path: (steps), int32.
    """
    demand.rank(predictions, 2, "predictions")
    labels = predictions.shape[1]
    if transitions.shape != (labels, labels):
        raise EnforceNotMet(f"transitions are [{labels}, {labels}], from label to label, not {[*transitions.shape]}")
    if not len(predictions):
        return predictions.new_empty(0, dtype=torch.int32)
    score, back = predictions[0], []
    for step in predictions[1:]:
        score, source = (score[:, None] + transitions).max(0)
        score = score + step
        back.append(source)
    path = [score.argmax(0, keepdim=True)]
    for source in reversed(back):
        path.append(source.gather(0, path[-1]))
    return torch.cat(path[::-1]).int()


@op(
    "SwapBestPath: predictions bestPath -> new_predictions",
    types="predictions: float, bestPath: int32",
    gradient=NONE,
    like="predictions",
)
def swap_best_path(predictions: Tensor, path: Tensor) -> Tensor:
    """The predictions with the best score of each step exchanged with that of its label in bestPath.

    predictions: (steps, labels).
    bestPath: (steps), int32.
    new_predictions: of the shape of predictions.
    """
    demand.rank(predictions, 2, "predictions")
    if path.shape != predictions.shape[:1]:
        raise EnforceNotMet(f"bestPath holds a label for each of {len(predictions)} steps, not {tuple(path.shape)}")
    demand.in_range(path, predictions.shape[1], "bestPath")
    if not predictions.numel():
        return predictions.clone()
    wanted = path.long()[:, None]
    best, at = predictions.max(1, keepdim=True)
    return predictions.scatter(1, at, predictions.gather(1, wanted)).scatter_(1, wanted, best)

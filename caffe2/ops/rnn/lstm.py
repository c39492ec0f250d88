"""Whole LSTMs over whole sequences, for inference."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, op
from caffe2.ops import demand


@op("InferenceLSTM: +input_list -> output hidden cell", gradient=NONE, types="input_list: floating")
def inference_lstm(
    *tensors: Tensor,
    num_layers: int = 1,
    has_biases: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """A stack of LSTM layers over sequences: the last layer's outputs, and the states after the last step.

    input_list: X (T, N, D), or (N, T, D) with batch_first; h0 and c0 (layers * directions, N, H); then for every layer
        and direction w_ih (4 * H, D), w_hh (4 * H, H) and, with has_biases, b_ih and b_hh (4 * H), gates in the order i
        f g o.
    output: (T, N, directions * H), or (N, T, directions * H) with batch_first.
    hidden, cell: of the shape of h0 and c0.
    num_layers: how many layers.
    has_biases: whether there are b_ih and b_hh.
    batch_first: whether the batch is the first dimension of X.
    bidirectional: whether every layer runs in both directions: directions is 2, not 1.
    """
    directions, per = 1 + bidirectional, 4 if has_biases else 2
    weights = directions * num_layers * per
    if len(tensors) != 3 + weights:
        raise EnforceNotMet(f"InferenceLSTM: it takes X, h0, c0 and {weights} weights, got {len(tensors)} inputs")
    x, hidden, cell, *parameters = tensors
    demand.rank(x, 3, "X")
    size = hidden.shape[-1] if hidden.dim() else 0
    states = (num_layers * directions, x.shape[0 if batch_first else 1], size)
    if not hidden.shape == cell.shape == states:
        raise EnforceNotMet(f"h0 and c0 have the shape {states}, not {tuple(hidden.shape)} and {tuple(cell.shape)}")
    for k in range(0, len(parameters), per):
        width = x.shape[2] if k < per * directions else size * directions
        for w, shape in zip(parameters[k : k + per], ((4 * size, width), (4 * size, size), (4 * size,), (4 * size,))):
            if w.shape != shape:
                raise EnforceNotMet(f"weights have 4 rows for each of {size} states: {shape}, not {tuple(w.shape)}")
    return torch.lstm(x, (hidden, cell), parameters, has_biases, num_layers, 0.0, False, bidirectional, batch_first)

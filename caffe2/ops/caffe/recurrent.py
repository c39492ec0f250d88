"""Caffe's recurrent layers, unrolled over time.

X: (T, N, ...): the inputs of T steps and N streams, flattened to (T, N, K).
cont: (T, N): 0 where a sequence begins, else 1.
w: (G, K): weights of the input; G is D, or 4 * D for the gates i, f, o, g of an LSTM.
b: (G): the bias.
w_hidden: (G, D): weights of the state before.
Y: (T, N, D): the outputs.
last_hidden, last_cell: (1, N, D): the states after the last step.
static: whether there is an input that is fed at every step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Gradient, NoGradient, op
from caffe2.ops.caffe.automatic import differentiable


def lstm_step(cell: Tensor, gates: Tensor, go: Tensor) -> tuple[Tensor, Tensor]:
    """The next cell go s(f) c + s(i) tanh(g) and state s(o) tanh(c), gates i, f, o, g side by side."""
    i, f, o, g = gates.chunk(4, -1)
    new = torch.where(go == 0, 0.0, go * torch.sigmoid(f)) * cell + torch.sigmoid(i) * torch.tanh(g)
    return new, torch.sigmoid(o) * torch.tanh(new)


def _fed(x: Tensor, w: Tensor, b: Tensor, static: Tensor | None, w_static: Tensor | None) -> Tensor:
    """What the input adds to the gates of every step: [T, N, G]."""
    if x.dim() < 2 or x.shape[2:].numel() != w.shape[1]:
        raise EnforceNotMet(f"X [T, N, ...] holds {w.shape[1]} numbers a step and stream, got {[*x.shape]}")
    fed = x.flatten(2) @ w.t() + b
    return fed if static is None else fed + static.flatten(1) @ w_static.t()


@op("CaffeLSTMUnit: cell gates cont -> new_cell hidden", types="cell gates cont: floating", gradient=NONE)
def lstm_unit(cell: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: c = cont s(f) c' + s(i) tanh(g), h = s(o) tanh(c), s the logistic function.

    cell: c', (1, N, D).
    gates: i, f, o, g side by side, (1, N, 4 * D).
    cont: (1, N): 0 where a sequence begins, else 1.
    new_cell, hidden: c and h, (1, N, D).
    """
    return lstm_step(cell, gates, cont.unsqueeze(-1))


def _gradient(arrows: str) -> Callable[[Gradient], None]:
    def derive(g: Gradient) -> None:
        if g.arg("static", False):
            raise NoGradient("a static input of a recurrent layer is not trained: its weights would get no gradient")
        g.op(arrows)

    return derive


def _more(more: tuple[Tensor, ...], static: bool, states: int) -> tuple[Tensor | None, Tensor | None, list[Tensor]]:
    """The static input and its weights, and the states at first."""
    if len(more) - 2 * static not in (0, states):
        raise EnforceNotMet(f"{2 * static} blobs of a static input and 0 or {states} states follow, not {len(more)}")
    fixed, w_fixed = more[:2] if static else (None, None)
    return fixed, w_fixed, [state[0] for state in more[2 * static :]]


@differentiable(
    "CaffeLSTM",
    "X cont w b w_hidden *more",
    "Y last_hidden? last_cell?",
    wanted=5,
    types="X cont: floating",
    gradient=_gradient("CaffeLSTMGradient: X cont w b w_hidden *more dY -> dX dcont dw db dw_hidden"),
)
def lstm(
    x: Tensor, cont: Tensor, w: Tensor, b: Tensor, w_hidden: Tensor, *more: Tensor, static: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """An LSTM over T steps: the gates X w^T + b + cont h w_hidden^T (+ s w_static^T), put through CaffeLSTMUnit.

    more: with static, s (N, ...), fed at every step, and w_static; then the hidden state and the cell at first, (1, N,
        D), 0 unless given.
    """
    fixed, w_fixed, states = _more(more, static, 2)
    fed = _fed(x, w, b, fixed, w_fixed)
    h, c = states or (fed.new_zeros(x.shape[1], w_hidden.shape[1]),) * 2
    out = []
    for step, go in zip(fed, cont.unsqueeze(-1)):
        c, h = lstm_step(c, (h * go) @ w_hidden.t() + step, go)
        out.append(h)
    return torch.stack(out), h[None].clone(), c[None]


@differentiable(
    "CaffeRNN",
    "X cont w b w_hidden w_out b_out *more",
    "Y last_hidden?",
    wanted=7,
    types="X cont: floating",
    gradient=_gradient(
        "CaffeRNNGradient: X cont w b w_hidden w_out b_out *more dY -> dX dcont dw db dw_hidden dw_out db_out"
    ),
)
def rnn(
    x: Tensor,
    cont: Tensor,
    w: Tensor,
    b: Tensor,
    w_hidden: Tensor,
    w_out: Tensor,
    b_out: Tensor,
    *more: Tensor,
    static: bool = False,
) -> tuple[Tensor, Tensor]:
    """h = tanh(X w^T + b + cont h w_hidden^T (+ s w_static^T)), Y = tanh(h w_out^T + b_out), over T steps.

    w_out: (O, D): weights of the output.
    b_out: (O): its bias.
    Y: (T, N, O): the outputs.
    more: with static, s (N, ...), fed at every step, and w_static; then the state at first, (1, N, D), 0 unless given.
    """
    fixed, w_fixed, states = _more(more, static, 1)
    fed = _fed(x, w, b, fixed, w_fixed)
    h = states[0] if states else fed.new_zeros(x.shape[1], w_hidden.shape[1])
    out = []
    for step, go in zip(fed, cont.unsqueeze(-1)):
        h = torch.tanh((h * go) @ w_hidden.t() + step)
        out.append(torch.tanh(h @ w_out.t() + b_out))
    return torch.stack(out), h[None]

"""Cells of recurrent networks: one time step of an LSTM and of a GRU, aware of where each sequence ends."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel

before_sigmoid = torch.ops.aten.sigmoid_backward.default
before_tanh = torch.ops.aten.tanh_backward.default

LSTM = Kernel("cell", "lstm_unit", "pppp pp qqqq f")
LSTM_BACK = Kernel("cell", "lstm_unit_gradient", "ppp ppp ppp qqqq f")
GRU = Kernel("cell", "gru_unit", "ppp p qqqq")
GRU_BACK = Kernel("cell", "gru_unit_gradient", "ppp p pp qqqq")


def _fits(kernel: Kernel, gates: Tensor, lengths: Tensor | None, timestep: Tensor, *states: Tensor) -> bool:
    """Whether a kernel takes these tensors: a step of float32, all states of one shape, and as many lengths."""
    shape = states[0].shape
    return (
        gates.dtype == torch.float32
        and shape[0] == 1
        and all(state.dtype == torch.float32 and state.shape == shape for state in states)
        and (lengths is None or lengths.dtype == torch.int32 and lengths.numel() == shape[1])
        and kernel.serves(gates, lengths, timestep, *states)
    )


def running(lengths: Tensor | None, timestep: Tensor, width: int) -> Tensor | None:
    """Which of the N sequences still run at a time step, as bool[N, 1]; None where all do.

    Raises EnforceNotMet where there are not `width` lengths.
    """
    if lengths is None:
        return None
    if lengths.numel() != width:
        raise EnforceNotMet(f"seq_lengths holds {lengths.numel()} lengths for a batch of {width}")
    step = timestep if timestep.device == lengths.device else timestep.reshape(())
    return (lengths > step).reshape(-1, 1)


def _demand_gates(gates: Tensor, state: Tensor, timestep: Tensor, count: int) -> None:
    demand.one_number(timestep, "timestep")
    if gates.dim() != 3 or state.dim() != 3 or gates.shape != (*state.shape[:2], count * state.shape[2]):
        raise EnforceNotMet(
            f"gates are [1, N, {count}D] for states [1, N, D], got {[*gates.shape]} for {[*state.shape]}"
        )


def _held(drop_states: bool, before: Tensor) -> Tensor:
    """What the state of a sequence that has ended becomes."""
    return torch.zeros_like(before) if drop_states else before


def _meta_lstm(hidden: Tensor, cell: Tensor, gates: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(cell), torch.empty_like(cell)


@op(
    "LSTMUnit: hidden_t_prev cell_t_prev gates seq_lengths? timestep -> hidden_t cell_t",
    inplace=None,
    types="hidden_t_prev cell_t_prev gates: floating, seq_lengths timestep: index",
    host="timestep",
    shape=_meta_lstm,
)
def lstm_unit(
    hidden: Tensor,
    cell: Tensor,
    gates: Tensor,
    lengths: Tensor | None,
    timestep: Tensor,
    *,
    forget_bias: float = 0.0,
    drop_states: bool = False,
    sequence_lengths: bool = True,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: c = s(f + forget_bias) c' + s(i) tanh(g), h = s(o) tanh(c), s the logistic function.

    hidden_t_prev, cell_t_prev: h' and c', (1, N, D).
    gates: i, f, o, g side by side, (1, N, 4 * D), linear in the input and in h'.
    seq_lengths: (N): a sequence has ended where timestep is not below its length. Left out where
        sequence_lengths is false.
    timestep: the step, (1).
    hidden_t, cell_t: h and c, (1, N, D).
    """
    _demand_gates(gates, cell, timestep, 4)
    if _fits(LSTM, gates, lengths, timestep, hidden, cell):
        made = torch.empty_like(hidden), torch.empty_like(cell)
        LSTM(hidden, cell, gates, lengths, *made, *cell.shape[1:], int(timestep), drop_states, forget_bias)
        return made
    i, f, o, g = gates.chunk(4, -1)
    f = f + forget_bias if forget_bias else f
    new = torch.addcmul(torch.sigmoid(i) * torch.tanh(g), torch.sigmoid(f), cell)
    shown = torch.sigmoid(o) * torch.tanh(new)
    on = running(lengths, timestep, cell.shape[1])
    if on is None:
        return shown, new
    return torch.where(on, shown, _held(drop_states, hidden)), torch.where(on, new, _held(drop_states, cell))


@gradient("LSTMUnit")
def _(g: Gradient) -> None:
    g.op(
        "LSTMUnitGradient: hidden_t_prev cell_t_prev gates seq_lengths? timestep hidden_t cell_t dhidden_t dcell_t"
        " -> dhidden_t_prev dcell_t_prev dgates"
    )


@op(
    "LSTMUnitGradient: hidden_t_prev cell_t_prev gates seq_lengths? timestep hidden_t cell_t dhidden_t dcell_t"
    " -> dhidden_t_prev dcell_t_prev dgates",
    inplace=None,
    types="hidden_t_prev cell_t_prev gates hidden_t cell_t dhidden_t dcell_t: floating, seq_lengths timestep: index",
    like="hidden_t_prev cell_t_prev gates",
    host="timestep",
)
def lstm_unit_gradient(
    hidden: Tensor,
    cell: Tensor,
    gates: Tensor,
    lengths: Tensor | None,
    timestep: Tensor,
    hidden_t: Tensor,
    cell_t: Tensor,
    dh: Tensor,
    dc: Tensor,
    *,
    forget_bias: float = 0.0,
    drop_states: bool = False,
    sequence_lengths: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of one step of an LSTM.

    Where a sequence runs, h' has none of its own: it acts through the gates. Where it has ended, the states' gradients
    pass through, or vanish with drop_states.
    """
    _demand_gates(gates, cell, timestep, 4)
    if _fits(LSTM_BACK, gates, lengths, timestep, cell, cell_t, dh, dc):
        made = torch.empty_like(dh), torch.empty_like(cell), torch.empty_like(gates)
        given = cell, gates, lengths, cell_t, dh, dc
        LSTM_BACK(*given, *made, *cell.shape[1:], int(timestep), drop_states, forget_bias)
        return made
    i, f, o, g = gates.chunk(4, -1)
    f = f + forget_bias if forget_bias else f
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    shown = torch.tanh(cell_t)
    inner = dc + before_tanh(dh * o, shown)
    parts = (before_sigmoid(inner * g, i), before_sigmoid(inner * cell, f), before_sigmoid(dh * shown, o))
    dgates, dcell = torch.cat((*parts, before_tanh(inner * i, g)), -1), inner * f
    on = running(lengths, timestep, cell.shape[1])
    if on is None:
        return torch.zeros_like(dh), dcell, dgates
    zero = dgates.new_zeros(())
    passed_h, passed_c = (torch.zeros_like(dh), zero) if drop_states else (dh, dc)
    return torch.where(on, zero, passed_h), torch.where(on, dcell, passed_c), torch.where(on, dgates, zero)


@op(
    "GRUUnit: hidden_t_prev gates seq_lengths? timestep -> hidden_t",
    inplace=None,
    types="hidden_t_prev gates: floating, seq_lengths timestep: index",
    host="timestep",
    like="hidden_t_prev",
)
def gru_unit(
    hidden: Tensor,
    gates: Tensor,
    lengths: Tensor | None,
    timestep: Tensor,
    *,
    drop_states: bool = False,
    sequence_lengths: bool = True,
) -> Tensor:
    """The last stage of one step of a GRU: h = s(u) h' + (1 - s(u)) tanh(o), s the logistic function.

    hidden_t_prev: h', (1, N, D).
    gates: r, u, o side by side, (1, N, 3 * D); r has acted on o already.
    seq_lengths: (N): a sequence has ended where timestep is not below its length. Left out where
        sequence_lengths is false.
    timestep: the step, (1).
    hidden_t: h, (1, N, D).
    """
    _demand_gates(gates, hidden, timestep, 3)
    if _fits(GRU, gates, lengths, timestep, hidden):
        made = torch.empty_like(hidden)
        GRU(hidden, gates, lengths, made, *hidden.shape[1:], int(timestep), drop_states)
        return made
    _, u, o = gates.chunk(3, -1)
    shown = torch.lerp(torch.tanh(o), hidden, torch.sigmoid(u))
    on = running(lengths, timestep, hidden.shape[1])
    return shown if on is None else torch.where(on, shown, _held(drop_states, hidden))


@gradient("GRUUnit")
def _(g: Gradient) -> None:
    g.op("GRUUnitGradient: hidden_t_prev gates seq_lengths? timestep hidden_t dhidden_t -> dhidden_t_prev dgates")


@op(
    "GRUUnitGradient: hidden_t_prev gates seq_lengths? timestep hidden_t dhidden_t -> dhidden_t_prev dgates",
    inplace=None,
    types="hidden_t_prev gates hidden_t dhidden_t: floating, seq_lengths timestep: index",
    like="hidden_t_prev gates",
    host="timestep",
)
def gru_unit_gradient(
    hidden: Tensor,
    gates: Tensor,
    lengths: Tensor | None,
    timestep: Tensor,
    hidden_t: Tensor,
    dh: Tensor,
    *,
    drop_states: bool = False,
    sequence_lengths: bool = True,
) -> tuple[Tensor, Tensor]:
    """The gradients of the last stage of one step of a GRU; r has none here, it acted on o before."""
    _demand_gates(gates, hidden, timestep, 3)
    if _fits(GRU_BACK, gates, lengths, timestep, hidden, dh):
        made = torch.empty_like(hidden), torch.empty_like(gates)
        GRU_BACK(hidden, gates, lengths, dh, *made, *hidden.shape[1:], int(timestep), drop_states)
        return made
    _, u, o = gates.chunk(3, -1)
    u, o = torch.sigmoid(u), torch.tanh(o)
    dhidden = dh * u
    dgates = torch.cat((torch.zeros_like(dh), before_sigmoid(dh * (hidden - o), u), before_tanh(dh - dhidden, o)), -1)
    on = running(lengths, timestep, hidden.shape[1])
    if on is None:
        return dhidden, dgates
    zero = dgates.new_zeros(())
    return torch.where(on, dhidden, zero if drop_states else dh), torch.where(on, dgates, zero)

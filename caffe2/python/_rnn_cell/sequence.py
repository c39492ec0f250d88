"""Recurrent layers: cells, made and run over a sequence in one call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from caffe2.python._misuse import demand
from caffe2.python._rnn_cell.attention_cell import LSTMWithAttentionCell
from caffe2.python._rnn_cell.cell import Blob, RNNCell
from caffe2.python._rnn_cell.lstm import (
    BasicRNNCell,
    LayerNormLSTMCell,
    LayerNormMILSTMCell,
    LSTMCell,
    MILSTMCell,
)
from caffe2.python._rnn_cell.stack import MultiRNNCell
from caffe2.python._rnn_cell.unrolled import UnrolledCell
from caffe2.python.attention import AttentionType
from caffe2.python.model_helper import ModelHelper


def _LSTM(
    cell_class: Callable[..., RNNCell],
    model: ModelHelper,
    input_blob: Any,
    seq_lengths: Any,
    initial_states: Sequence[Any] | None,
    dim_in: int,
    dim_out: int | Sequence[int],
    scope: str | None = None,
    outputs_with_grads: Sequence[int] = (0,),
    return_params: bool = False,
    memory_optimization: bool = False,
    forget_bias: float = 0.0,
    forward_only: bool = False,
    drop_states: bool = False,
    return_last_layer_only: bool = True,
    static_rnn_unroll_size: int | None = None,
    **cell_kwargs: Any,
) -> tuple[Any, ...]:
    """Run cells over a sequence: (hidden states of all steps, the last one, cell states, the last one).

    input_blob: [T, batch, dim_in]. seq_lengths: [batch], int32, or None where all are T.
    initial_states: hidden and cell state, of each layer; None for parameters that start at 0.
    dim_out: the size of the states, or the sizes, of a layer each.
    outputs_with_grads: positions in the last layer's results that gradients come from.
    return_params: append a dictionary of the parameters' names.
    return_last_layer_only: otherwise the results of all layers follow each other.
    static_rnn_unroll_size: T, to add the operators of each step rather than one for all.
    Other arguments go to the cells.
    """
    sizes = list(dim_out) if isinstance(dim_out, (list, tuple)) else [dim_out]
    single = len(sizes) == 1
    cells = [
        cell_class(
            input_size=dim_in if i == 0 else sizes[i - 1],
            hidden_size=size,
            forget_bias=forget_bias,
            memory_optimization=memory_optimization,
            name=scope if single else None,
            forward_only=forward_only,
            drop_states=drop_states,
            **cell_kwargs,
        )
        for i, size in enumerate(sizes)
    ]
    cell = cells[0] if single else MultiRNNCell(cells, name=scope, forward_only=forward_only)
    if static_rnn_unroll_size is not None:
        cell = UnrolledCell(cell, static_rnn_unroll_size)
    last = 4 * (len(sizes) - 1)
    _, result = cell.apply_over_sequence(
        model=model,
        inputs=input_blob,
        seq_lengths=seq_lengths,
        initial_states=initial_states,
        outputs_with_grads=[last + i for i in outputs_with_grads],
    )
    if return_last_layer_only:
        result = result[last:]
    if return_params:
        result = (*result, {"input": cell.get_input_params(), "recurrent": cell.get_recurrent_params()})
    return tuple(result)


LSTM = functools.partial(_LSTM, LSTMCell)
BasicRNN = functools.partial(_LSTM, BasicRNNCell)
MILSTM = functools.partial(_LSTM, MILSTMCell)
LayerNormLSTM = functools.partial(_LSTM, LayerNormLSTMCell)
LayerNormMILSTM = functools.partial(_LSTM, LayerNormMILSTMCell)


def LSTMWithAttention(
    model: ModelHelper,
    decoder_inputs: Any,
    decoder_input_lengths: Any,
    initial_decoder_hidden_state: Any,
    initial_decoder_cell_state: Any,
    initial_attention_weighted_encoder_context: Any,
    encoder_output_dim: int,
    encoder_outputs: Any,
    encoder_lengths: Any,
    decoder_input_dim: int,
    decoder_state_dim: int,
    scope: str,
    attention_type: int = AttentionType.Regular,
    outputs_with_grads: Sequence[int] = (0, 4),
    weighted_encoder_outputs: Any = None,
    lstm_memory_optimization: bool = False,
    attention_memory_optimization: bool = False,
    forget_bias: float = 0.0,
    forward_only: bool = False,
) -> tuple[Blob, ...]:
    """Run an LSTMWithAttentionCell over a sequence: values and last value of hidden state, cell state and context."""
    cell = LSTMWithAttentionCell(
        encoder_output_dim=encoder_output_dim,
        encoder_outputs=encoder_outputs,
        encoder_lengths=encoder_lengths,
        decoder_input_dim=decoder_input_dim,
        decoder_state_dim=decoder_state_dim,
        name=scope,
        attention_type=attention_type,
        weighted_encoder_outputs=weighted_encoder_outputs,
        forget_bias=forget_bias,
        lstm_memory_optimization=lstm_memory_optimization,
        attention_memory_optimization=attention_memory_optimization,
        forward_only=forward_only,
    )
    states = [
        initial_decoder_hidden_state,
        initial_decoder_cell_state,
        initial_attention_weighted_encoder_context,
    ]
    if attention_type == AttentionType.SoftCoverage:
        states.append(cell.build_initial_coverage(model))
    _, result = cell.apply_over_sequence(
        model=model,
        inputs=decoder_inputs,
        seq_lengths=decoder_input_lengths,
        initial_states=states,
        outputs_with_grads=outputs_with_grads,
    )
    return result


def _layered_LSTM(
    model: ModelHelper,
    input_blob: Any,
    seq_lengths: Any,
    initial_states: Sequence[Any] | None,
    dim_in: int,
    dim_out: int | list[int],
    scope: str,
    outputs_with_grads: Sequence[int] = (0,),
    return_params: bool = False,
    memory_optimization: bool = False,
    forget_bias: float = 0.0,
    forward_only: bool = False,
    drop_states: bool = False,
    create_lstm: Callable[..., tuple[Any, ...]] | None = None,
) -> tuple[Any, ...]:
    """Run layers of LSTMs, each by an operator of its own, that begin with the last states of the layer below."""
    sizes = dim_out if isinstance(dim_out, list) else [dim_out]
    demand(sizes, "dim_out list can't be empty")
    demand(len(sizes) == 1 or not return_params, "return_params not supported for layering")
    result: tuple[Any, ...] = ()
    for i, size in enumerate(sizes):
        result = create_lstm(
            model=model,
            input_blob=input_blob,
            seq_lengths=seq_lengths,
            initial_states=initial_states,
            dim_in=dim_in,
            dim_out=size,
            scope=f"{scope}_layer_{i}" if i else scope,
            outputs_with_grads=outputs_with_grads,
            return_params=return_params,
            memory_optimization=memory_optimization,
            forget_bias=forget_bias,
            forward_only=forward_only,
            drop_states=drop_states,
        )
        input_blob, last_hidden, _, last_cell = result[:4]
        initial_states, dim_in = (last_hidden, last_cell), size
    return result


layered_LSTM = functools.partial(_layered_LSTM, create_lstm=LSTM)

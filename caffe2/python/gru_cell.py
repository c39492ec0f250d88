"""GRU: the gated recurrent unit."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from caffe2.python import brew, rnn_cell
from caffe2.python._rnn_cell.cell import Blob, ExtraInputs
from caffe2.python.model_helper import ModelHelper


class GRUCell(rnn_cell.RNNCell):
    """h <- u h + (1 - u) tanh(W x + U (r h)), with u = sigmoid(.) and r = sigmoid(.) of x and h. Cho et al., 2014.

    linear_before_reset: r (U h) in place of U (r h).
    drop_states: beyond a sequence's length h is 0; otherwise it stays.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float,
        memory_optimization: bool,
        drop_states: bool = False,
        linear_before_reset: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.forget_bias = float(forget_bias)
        self.memory_optimization = memory_optimization
        self.drop_states = drop_states
        self.linear_before_reset = linear_before_reset

    def apply_override(
        self,
        model: ModelHelper,
        input_t: Blob,
        seq_lengths: Blob | None,
        states: Sequence[Blob],
        timestep: Blob,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        net, before = model.net, states[0]
        names = ["input_t_reset", "input_t_update", "input_t_output"]
        input_reset, input_update, input_output = net.Split([input_t], names, axis=2)
        reset, update = (self._linear(model, before, name) for name in ("reset_gate_t", "update_gate_t"))
        reset = net.Sum([reset, input_reset], "reset_gate_t")
        open_share = net.Sigmoid(reset, "reset_gate_t_sigmoid")
        if self.linear_before_reset:
            linear = self._linear(model, before, "output_gate_t")
            output = net.Mul([open_share, linear], "output_gate_t_mul")
        else:
            shared = net.Mul([open_share, before], "modified_hidden_t_prev")
            output = self._linear(model, shared, "output_gate_t")
        update = net.Sum([update, input_update], "update_gate_t")
        output = net.Sum([output, input_output], "output_gate_t_summed")
        gates, _ = net.Concat([reset, update, output], ["gates_t", "_gates_t_concat_dims"], axis=2)
        lengths = [] if seq_lengths is None else [seq_lengths]
        hidden = net.GRUUnit(
            [before, gates, *lengths, timestep],
            ["hidden_t"],
            forget_bias=self.forget_bias,
            drop_states=self.drop_states,
            sequence_lengths=bool(lengths),
        )
        net.AddExternalOutputs(hidden)
        return (hidden,)

    def _linear(self, model: ModelHelper, blob: Blob, name: str) -> Blob:
        return brew.fc(model, blob, name, dim_in=self.hidden_size, dim_out=self.hidden_size, axis=2)

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Blob:
        size = {"dim_in": self.input_size, "dim_out": 3 * self.hidden_size}
        return brew.fc(model, input_blob, self.scope("i2h"), **size, axis=2)

    def get_state_names(self) -> Sequence[str]:
        return (self.scope("hidden_t"),)

    def get_output_dim(self) -> int:
        return self.hidden_size


GRU = functools.partial(rnn_cell._LSTM, GRUCell)

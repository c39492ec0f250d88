"""LSTM and its variants, and the plain recurrent cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from caffe2.python import brew
from caffe2.python._rnn_cell.cell import Blob, ExtraInputs, LSTMInitializer, RNNCell
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.initializers import Initializer


class BasicRNNCell(RNNCell):
    """h <- f(W x + U h + b), f being "tanh" or "relu"; beyond a sequence's length h stays, or is 0 if drop_states."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float,
        memory_optimization: bool,
        drop_states: bool = False,
        initializer: Any = None,
        activation: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(initializer=initializer, **kwargs)
        self.drop_states = drop_states
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.activation = activation
        if activation not in ("relu", "tanh"):
            raise RuntimeError(f"BasicRNNCell with unknown activation function ({activation})")

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
        gates = brew.fc(model, before, "gates_t", dim_in=self.hidden_size, dim_out=self.hidden_size, axis=2)
        brew.sum(model, [gates, input_t], gates)
        hidden = (net.Tanh if self.activation == "tanh" else net.Relu)(gates, "hidden_t")
        if seq_lengths is None:
            return (hidden,)
        step = net.CopyFromCPUInput(timestep, "timestep_gpu")
        is_valid = net.GT([seq_lengths, step], "valid_b", broadcast=1)
        is_invalid = net.LE([seq_lengths, step], "invalid_b", broadcast=1)
        valid, invalid = net.Cast(is_valid, "valid", to="float"), net.Cast(is_invalid, "invalid", to="float")
        masked = net.Mul([hidden, valid], "hidden_valid", broadcast=1, axis=1)
        if self.drop_states:
            return (masked,)
        kept = net.Mul([before, invalid], "hidden_invalid", broadcast=1, axis=1)
        return (net.Add([masked, kept], hidden),)

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Blob:
        size = {"dim_in": self.input_size, "dim_out": self.hidden_size}
        return brew.fc(model, input_blob, self.scope("i2h"), **size, axis=2)

    def get_state_names(self) -> Sequence[str]:
        return (self.scope("hidden_t"),)

    def get_output_dim(self) -> int:
        return self.hidden_size


class LSTMCell(RNNCell):
    """Long short-term memory: c <- sigmoid(f + forget_bias) c + sigmoid(i) tanh(g), h <- sigmoid(o) tanh(c).

    The gates (i, f, o, g) are W x + U h + b, of which W x + b is done for all steps at once.
    Hochreiter and Schmidhuber, 1997.

    drop_states: beyond a sequence's length the states are 0; otherwise they stay.
    memory_optimization: the gradient computes the gates again.
    """

    _outputs: ClassVar[tuple[str, str]] = ("hidden_state", "cell_state")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float,
        memory_optimization: bool,
        drop_states: bool = False,
        initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(initializer=initializer or LSTMInitializer(hidden_size=hidden_size), **kwargs)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.forget_bias = float(forget_bias)
        self.memory_optimization = memory_optimization
        self.drop_states = drop_states
        self.gates_size = 4 * self.hidden_size

    def apply_override(
        self,
        model: ModelHelper,
        input_t: Blob,
        seq_lengths: Blob | None,
        states: Sequence[Blob],
        timestep: Blob,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        hidden_prev, cell_prev = states
        gates = self._gates(model, input_t, self._gates_of_state(model, hidden_prev, extra_inputs))
        lengths = [] if seq_lengths is None else [seq_lengths]
        hidden, cell = model.net.LSTMUnit(
            [hidden_prev, cell_prev, gates, *lengths, timestep],
            list(self._outputs),
            forget_bias=self.forget_bias,
            drop_states=self.drop_states,
            **self._lengths_argument(bool(lengths)),
        )
        self._add_outputs(model, hidden, cell)
        if self.memory_optimization:
            self.recompute_blobs = [gates]
        return hidden, cell

    def _lengths_argument(self, has_lengths: bool) -> dict[str, bool]:
        return {"sequence_lengths": has_lengths}

    def _add_outputs(self, model: ModelHelper, hidden: Blob, cell: Blob) -> None:
        model.net.AddExternalOutputs(hidden, cell)

    _state_product: ClassVar[str] = "gates_t"

    def _gates_of_state(self, model: ModelHelper, hidden: Blob, extra_inputs: ExtraInputs) -> Blob:
        """U h, where extra inputs are columns of h too."""
        size = self.hidden_size
        if extra_inputs is not None:
            blobs, sizes = zip(*extra_inputs)
            hidden = brew.concat(model, [hidden, *blobs], "gates_concatenated_input_t", axis=2)
            size += sum(sizes)
        return brew.fc(model, hidden, self._state_product, dim_in=size, dim_out=self.gates_size, axis=2)

    def _gates(self, model: ModelHelper, input_t: Blob, product: Blob) -> Blob:
        brew.sum(model, [product, input_t], product)
        return product

    def get_input_params(self) -> dict[str, str]:
        """The parameters of the input's part of the gates."""
        return {"weights": self.scope("i2h") + "_w", "biases": self.scope("i2h") + "_b"}

    def get_recurrent_params(self) -> dict[str, str]:
        """The parameters of the state's part of the gates."""
        return {"weights": self.scope("gates_t") + "_w", "biases": self.scope("gates_t") + "_b"}

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Blob:
        size = {"dim_in": self.input_size, "dim_out": self.gates_size}
        return brew.fc(model, input_blob, self.scope("i2h"), **size, axis=2)

    def get_state_names_override(self) -> Sequence[str]:
        return ["hidden_t", "cell_t"]

    def get_output_dim(self) -> int:
        return self.hidden_size


class _WithLengths(LSTMCell):
    """LSTMs whose operator is not told that it has lengths, which it takes for granted."""

    def _lengths_argument(self, has_lengths: bool) -> dict[str, bool]:
        return {} if has_lengths else {"sequence_lengths": False}


def _normalized(model: ModelHelper, gates: Blob, size: int) -> Blob:
    return brew.layer_norm(model, "gates_t", "gates_t_norm", dim_in=size, axis=-1)[0]


class LayerNormLSTMCell(_WithLengths):
    """LSTM whose gates are normalized to mean 0 and variance 1. Ba, Kiros and Hinton, 2016."""

    _outputs = ("hidden_t", "cell_t")

    def _gates(self, model: ModelHelper, input_t: Blob, product: Blob) -> Blob:
        return _normalized(model, super()._gates(model, input_t, product), self.gates_size)


class MILSTMCell(_WithLengths):
    """LSTM whose gates are a (W x)(U h) + b1 U h + b2 W x + b, elementwise, with learned a, b1, b2 and b.

    Multiplicative integration: Wu et al., 2016.
    """

    _outputs = ("hidden_t_intermediate", "cell_t")
    _state_product = "prev_t"

    def _add_outputs(self, model: ModelHelper, hidden: Blob, cell: Blob) -> None:
        model.net.AddExternalOutputs(cell, hidden)

    def _gates(self, model: ModelHelper, input_t: Blob, product: Blob) -> Blob:
        alpha, beta_h, beta_i, b = (
            model.create_param(name, shape=[self.gates_size], initializer=Initializer("ConstantFill", value=value))
            for name, value in (("alpha", 1.0), ("beta1", 1.0), ("beta2", 1.0), ("b", 0.0))
        )
        net = model.net
        factor = net.ElementwiseLinear([input_t, alpha, beta_h], "alpha_by_input_t_plus_beta_h", axis=2)
        scaled = net.Mul([factor, product], "alpha_by_input_t_plus_beta_h_by_prev_t")
        rest = net.ElementwiseLinear([input_t, beta_i, b], "beta_i_by_input_t_plus_b", axis=2)
        return brew.sum(model, [scaled, rest], "gates_t")


class LayerNormMILSTMCell(MILSTMCell):
    """MILSTMCell whose gates are normalized to mean 0 and variance 1."""

    def _gates(self, model: ModelHelper, input_t: Blob, product: Blob) -> Blob:
        return _normalized(model, super()._gates(model, input_t, product), self.gates_size)

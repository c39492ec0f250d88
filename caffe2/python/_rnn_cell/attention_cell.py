"""Cells of decoders that attend to the outputs of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe2.python import brew, core, scope
from caffe2.python._misuse import demand
from caffe2.python._rnn_cell.cell import Blob, ExtraInputs, RNNCell
from caffe2.python._rnn_cell.lstm import LSTMCell, MILSTMCell
from caffe2.python.attention import (
    AttentionType,
    apply_dot_attention,
    apply_recurrent_attention,
    apply_regular_attention,
    apply_soft_coverage_attention,
)
from caffe2.python.model_helper import ModelHelper


class AttentionCell(RNNCell):
    """A decoder's cell that also reads the context of the step before; its output is its own with the context.

    encoder_outputs: [encoder_length, batch, encoder_output_dim]; encoder_lengths: of the sequences of the batch.
    weighted_encoder_outputs: W e, made if None; see caffe2.python.attention.
    attention_memory_optimization: the gradient computes again what it may.
    """

    def __init__(
        self,
        encoder_output_dim: int,
        encoder_outputs: Any,
        encoder_lengths: Any,
        decoder_cell: RNNCell,
        decoder_state_dim: int,
        attention_type: int,
        weighted_encoder_outputs: Any,
        attention_memory_optimization: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder_output_dim = encoder_output_dim
        self.encoder_outputs = encoder_outputs
        self.encoder_lengths = encoder_lengths
        self.decoder_cell = decoder_cell
        self.decoder_state_dim = decoder_state_dim
        self.weighted_encoder_outputs = weighted_encoder_outputs
        self.encoder_outputs_transposed: Any = None
        kinds = (AttentionType.Regular, AttentionType.Recurrent, AttentionType.Dot, AttentionType.SoftCoverage)
        demand(attention_type in kinds, f"there is no attention of type {attention_type!r}")
        self.attention_type = attention_type
        self.attention_memory_optimization = attention_memory_optimization

    @property
    def _own_states(self) -> int:
        """How many states there are besides the decoder's: the context, and the coverage."""
        return 2 if self.attention_type == AttentionType.SoftCoverage else 1

    def _apply(
        self,
        model: ModelHelper,
        input_t: Any,
        seq_lengths: Any,
        states: Sequence[Any],
        timestep: Any,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        demand(extra_inputs is None, "a cell with attention takes no extra inputs")
        own = states[-self._own_states :]
        after = self.decoder_cell._apply(
            model,
            input_t,
            seq_lengths,
            states[: -self._own_states],
            timestep,
            extra_inputs=[(own[0], self.encoder_output_dim)],
        )
        self.hidden_t_intermediate = self.decoder_cell._prepare_output(model, after)
        context, self.attention_weights_3d, again, *coverage = self._attend(model, own)
        if self.attention_memory_optimization:
            self.recompute_blobs.extend(again)
        output = [*after, context, *coverage]
        index = self.decoder_cell.get_output_state_index()
        output[index] = model.Copy(output[index], self.scope("hidden_t_external"))
        model.net.AddExternalOutputs(*output)
        return output

    def _attend(self, model: ModelHelper, own: Sequence[Any]) -> tuple[Any, ...]:
        """The context, the weights, blobs to be computed again, and the coverage if there is one."""
        arguments = {
            "model": model,
            "encoder_output_dim": self.encoder_output_dim,
            "encoder_outputs_transposed": self.encoder_outputs_transposed,
            "decoder_hidden_state_t": self.hidden_t_intermediate,
            "decoder_hidden_state_dim": self.decoder_state_dim,
            "scope": self.name,
            "encoder_lengths": self.encoder_lengths,
        }
        if self.attention_type == AttentionType.Dot:
            return apply_dot_attention(**arguments)
        arguments["weighted_encoder_outputs"] = self.weighted_encoder_outputs
        if self.attention_type == AttentionType.Regular:
            return apply_regular_attention(**arguments)
        if self.attention_type == AttentionType.Recurrent:
            return apply_recurrent_attention(**arguments, attention_weighted_encoder_context_t_prev=own[0])
        weights = self.coverage_weights
        return apply_soft_coverage_attention(**arguments, coverage_t_prev=own[1], coverage_weights=weights)

    def get_attention_weights(self) -> Blob:
        """The weights of the last step that was added: [batch, encoder_length, 1]."""
        return self.attention_weights_3d

    def _linear(self, model: ModelHelper, name: str) -> Blob:
        size = {"dim_in": self.encoder_output_dim, "dim_out": self.encoder_output_dim}
        return brew.fc(model, self.encoder_outputs, self.scope(name), **size, axis=2)

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Any:
        if self.encoder_outputs_transposed is None:
            name = self.scope("encoder_outputs_transposed")
            self.encoder_outputs_transposed = brew.transpose(model, self.encoder_outputs, name, axes=[1, 2, 0])
        if self.weighted_encoder_outputs is None and self.attention_type != AttentionType.Dot:
            self.weighted_encoder_outputs = self._linear(model, "weighted_encoder_outputs")
        return self.decoder_cell.prepare_input(model, input_blob)

    def build_initial_coverage(self, model: ModelHelper) -> Blob:
        """The weights so far, before the first step, and what they are scaled by."""
        demand(self.attention_type == AttentionType.SoftCoverage, "only soft coverage keeps the weights so far")
        self.coverage_weights = self._linear(model, "coverage_weights")
        length = model.net.Slice(model.net.Shape(self.encoder_outputs), starts=[0], ends=[1])
        device = scope.CurrentDeviceScope()
        if device is not None and core.IsGPUDeviceType(device.device_type):
            length = model.net.CopyGPUToCPU(length, "encoder_length_cpu")
        return model.net.ConstantFill(length, self.scope("initial_coverage"), value=0.0, input_as_shape=1)

    def get_state_names(self) -> Sequence[str]:
        names = list(self.decoder_cell.get_state_names())
        names[self.get_output_state_index()] = self.scope("hidden_t_external")
        own = ("attention_weighted_encoder_context_t", "coverage_t")[: self._own_states]
        return [*names, *map(self.scope, own)]

    def get_output_dim(self) -> int:
        return self.decoder_state_dim + self.encoder_output_dim

    def get_output_state_index(self) -> int:
        return self.decoder_cell.get_output_state_index()

    def _combine(self, model: ModelHelper, output: Blob, context: Blob) -> Blob:
        with core.NameScope(self.name or ""):
            return brew.concat(model, [output, context], "states_and_context_combination", axis=2)

    def _prepare_output(self, model: ModelHelper, states: Sequence[Blob]) -> Blob:
        return self._combine(model, self.hidden_t_intermediate, states[-self._own_states])

    def _prepare_output_sequence(self, model: ModelHelper, state_outputs: Sequence[Blob]) -> Blob:
        decoder = self.decoder_cell._prepare_output_sequence(model, state_outputs[: -2 * self._own_states])
        context = state_outputs[2 * (len(self.get_state_names()) - self._own_states)]
        return self._combine(model, decoder, context)


class LSTMWithAttentionCell(AttentionCell):
    """An LSTMCell with attention."""

    def __init__(
        self,
        encoder_output_dim: int,
        encoder_outputs: Any,
        encoder_lengths: Any,
        decoder_input_dim: int,
        decoder_state_dim: int,
        name: str,
        attention_type: int,
        weighted_encoder_outputs: Any,
        forget_bias: float,
        lstm_memory_optimization: bool,
        attention_memory_optimization: bool,
        forward_only: bool = False,
    ) -> None:
        super().__init__(
            encoder_output_dim=encoder_output_dim,
            encoder_outputs=encoder_outputs,
            encoder_lengths=encoder_lengths,
            decoder_cell=LSTMCell(
                decoder_input_dim, decoder_state_dim, forget_bias, lstm_memory_optimization, name=f"{name}/decoder"
            ),
            decoder_state_dim=decoder_state_dim,
            name=name,
            attention_type=attention_type,
            weighted_encoder_outputs=weighted_encoder_outputs,
            attention_memory_optimization=attention_memory_optimization,
            forward_only=forward_only,
        )


class MILSTMWithAttentionCell(AttentionCell):
    """A MILSTMCell with attention to all of each sequence."""

    def __init__(
        self,
        encoder_output_dim: int,
        encoder_outputs: Any,
        decoder_input_dim: int,
        decoder_state_dim: int,
        name: str,
        attention_type: int,
        weighted_encoder_outputs: Any,
        forget_bias: float,
        lstm_memory_optimization: bool,
        attention_memory_optimization: bool,
        forward_only: bool = False,
        encoder_lengths: Any = None,
    ) -> None:
        super().__init__(
            encoder_output_dim=encoder_output_dim,
            encoder_outputs=encoder_outputs,
            encoder_lengths=encoder_lengths,
            decoder_cell=MILSTMCell(
                decoder_input_dim, decoder_state_dim, forget_bias, lstm_memory_optimization, name=f"{name}/decoder"
            ),
            decoder_state_dim=decoder_state_dim,
            name=name,
            attention_type=attention_type,
            weighted_encoder_outputs=weighted_encoder_outputs,
            attention_memory_optimization=attention_memory_optimization,
            forward_only=forward_only,
        )

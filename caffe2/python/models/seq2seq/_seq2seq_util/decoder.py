"""Decoders: layers of LSTMs that may attend to an encoder's outputs, and the scores of the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caffe2.python import attention, brew, rnn_cell
from caffe2.python._misuse import demand
from caffe2.python.model_helper import ModelHelper
from caffe2.python.models.seq2seq._seq2seq_util.encoder import Blob, embedded, get_layer_scope

ATTENTION = {"regular": attention.AttentionType.Regular, "recurrent": attention.AttentionType.Recurrent}


class LSTMWithAttentionDecoder:
    """A stack of cells, with attention unless attention_type is "none".

    residual_output_layers: see rnn_cell.MultiRNNCell. encoder_output_dim, encoder_lengths: see rnn_cell.AttentionCell.
    """

    def __init__(
        self,
        encoder_outputs: Any,
        encoder_output_dim: int,
        encoder_lengths: Any,
        vocab_size: int,
        attention_type: str,
        embedding_size: int,
        decoder_num_units: int,
        decoder_cells: Sequence[rnn_cell.RNNCell],
        residual_output_layers: Sequence[int] | None = None,
        name: str | None = None,
        weighted_encoder_outputs: Any = None,
    ) -> None:
        demand(attention_type == "none" or attention_type in ATTENTION, f"Unknown type {attention_type}")
        self.name = name
        self.num_layers = len(decoder_cells)
        self.use_attention = attention_type != "none"
        self.decoder_output_dim = decoder_num_units + (encoder_output_dim if self.use_attention else 0)
        stack = rnn_cell.MultiRNNCell(
            decoder_cells, name=self.scope("decoder"), residual_output_layers=residual_output_layers
        )
        self.cell: rnn_cell.RNNCell = stack
        self.output_indices = stack.output_indices
        if self.use_attention:
            self.output_indices.append(2 * self.num_layers)
            self.cell = rnn_cell.AttentionCell(
                encoder_output_dim=encoder_output_dim,
                encoder_outputs=encoder_outputs,
                encoder_lengths=encoder_lengths,
                decoder_cell=stack,
                decoder_state_dim=decoder_num_units,
                name=self.scope("attention_decoder"),
                attention_type=ATTENTION[attention_type],
                weighted_encoder_outputs=weighted_encoder_outputs,
                attention_memory_optimization=True,
            )

    def scope(self, name: str) -> str:
        """A name under the decoder's."""
        return name if self.name is None else f"{self.name}/{name}"

    def get_state_names(self) -> Sequence[str]:
        """The names of the states."""
        return self.cell.get_state_names()

    def get_outputs_with_grads(self) -> list[int]:
        """The positions, among values and last values of the states, of what the output is made of."""
        return [2 * i for i in self.output_indices]

    def get_output_dim(self) -> int:
        """The size of the output, the context included."""
        return self.decoder_output_dim

    def get_attention_weights(self) -> Blob:
        """The weights of the last step that was added: [batch, encoder_length, 1]."""
        demand(self.use_attention, "there is no attention")
        return self.cell.get_attention_weights()

    def apply(
        self, model: ModelHelper, input_t: Any, seq_lengths: Any, states: Sequence[Any], timestep: Any
    ) -> tuple[Blob, Sequence[Blob]]:
        """Do one step: the output and the states after it."""
        return self.cell.apply(model=model, input_t=input_t, seq_lengths=seq_lengths, states=states, timestep=timestep)

    def apply_over_sequence(
        self, model: ModelHelper, inputs: Any, seq_lengths: Any, initial_states: Sequence[Any]
    ) -> tuple[Blob, tuple[Blob, ...]]:
        """Run over a sequence; gradients come from the outputs alone."""
        return self.cell.apply_over_sequence(
            model=model,
            inputs=inputs,
            seq_lengths=seq_lengths,
            initial_states=initial_states,
            outputs_with_grads=self.get_outputs_with_grads(),
        )


def build_initial_rnn_decoder_states(
    model: ModelHelper,
    encoder_units_per_layer: Sequence[int],
    decoder_units_per_layer: Sequence[int],
    final_encoder_hidden_states: Sequence[Any] | None,
    final_encoder_cell_states: Sequence[Any] | None,
    use_attention: bool,
) -> list[Blob]:
    """Each decoder layer's hidden and cell state at first: the encoder's last one, which a linear layer fits in size.

    Parameters of zeros stand where the encoder has none; the context at first, with attention, is such a one too.
    """
    offset = max(len(encoder_units_per_layer) - len(decoder_units_per_layer), 0)

    def zeros(name: str, size: int) -> Blob:
        blob = model.param_init_net.ConstantFill([], name, shape=[size], value=0.0)
        model.params.append(blob)
        return blob

    def initial(finals: Sequence[Any] | None, name: str, i: int, size: int) -> Blob:
        final = finals[i + offset] if finals and len(finals) > i + offset else None
        if final is None:
            return zeros(name, size)
        given = encoder_units_per_layer[i + offset]
        return final if given == size else brew.fc(model, final, name, given, size, axis=2)

    kinds = (("hidden", final_encoder_hidden_states), ("cell", final_encoder_cell_states))
    states = [
        initial(finals, f"decoder_initial_{kind}_state_{i}", i, size)
        for i, size in enumerate(decoder_units_per_layer)
        for kind, finals in kinds
    ]
    if use_attention:
        states.append(zeros("initial_attention_weighted_encoder_context", encoder_units_per_layer[-1]))
    return states


def _cells(
    configs: Sequence[Mapping[str, Any]], embedding_size: int, forward_only: bool, scope: str | None
) -> list[rnn_cell.RNNCell]:
    cells: list[rnn_cell.RNNCell] = []
    for i, config in enumerate(configs):
        cell: rnn_cell.RNNCell = rnn_cell.LSTMCell(
            forward_only=forward_only,
            input_size=cells[-1].get_output_dim() if cells else embedding_size,
            hidden_size=config["num_units"],
            forget_bias=0.0,
            memory_optimization=False,
        )
        keep = config.get("dropout_keep_prob")
        if keep is not None:
            cell = rnn_cell.DropoutCell(
                internal_cell=cell,
                dropout_ratio=1.0 - keep,
                forward_only=forward_only,
                is_test=False,
                name=get_layer_scope(scope, "decoder_dropout", i),
            )
        cells.append(cell)
    return cells


def build_embedding_decoder(
    model: ModelHelper,
    decoder_layer_configs: Sequence[Mapping[str, Any]],
    inputs: Any,
    input_lengths: Any,
    encoder_lengths: Any,
    encoder_outputs: Any,
    weighted_encoder_outputs: Any,
    final_encoder_hidden_states: Sequence[Any] | None,
    final_encoder_cell_states: Sequence[Any] | None,
    encoder_units_per_layer: Sequence[int],
    vocab_size: int,
    embeddings: Any,
    embedding_size: int,
    attention_type: str,
    forward_only: bool,
    num_gpus: int = 0,
    scope: str | None = None,
) -> tuple[Blob, int]:
    """Layers of LSTMs over embedded words [T, batch]: the outputs [T * batch, size] and their size."""
    words = embedded(model, embeddings, inputs, "embedded_decoder_inputs", num_gpus, scope)
    units = [config["num_units"] for config in decoder_layer_configs]
    cells = _cells(decoder_layer_configs, embedding_size, forward_only, scope)
    states = build_initial_rnn_decoder_states(
        model=model,
        encoder_units_per_layer=encoder_units_per_layer,
        decoder_units_per_layer=units,
        final_encoder_hidden_states=final_encoder_hidden_states,
        final_encoder_cell_states=final_encoder_cell_states,
        use_attention=attention_type != "none",
    )
    decoder = LSTMWithAttentionDecoder(
        encoder_outputs=encoder_outputs,
        encoder_output_dim=encoder_units_per_layer[-1],
        encoder_lengths=encoder_lengths,
        vocab_size=vocab_size,
        attention_type=attention_type,
        embedding_size=embedding_size,
        decoder_num_units=units[-1],
        decoder_cells=cells,
        weighted_encoder_outputs=weighted_encoder_outputs,
        name=scope,
    )
    outputs, _ = decoder.apply_over_sequence(model, words, input_lengths, states)
    return flattened(model, outputs, decoder.get_output_dim()), decoder.get_output_dim()


def flattened(model: ModelHelper, outputs: Blob, size: int) -> Blob:
    """The outputs of all steps of all sequences, one under the other: [T * batch, size]."""
    names = ["decoder_outputs_flattened", "decoder_outputs_and_contexts_combination_old_shape"]
    return model.net.Reshape([outputs], names, shape=[-1, size])[0]


def output_projection(
    model: ModelHelper,
    decoder_outputs: Any,
    decoder_output_size: int,
    target_vocab_size: int,
    decoder_softmax_size: int | None,
) -> Blob:
    """The scores of all words, linear in the outputs; by way of decoder_softmax_size dimensions unless it is None."""
    if decoder_softmax_size is not None:
        size = {"dim_in": decoder_output_size, "dim_out": decoder_softmax_size}
        decoder_outputs = brew.fc(model, decoder_outputs, "decoder_outputs_scaled", **size)
        decoder_output_size = decoder_softmax_size
    fill = model.param_init_net.XavierFill
    weights = fill([], "output_projection_w", shape=[target_vocab_size, decoder_output_size])
    biases = fill([], "output_projection_b", shape=[target_vocab_size])
    model.params.extend([weights, biases])
    return model.net.FC([decoder_outputs, weights, biases], ["output_logits"])

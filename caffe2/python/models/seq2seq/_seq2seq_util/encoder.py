"""Encoders: embedded words through layers of LSTMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, rnn_cell
from caffe2.python.model_helper import ModelHelper

Blob = core.BlobReference
Encoded = tuple[Blob | None, Blob | None, Blob | None]
"""The outputs of all steps, and the last hidden and cell state."""


def _under(scope: str | None, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def get_layer_scope(scope: str | None, layer_type: str, i: int) -> str:
    """The scope of layer i of a type."""
    return f"{_under(scope, layer_type)}/layer{i}"


def rnn_unidirectional_layer(
    model: ModelHelper,
    inputs: Any,
    input_lengths: Any,
    input_size: int,
    num_units: int,
    dropout_keep_prob: float | None,
    forward_only: bool,
    return_sequence_output: bool,
    return_final_state: bool,
    scope: str | None = None,
) -> Encoded:
    """An LSTM over sequences [T, batch, input_size], from states of zero.

    dropout_keep_prob: the share of the outputs that dropout leaves.
    return_sequence_output, return_final_state: whether gradients come from the outputs, and from the last states.
    """
    zero = {"shape": [num_units], "value": 0.0}
    with core.NameScope(scope):
        cell_state = model.param_init_net.ConstantFill([], "initial_cell_state", **zero)
        hidden_state = model.param_init_net.ConstantFill([], "initial_hidden_state", **zero)
    cell: rnn_cell.RNNCell = rnn_cell.LSTMCell(
        input_size=input_size,
        hidden_size=num_units,
        forget_bias=0.0,
        memory_optimization=False,
        name=_under(scope, "lstm"),
        forward_only=forward_only,
    )
    if dropout_keep_prob is not None:
        cell = rnn_cell.DropoutCell(
            internal_cell=cell,
            dropout_ratio=1.0 - dropout_keep_prob,
            name=_under(scope, "dropout"),
            forward_only=forward_only,
            is_test=False,
        )
    outputs, (_, final_hidden, _, final_cell) = cell.apply_over_sequence(
        model=model,
        inputs=inputs,
        seq_lengths=input_lengths,
        initial_states=(hidden_state, cell_state),
        outputs_with_grads=[0] * return_sequence_output + [1, 3] * return_final_state,
    )
    return outputs, final_hidden, final_cell


def rnn_bidirectional_layer(
    model: ModelHelper,
    inputs: Any,
    input_lengths: Any,
    input_size: int,
    num_units: int,
    dropout_keep_prob: float | None,
    forward_only: bool,
    return_sequence_output: bool,
    return_final_state: bool,
    scope: str | None = None,
) -> Encoded:
    """Two LSTMs, one over the reversed sequences, side by side: 2 * num_units wide. None for what is not asked for."""

    def layer(blob: Any, direction: str) -> Encoded:
        return rnn_unidirectional_layer(
            model,
            blob,
            input_lengths,
            input_size,
            num_units,
            dropout_keep_prob,
            forward_only,
            return_sequence_output,
            return_final_state,
            scope=_under(scope, direction),
        )

    def joined(ahead: Blob, back: Blob, name: str, dims: str) -> Blob:
        with core.NameScope(scope):
            return model.net.Concat([ahead, back], [name, dims], axis=2)[0]

    outputs_fw, hidden_fw, cell_fw = layer(inputs, "fw")
    with core.NameScope(scope):
        reversed_inputs = model.net.ReversePackedSegs([inputs, input_lengths], ["reversed_inputs"])
    outputs_bw, hidden_bw, cell_bw = layer(reversed_inputs, "bw")
    with core.NameScope(scope):
        outputs_bw = model.net.ReversePackedSegs([outputs_bw, input_lengths], ["outputs_bw"])
    outputs = hidden = cell = None
    if return_sequence_output:
        outputs = joined(outputs_fw, outputs_bw, "outputs", "outputs_dim")
    if return_final_state:
        hidden = joined(hidden_fw, hidden_bw, "final_hidden_state", "final_hidden_state_dim")
        cell = joined(cell_fw, cell_bw, "final_cell_state", "final_cell_state_dim")
    return outputs, hidden, cell


def build_embeddings(
    model: ModelHelper, vocab_size: int, embedding_size: int, name: str, freeze_embeddings: bool
) -> Blob:
    """Random embeddings [vocab_size, embedding_size]; a parameter unless frozen."""
    embeddings = model.param_init_net.GaussianFill([], name, shape=[vocab_size, embedding_size], std=0.1)
    if not freeze_embeddings:
        model.params.append(embeddings)
    return embeddings


def embedded(model: ModelHelper, embeddings: Any, words: Any, name: str, num_gpus: int, scope: str | None) -> Blob:
    """The embeddings of words; looked up on the CPU, and copied from there where there are GPUs."""
    with core.NameScope(scope or ""):
        if num_gpus == 0:
            return model.net.Gather([embeddings, words], [name])
        with core.DeviceScope(core.DeviceOption(caffe2_pb2.CPU)):
            on_cpu = model.net.Gather([embeddings, words], [f"{name}_cpu"])
        return model.CopyCPUToGPU(on_cpu, name)


def build_embedding_encoder(
    model: ModelHelper,
    encoder_params: Mapping[str, Any],
    num_decoder_layers: int,
    inputs: Any,
    input_lengths: Any,
    vocab_size: int,
    embeddings: Any,
    embedding_size: int,
    use_attention: bool,
    num_gpus: int = 0,
    forward_only: bool = False,
    scope: str | None = None,
) -> tuple[Blob, None, list[Blob | None], list[Blob | None], list[int]]:
    """Layers of LSTMs over embedded words [T, batch].

    encoder_params: "encoder_layer_configs", for each layer "num_units" and perhaps "dropout_keep_prob"; and perhaps
        "use_bidirectional_encoder", for the first layer.
    Returns the outputs, None (for weighted outputs), the last hidden and cell states of all layers, and the layers'
    sizes.
    """
    outputs = embedded(model, embeddings, inputs, "embedded_encoder_inputs", num_gpus, scope)
    configs = encoder_params["encoder_layer_configs"]
    size, sizes, hidden_states, cell_states = embedding_size, [], [], []
    for i, config in enumerate(configs):
        both = bool(encoder_params.get("use_bidirectional_encoder", False)) and i == 0
        is_last = i == len(configs) - 1
        outputs, hidden, cell = (rnn_bidirectional_layer if both else rnn_unidirectional_layer)(
            model=model,
            inputs=outputs,
            input_lengths=input_lengths,
            input_size=size,
            num_units=config["num_units"],
            dropout_keep_prob=config.get("dropout_keep_prob"),
            forward_only=forward_only,
            return_sequence_output=not is_last or use_attention,
            return_final_state=i >= len(configs) - num_decoder_layers,
            scope=get_layer_scope(scope, "encoder", i),
        )
        size = (1 + both) * config["num_units"]
        sizes.append(size)
        hidden_states.append(hidden)
        cell_states.append(cell)
    return outputs, None, hidden_states, cell_states, sizes

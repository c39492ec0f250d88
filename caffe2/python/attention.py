"""Attention: weights over the outputs of an encoder, and the context that they make."""

from __future__ import annotations

from typing import Any

from caffe2.python import brew, core
from caffe2.python.model_helper import ModelHelper

Blob = core.BlobReference


class AttentionType:
    """The kinds of attention."""

    Regular, Recurrent, Dot, SoftCoverage = range(4)


def s(scope: Any, name: Any) -> str:
    """A name under a scope."""
    return f"{scope}/{name}"


def _calc_weighted_context(
    model: ModelHelper,
    encoder_outputs_transposed: Blob,
    encoder_output_dim: int,
    attention_weights_3d: Blob,
    scope: str,
) -> Blob:
    """The encoder's outputs weighted and added up: [1, batch, encoder_output_dim]."""
    name = s(scope, "attention_weighted_encoder_context")
    context = brew.batch_mat_mul(model, [encoder_outputs_transposed, attention_weights_3d], name)
    return model.net.Reshape(context, [context, name + "_old_shape"], shape=[1, -1, encoder_output_dim])[0]


def _calc_attention_weights(
    model: ModelHelper, attention_logits_transposed: Blob, scope: str, encoder_lengths: Any = None
) -> Blob:
    """The softmax of the logits of the outputs within each sequence: [batch, encoder_length, 1]."""
    logits = attention_logits_transposed
    if encoder_lengths is not None:
        logits = model.net.SequenceMask([logits, encoder_lengths], ["masked_attention_logits"], mode="sequence")
    return brew.softmax(model, logits, s(scope, "attention_weights_3d"), engine="CUDNN", axis=1)


def _calc_attention_logits_from_sum_match(
    model: ModelHelper, decoder_hidden_encoder_outputs_sum: Blob, encoder_output_dim: int, scope: str
) -> Blob:
    """v^T tanh(sum), for a new parameter v: [batch, encoder_length, 1]."""
    activated = model.net.Tanh(decoder_hidden_encoder_outputs_sum, decoder_hidden_encoder_outputs_sum)
    size = {"dim_in": encoder_output_dim, "dim_out": 1}
    logits = brew.fc(model, activated, s(scope, "attention_logits"), **size, axis=2, freeze_bias=True)
    return brew.transpose(model, logits, s(scope, "attention_logits_transposed"), axes=[1, 0, 2])


def _apply_fc_weight_for_sum_match(
    model: ModelHelper, input: Blob, dim_in: int, dim_out: int, scope: str, name: str
) -> Blob:
    """A linear function of the only step of a sequence: [batch, dim_out]."""
    output = brew.fc(model, input, s(scope, name), dim_in=dim_in, dim_out=dim_out, axis=2)
    return model.net.Squeeze(output, output, dims=[0])


def _context_of_logits(
    model: ModelHelper,
    logits: Blob,
    encoder_outputs_transposed: Blob,
    encoder_output_dim: int,
    scope: str,
    encoder_lengths: Any,
) -> tuple[Blob, Blob]:
    weights = _calc_attention_weights(model, logits, scope, encoder_lengths)
    context = _calc_weighted_context(model, encoder_outputs_transposed, encoder_output_dim, weights, scope)
    return context, weights


def _context_of_sum(
    model: ModelHelper,
    total: Blob,
    encoder_outputs_transposed: Blob,
    encoder_output_dim: int,
    scope: str,
    encoder_lengths: Any,
) -> tuple[Blob, Blob, list[Blob]]:
    logits = _calc_attention_logits_from_sum_match(model, total, encoder_output_dim, scope)
    context, weights = _context_of_logits(
        model, logits, encoder_outputs_transposed, encoder_output_dim, scope, encoder_lengths
    )
    return context, weights, [total]


def apply_recurrent_attention(
    model: ModelHelper,
    encoder_output_dim: int,
    encoder_outputs_transposed: Blob,
    weighted_encoder_outputs: Blob,
    decoder_hidden_state_t: Blob,
    decoder_hidden_state_dim: int,
    attention_weighted_encoder_context_t_prev: Blob,
    scope: str,
    encoder_lengths: Any = None,
) -> tuple[Blob, Blob, list[Blob]]:
    """Attention by v^T tanh(W e + U h + Q c), for outputs e, the decoder's state h and the context c before.

    The context [1, batch, dim], the weights [batch, encoder_length, 1], and blobs that the gradient computes again.
    """
    net, size = model.net, encoder_output_dim
    previous = _apply_fc_weight_for_sum_match(
        model, attention_weighted_encoder_context_t_prev, size, size, scope, "weighted_prev_attention_context"
    )
    hidden = _apply_fc_weight_for_sum_match(
        model, decoder_hidden_state_t, decoder_hidden_state_dim, size, scope, "weighted_decoder_hidden_state"
    )
    both = net.Add([previous, hidden], s(scope, "decoder_hidden_encoder_outputs_sum_tmp"))
    name = s(scope, "decoder_hidden_encoder_outputs_sum")
    total = net.Add([weighted_encoder_outputs, both], name, broadcast=1)
    return _context_of_sum(model, total, encoder_outputs_transposed, size, scope, encoder_lengths)


def apply_regular_attention(
    model: ModelHelper,
    encoder_output_dim: int,
    encoder_outputs_transposed: Blob,
    weighted_encoder_outputs: Blob,
    decoder_hidden_state_t: Blob,
    decoder_hidden_state_dim: int,
    scope: str,
    encoder_lengths: Any = None,
) -> tuple[Blob, Blob, list[Blob]]:
    """Attention by v^T tanh(W e + U h), for outputs e and the decoder's state h. Bahdanau, Cho and Bengio, 2015.

    The context [1, batch, dim], the weights [batch, encoder_length, 1], and blobs that the gradient computes again.
    """
    hidden = _apply_fc_weight_for_sum_match(
        model,
        decoder_hidden_state_t,
        decoder_hidden_state_dim,
        encoder_output_dim,
        scope,
        "weighted_decoder_hidden_state",
    )
    name = s(scope, "decoder_hidden_encoder_outputs_sum")
    total = model.net.Add([weighted_encoder_outputs, hidden], name, broadcast=1, use_grad_hack=1)
    return _context_of_sum(model, total, encoder_outputs_transposed, encoder_output_dim, scope, encoder_lengths)


def apply_dot_attention(
    model: ModelHelper,
    encoder_output_dim: int,
    encoder_outputs_transposed: Blob,
    decoder_hidden_state_t: Blob,
    decoder_hidden_state_dim: int,
    scope: str,
    encoder_lengths: Any = None,
) -> tuple[Blob, Blob, list[Blob]]:
    """Attention by e^T U h, or e^T h where the sizes agree. Luong, Pham and Manning, 2015.

    The context [1, batch, dim], the weights [batch, encoder_length, 1], and no blobs to be computed again.
    """
    net, hidden = model.net, decoder_hidden_state_t
    if decoder_hidden_state_dim != encoder_output_dim:
        size = {"dim_in": decoder_hidden_state_dim, "dim_out": encoder_output_dim}
        hidden = brew.fc(model, hidden, s(scope, "weighted_decoder_hidden_state"), **size, axis=2)
    squeezed = net.Squeeze(hidden, s(scope, "squeezed_weighted_decoder_hidden_state"), dims=[0])
    column = net.ExpandDims(squeezed, squeezed, dims=[2])
    logits = net.BatchMatMul([encoder_outputs_transposed, column], s(scope, "attention_logits"), trans_a=1)
    context, weights = _context_of_logits(
        model, logits, encoder_outputs_transposed, encoder_output_dim, scope, encoder_lengths
    )
    return context, weights, []


def apply_soft_coverage_attention(
    model: ModelHelper,
    encoder_output_dim: int,
    encoder_outputs_transposed: Blob,
    weighted_encoder_outputs: Blob,
    decoder_hidden_state_t: Blob,
    decoder_hidden_state_dim: int,
    scope: str,
    encoder_lengths: Any,
    coverage_t_prev: Blob,
    coverage_weights: Blob,
) -> tuple[Blob, Blob, list[Blob], Blob]:
    """Attention by v^T tanh(W e + U h + C e k), where k is the weight that an output e had so far. Tu et al., 2016.

    The context [1, batch, dim], the weights [batch, encoder_length, 1], blobs that the gradient computes again, and the
    weights so far.
    """
    net = model.net
    hidden = _apply_fc_weight_for_sum_match(
        model,
        decoder_hidden_state_t,
        decoder_hidden_state_dim,
        encoder_output_dim,
        scope,
        "weighted_decoder_hidden_state",
    )
    name = s(scope, "decoder_hidden_encoder_outputs_sum_tmp")
    matched = net.Add([weighted_encoder_outputs, hidden], name, broadcast=1)
    flat = net.Squeeze(coverage_t_prev, s(scope, "coverage_t_prev_2d"), dims=[0])
    covered = brew.transpose(model, flat, s(scope, "coverage_t_prev_transposed"))
    scaled = net.Mul([coverage_weights, covered], s(scope, "scaled_coverage_weights"), broadcast=1, axis=0)
    total = net.Add([matched, scaled], s(scope, "decoder_hidden_encoder_outputs_sum"))
    context, weights, again = _context_of_sum(
        model, total, encoder_outputs_transposed, encoder_output_dim, scope, encoder_lengths
    )
    row = net.Squeeze(weights, s(scope, "attention_weights_2d"), dims=[2])
    coverage = net.Add([coverage_t_prev, row], s(scope, "coverage_t"), broadcast=1)
    return context, weights, again, coverage

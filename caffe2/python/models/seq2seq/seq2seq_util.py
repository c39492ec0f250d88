"""What models of translation are built of: vocabularies, encoders and decoders."""

from __future__ import annotations

from caffe2.python.models.seq2seq._seq2seq_util.decoder import (
    LSTMWithAttentionDecoder,
    build_embedding_decoder,
    build_initial_rnn_decoder_states,
    output_projection,
)
from caffe2.python.models.seq2seq._seq2seq_util.encoder import (
    build_embedding_encoder,
    build_embeddings,
    get_layer_scope,
    rnn_bidirectional_layer,
    rnn_unidirectional_layer,
)
from caffe2.python.models.seq2seq._seq2seq_util.vocabulary import (
    EOS,
    EOS_ID,
    GO,
    GO_ID,
    PAD,
    PAD_ID,
    UNK,
    UNK_ID,
    gen_vocab,
    get_numberized_sentence,
)

__all__ = [
    "EOS",
    "EOS_ID",
    "GO",
    "GO_ID",
    "LSTMWithAttentionDecoder",
    "PAD",
    "PAD_ID",
    "UNK",
    "UNK_ID",
    "build_embedding_decoder",
    "build_embedding_encoder",
    "build_embeddings",
    "build_initial_rnn_decoder_states",
    "gen_vocab",
    "get_layer_scope",
    "get_numberized_sentence",
    "output_projection",
    "rnn_bidirectional_layer",
    "rnn_unidirectional_layer",
]

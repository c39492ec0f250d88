"""Translation by one model or the average of several, and the search for the best sentence.

python -m caffe2.python.models.seq2seq.translate --checkpoint model-9 --source-corpus a.txt --target-corpus b.txt ...
"""

from __future__ import annotations

import argparse
import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.python import core, rnn_cell, workspace
from caffe2.python._misuse import demand
from caffe2.python.models.seq2seq import _arguments, seq2seq_util
from caffe2.python.models.seq2seq._seq2seq_util.decoder import flattened
from caffe2.python.models.seq2seq.beam_search import BeamSearchForwardOnly, LinkConfig, StateConfig
from caffe2.python.models.seq2seq.seq2seq_model_helper import Seq2SeqModelHelper

logger = logging.getLogger(__name__)

Blob = core.BlobReference


class Seq2SeqModelCaffe2EnsembleDecoderBase(ABC):
    """What decoders have in common: rewards of words, and parameters that come from databases."""

    models: Sequence[Mapping[str, Any]]
    decoder_scope_names: Sequence[str]
    model: Seq2SeqModelHelper

    @abstractmethod
    def get_model_file(self, model: Any) -> str:
        """The database of a model's parameters."""

    @abstractmethod
    def get_db_type(self) -> str:
        """The type of the databases."""

    def build_word_rewards(self, vocab_size: int, word_reward: float, unk_reward: float) -> np.ndarray:
        """What each word adds to a sentence's score: marks nothing, an unknown word unk_reward more than others."""
        rewards = np.full([vocab_size], word_reward, dtype=np.float32)
        rewards[[seq2seq_util.PAD_ID, seq2seq_util.GO_ID, seq2seq_util.EOS_ID]] = 0
        rewards[seq2seq_util.UNK_ID] = word_reward + unk_reward
        return rewards

    def load_models(self) -> None:
        """Load the parameters of all models, each into its scope."""
        for model, scope in zip(self.models, self.decoder_scope_names):
            params = [param for param in self.model.GetAllParams() if str(param).startswith(scope)]
            path = self.get_model_file(model)
            database = core.CreateOperator("CreateDB", [], ["reader"], db=path, db_type=self.get_db_type())
            names = {"load_all": 1, "add_prefix": f"{scope}/", "strip_prefix": "gpu_0/"}
            for op in (database, core.CreateOperator("Load", ["reader"], params, **names)):
                demand(workspace.RunOperatorOnce(op), f"model {scope} cannot be loaded from {path}")
            logger.info("Model %s is loaded from a checkpoint %s", scope, path)


class Seq2SeqModelCaffe2EnsembleDecoder(Seq2SeqModelCaffe2EnsembleDecoderBase):
    """A decoder in the current workspace, whose scores are the average of several models'.

    translate_params: "ensemble_models", each with "source_vocab", "target_vocab", which are the same for all,
        "model_params", see Seq2SeqModelCaffe2, and "model_file"; and "decoding_params", with "beam_size",
        "word_reward" and "unk_reward".
    """

    def __init__(self, translate_params: Mapping[str, Any]) -> None:
        self.models = translate_params["ensemble_models"]
        decoding = translate_params["decoding_params"]
        self.beam_size = decoding["beam_size"]
        demand(self.models, "there is no model to translate with")
        for kind in ("source_vocab", "target_vocab"):
            agree = all(model[kind] == self.models[0][kind] for model in self.models)
            demand(agree, f"the models differ in their {kind}")
        self.source_vocab_size = len(self.models[0]["source_vocab"])
        self.target_vocab_size = len(self.models[0]["target_vocab"])
        self.decoder_scope_names = [f"model{i}" for i in range(len(self.models))]
        self.model = Seq2SeqModelHelper(init_params=True)
        self.encoder_inputs, self.encoder_lengths, self.max_output_seq_len = inputs = [
            self.model.net.AddExternalInput(name)
            for name in ("encoder_inputs", "encoder_lengths", "max_output_seq_len")
        ]
        self._build()
        workspace.RunNetOnce(self.model.param_init_net)
        rewards = self.build_word_rewards(self.target_vocab_size, decoding["word_reward"], decoding["unk_reward"])
        workspace.FeedBlob("word_rewards", rewards)
        workspace.CreateNet(self.model.net, input_blobs=[str(blob) for blob in inputs])

    def get_model_file(self, model: Mapping[str, Any]) -> str:
        return model["model_file"]

    def get_db_type(self) -> str:
        return "minidb"

    def _build(self) -> None:
        fill, size = self.model.param_init_net.ConstantFill, self.beam_size
        int32, real = core.DataType.INT32, core.DataType.FLOAT
        endless = fill([], "fake_seq_lengths", shape=[size], value=100000, dtype=int32)
        search = BeamSearchForwardOnly(
            beam_size=size, model=self.model, go_token_id=seq2seq_util.GO_ID, eos_token_id=seq2seq_util.EOS_ID
        )
        built = [
            self._build_decoder(search, model["model_params"], scope, endless)
            for model, scope in zip(self.models, self.decoder_scope_names)
        ]
        states, log_probs, attentions = zip(*built)
        step_net = search.get_step_model().net

        def average(blobs: Sequence[Blob], weight_name: str, name: str) -> Blob:
            weight = fill([], weight_name, value=1 / float(len(blobs)), shape=[1])
            return step_net.WeightedSum([x for blob in blobs for x in (blob, weight)], name)

        attention = average(attentions, "num_decoders_with_attention_blob", "attention_weights_average")
        log_prob = average(log_probs, "num_decoders_blob", "output_log_probs_average")
        rewards = fill([], "word_rewards", shape=[self.target_vocab_size], value=0.0, dtype=real)
        (
            self.output_token_beam_list,
            self.output_prev_index_beam_list,
            self.output_score_beam_list,
            self.output_attention_weights_beam_list,
        ) = search.apply(
            inputs=self.encoder_inputs,
            length=self.max_output_seq_len,
            log_probs=log_prob,
            attentions=attention,
            state_configs=[state for of_model in states for state in of_model],
            data_dependencies=[],
            word_rewards=rewards,
        )

    def _build_decoder(
        self, search: BeamSearchForwardOnly, params: Mapping[str, Any], scope: str, lengths: Blob
    ) -> tuple[list[StateConfig], Blob, Blob]:
        """A model's states, logarithms of probabilities and attention."""
        kind, configs = params["attention"], params["decoder_layer_configs"]
        demand(kind in ("none", "regular"), f"there is no decoding with attention {kind!r}")
        model, step_model = self.model, search.get_step_model()
        outputs, finals, units = self._encoded(params, scope)
        with core.NameScope(scope):
            if kind != "none":
                outputs = self._tiled(outputs, "encoder_outputs_tiled")
            embeddings = self._embeddings(params, "decoder", self.target_vocab_size)
            words = step_model.net.Gather([embeddings, search.get_previous_tokens()], "embedded_tokens_t_prev")
        sizes = [config["num_units"] for config in configs]
        cells = [
            rnn_cell.LSTMCell(
                forward_only=True, input_size=given, hidden_size=size, forget_bias=0.0, memory_optimization=False
            )
            for given, size in zip([params["decoder_embedding_size"], *sizes], sizes)
        ]
        with core.NameScope(scope):
            hidden, cell = (
                [s and self._tiled(s, f"final_encoder_{part}_tiled_{i}") for i, s in enumerate(states)]
                for part, states in zip(("hidden", "cell"), finals)
            )
            initial = seq2seq_util.build_initial_rnn_decoder_states(model, units, sizes, hidden, cell, kind != "none")
        decoder = seq2seq_util.LSTMWithAttentionDecoder(
            encoder_outputs=outputs,
            encoder_output_dim=units[-1],
            encoder_lengths=None,
            vocab_size=self.target_vocab_size,
            attention_type=kind,
            embedding_size=params["decoder_embedding_size"],
            decoder_num_units=sizes[-1],
            decoder_cells=cells,
            weighted_encoder_outputs=None,
            name=scope,
        )
        before = step_model.net.AddExternalInputs(*(f"{scope}/{name}_prev" for name in decoder.get_state_names()))
        output, after = decoder.apply(step_model, words, lengths, before, search.get_timestep())
        states = [
            StateConfig(value, LinkConfig(prev, 0, 1), LinkConfig(following, 1, 1))
            for value, prev, following in zip(initial, before, after)
        ]
        with core.NameScope(scope):
            log_probs = self._log_probs(step_model, output, decoder.get_output_dim(), params["decoder_softmax_size"])
            attention = decoder.get_attention_weights() if decoder.use_attention else self._no_attention(step_model)
        return states, log_probs, attention

    def _encoded(
        self, params: Mapping[str, Any], scope: str
    ) -> tuple[Blob, tuple[list[Blob | None], list[Blob | None]], list[int]]:
        """The encoder's outputs, its last hidden and cell states, and its layers' sizes."""
        with core.NameScope(scope):
            embeddings = self._embeddings(params, "encoder", self.source_vocab_size)
        outputs, _, hidden, cell, units = seq2seq_util.build_embedding_encoder(
            model=self.model,
            encoder_params=params["encoder_type"],
            num_decoder_layers=len(params["decoder_layer_configs"]),
            inputs=self.encoder_inputs,
            input_lengths=self.encoder_lengths,
            vocab_size=self.source_vocab_size,
            embeddings=embeddings,
            embedding_size=params["encoder_embedding_size"],
            use_attention=params["attention"] != "none",
            num_gpus=0,
            forward_only=True,
            scope=scope,
        )
        return outputs, (hidden, cell), units

    def _embeddings(self, params: Mapping[str, Any], side: str, vocab_size: int) -> Blob:
        size = params[f"{side}_embedding_size"]
        return seq2seq_util.build_embeddings(self.model, vocab_size, size, f"{side}_embeddings", False)

    def _tiled(self, blob: Blob, name: str) -> Blob:
        """One sequence's blob, for every hypothesis."""
        return self.model.net.Tile(blob, name, tiles=self.beam_size, axis=1)

    def _log_probs(self, step_model: Seq2SeqModelHelper, output: Blob, size: int, softmax_size: int | None) -> Blob:
        flat = flattened(step_model, output, size)
        logits = seq2seq_util.output_projection(step_model, flat, size, self.target_vocab_size, softmax_size)
        return step_model.net.Log(step_model.net.Softmax(logits, "output_probs"), "output_log_probs")

    def _no_attention(self, step_model: Seq2SeqModelHelper) -> Blob:
        """Weights of zero: [beam_size, encoder_length]."""
        net, name = step_model.net, "zero_attention_weights_tmp"
        zeros = net.Transpose(net.ConstantFill([self.encoder_inputs], f"{name}_1", value=0.0), f"{name}_2")
        return net.Tile(zeros, name, tiles=self.beam_size, axis=0)

    def decode(
        self, numberized_input: Sequence[int], max_output_seq_len: int
    ) -> tuple[list[Any], list[list[Any]], Any]:
        """The best translation of a sentence's words, for each word the attention to them, and its score, negated."""
        count = len(numberized_input)
        workspace.FeedBlob(self.encoder_inputs, np.array(numberized_input[::-1], np.int32).reshape(count, 1))
        workspace.FeedBlob(self.encoder_lengths, np.array([count], np.int32))
        workspace.FeedBlob(self.max_output_seq_len, np.array([max_output_seq_len], np.int64))
        workspace.RunNet(self.model.net)
        tokens, previous, scores = (
            workspace.FetchBlob(blob)[..., 0]
            for blob in (self.output_token_beam_list, self.output_prev_index_beam_list, self.output_score_beam_list)
        )
        attention = workspace.FetchBlob(self.output_attention_weights_beam_list)
        step, at = _best_end(tokens, scores)
        score, output, weights = -scores[step, at], [], []
        while step > 0:
            output.append(tokens[step, at])
            weights.append(list(attention[step, at][::-1])[:count])
            at, step = previous[step, at], step - 1
        return output[::-1], weights[::-1], score


def _best_end(tokens: np.ndarray, scores: np.ndarray) -> tuple[int, int]:
    """Step and hypothesis of the best sentence that ends, or that is as long as can be, if better than all of those."""
    last = len(tokens) - 1
    best = (last, 0)
    ends = tokens == seq2seq_util.EOS_ID
    ends[last] = True
    for step, at in zip(*np.nonzero(ends)):
        if scores[step, at] > scores[best]:
            best = (int(step), int(at))
    return best


def run_seq2seq_beam_decoder(
    args: argparse.Namespace, model_params: Mapping[str, Any], decoding_params: Mapping[str, Any]
) -> None:
    """Translate the sentences of the standard input, a line each."""
    source, target = (
        seq2seq_util.gen_vocab(corpus, args.unk_threshold) for corpus in (args.source_corpus, args.target_corpus)
    )
    words = {number: word for word, number in target.items()}
    model = {
        "source_vocab": source,
        "target_vocab": target,
        "model_params": model_params,
        "model_file": args.checkpoint,
    }
    decoder = Seq2SeqModelCaffe2EnsembleDecoder({"ensemble_models": [model], "decoding_params": decoding_params})
    decoder.load_models()
    for line in sys.stdin:
        sentence = seq2seq_util.get_numberized_sentence(line, source)
        translation, _, _ = decoder.decode(sentence, 2 * len(sentence) + 5)
        print(" ".join(words[number] for number in translation))


def main() -> None:
    """Translate as the command line says."""
    logging.basicConfig(level=logging.INFO)
    parser = _arguments.parser("Caffe2: Seq2Seq Translation")
    parser.add_argument("--beam-size", type=int, default=6, help="Number of hypotheses")
    parser.add_argument("--word-reward", type=float, default=0.0, help="Reward of each word")
    parser.add_argument("--unk-reward", type=float, default=0.0, help="Reward of each unknown word; best negative")
    parser.add_argument("--checkpoint", required=True, help="The model that training has stored")
    args = parser.parse_args()
    decoding = {name: getattr(args, name) for name in ("beam_size", "word_reward", "unk_reward")}
    run_seq2seq_beam_decoder(args, _arguments.model_params(args), decoding)


if __name__ == "__main__":
    main()

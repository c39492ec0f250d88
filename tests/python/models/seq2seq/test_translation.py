"""Models of translation: batches, learning, and that the search finds what training scores best."""

from __future__ import annotations

import random

import numpy as np
import pytest

from caffe2.python import workspace
from caffe2.python.models.seq2seq import _arguments, seq2seq_util
from caffe2.python.models.seq2seq.seq2seq_model_helper import Seq2SeqModelHelper
from caffe2.python.models.seq2seq.train import Seq2SeqModelCaffe2, gen_batches, prepare_batch
from caffe2.python.models.seq2seq.translate import Seq2SeqModelCaffe2EnsembleDecoder

WORDS = 12
PAIRS = [([4, 5, 6], [6, 5, 4]), ([7, 8], [8, 7]), ([9, 10, 11, 4], [4, 11, 10, 9]), ([5, 7], [7, 5])]


def described(attention: str) -> dict:
    return {
        "attention": attention,
        "decoder_layer_configs": [{"num_units": 16}],
        "encoder_type": {"encoder_layer_configs": [{"num_units": 8}], "use_bidirectional_encoder": True},
        "encoder_embedding_size": 8,
        "decoder_embedding_size": 8,
        "decoder_softmax_size": None,
        "batch_size": 4,
        "optimizer_params": {"learning_rate": 0.5},
        "max_gradient_norm": 1.0,
    }


def test_a_batch_holds_sentences_as_columns():
    batch = prepare_batch([([4, 5], [6]), ([], []), ([7], [8, 9])])
    assert batch.encoder_inputs.tolist() == [[5, 0, 7], [4, 0, 0]]
    assert batch.encoder_lengths.tolist() == [2, 0, 1]
    assert batch.decoder_inputs.tolist() == [[1, 1, 1], [6, 0, 8], [0, 0, 9]]
    assert batch.decoder_lengths.tolist() == [2, 1, 3]
    assert batch.targets.tolist() == [[6, 2, 8], [2, 0, 9], [0, 0, 2]]
    assert batch.target_weights.tolist() == [[1, 0, 1], [1, 0, 1], [0, 0, 1]]


def test_corpora_become_vocabularies_and_batches(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("a b a\nb\n\na a a a\nb a\n")
    target.write_text("x\nx y\nx\ny\ny y\n")
    words = seq2seq_util.gen_vocab(source, 2), seq2seq_util.gen_vocab(target, 3)
    assert dict(words[0]) == {"<PAD>": 0, "<GO>": 1, "<EOS>": 2, "<UNK>": 3, "a": 4, "b": 5}
    assert dict(words[1])["y"] == 4 and "x" not in words[1]
    random.seed(0)
    batches = gen_batches(source, target, *words, batch_size=2, max_length=3)
    assert sorted(batches) == [[([4, 5, 4], [3])] * 2, [([5], [3, 4]), ([5, 4], [4, 4])]]


@pytest.mark.parametrize("attention", ["regular", "none"])
def test_it_learns_and_the_search_scores_as_training_does(attention, tmp_path):
    workspace.ResetWorkspace()
    params = described(attention)
    with Seq2SeqModelCaffe2(params, WORDS, WORDS, num_gpus=0) as model:
        model.initialize_from_scratch()
        losses = [float(model.step(PAIRS, forward_only=False)) for _ in range(30)]
        assert losses[-1] < 0.7 * losses[0]
        assert model.get_current_step() == 30
        stored = model.save(str(tmp_path / "model"), 30)
        assert stored in (tmp_path / "checkpoint").read_text()
        vocab = {i: str(i) for i in range(WORDS)}
        one = {"source_vocab": vocab, "target_vocab": vocab, "model_params": params, "model_file": stored}
        decoding = {"beam_size": 3, "word_reward": 0, "unk_reward": 0}
        decoder = Seq2SeqModelCaffe2EnsembleDecoder({"ensemble_models": [one], "decoding_params": decoding})
        decoder.load_models()
        words, weights, score = decoder.decode(PAIRS[0][0], 6)
        assert len(weights) == len(words) and len(weights[0]) == 3
        target = words[:-1] if words[-1] == seq2seq_util.EOS_ID else words
        found = float(model.step([(PAIRS[0][0], [int(w) for w in target])], forward_only=True))
        if words[-1] == seq2seq_util.EOS_ID:
            assert found == pytest.approx(score, rel=1e-3)
        else:
            assert found > score


def test_an_odd_size_is_not_shared_by_two_directions():
    args = ["--source-corpus", "a", "--target-corpus", "b", "--use-bidirectional-encoder"]
    parser = _arguments.parser("test")
    sizes = _arguments.model_params(parser.parse_args(args))["encoder_type"]["encoder_layer_configs"]
    assert [size["num_units"] for size in sizes] == [256, 512]
    with pytest.raises(ValueError, match="odd"):
        _arguments.model_params(parser.parse_args([*args, "--encoder-cell-num-units", "3"]))


def test_parameters_that_are_not_trained_are_known():
    model = Seq2SeqModelHelper(name="m")
    trained, fixed = model.AddParam("p", init_value=1.0), model.AddParam("q", init_value=2, trainable=False)
    assert model.GetAllParams() == [trained, fixed] and model.GetNonTrainableParams() == [fixed]
    workspace.RunNetOnce(model.param_init_net)
    np.testing.assert_array_equal(workspace.FetchBlob("q"), [2])
    with pytest.raises(AssertionError, match="not both"):
        model.AddParam("r", init=("XavierFill", {}), init_value=1)

"""Programs that build models of translation."""

from unittest import mock

from caffe2.python import core, workspace
from caffe2.python.models.seq2seq import beam_search, seq2seq_model_helper, train, translate
from tests.python.recorded.rnn import without_nets
from tests.python.recorded.text import net, record

PROGRAMS = {}

VOCAB = {i: str(i) for i in range(20)}


def params(attention, encoder, decoder, both=False, softmax=None, keep=None):
    layers = [{"num_units": size} for size in encoder]
    if keep:
        layers[0]["dropout_keep_prob"] = keep
    return {
        "attention": attention,
        "decoder_layer_configs": [{"num_units": size} for size in decoder],
        "encoder_type": {"encoder_layer_configs": layers, "use_bidirectional_encoder": both},
        "encoder_embedding_size": 8,
        "decoder_embedding_size": 7,
        "decoder_softmax_size": softmax,
    }


MODELS = {
    "regular": params("regular", [4], [8], both=True),
    "layers": params("regular", [4, 6], [5, 6, 6], both=True, softmax=9),
    "none": params("none", [4, 5], [5], keep=0.5),
}


def steps(m):
    nets = [net(arg.n) for op in m.net.Proto().op for arg in op.arg if arg.HasField("n")]
    return [line for lines in nets for line in lines]


def trained(name):
    def build():
        workspace.ResetWorkspace()
        settings = {"batch_size": 2, "optimizer_params": {"learning_rate": 0.1}, "max_gradient_norm": 1.0}
        model = train.Seq2SeqModelCaffe2(dict(MODELS[name], **settings), 20, 21, num_gpus=0)
        with mock.patch("time.time", lambda: 1.0):
            model.initialize_from_scratch()
        forward = "forward: " + " ".join(op.type for op in model.forward_net.Proto().op)
        return [*without_nets(model.model), *steps(model.model), forward]

    return build


def translating(*names):
    def build():
        workspace.ResetWorkspace()
        models = [
            {"source_vocab": VOCAB, "target_vocab": VOCAB, "model_params": MODELS[name], "model_file": "f"}
            for name in names
        ]
        decoding = {"beam_size": 3, "word_reward": 0.5, "unk_reward": -1}
        decoder = translate.Seq2SeqModelCaffe2EnsembleDecoder({"ensemble_models": models, "decoding_params": decoding})
        return without_nets(decoder.model) + steps(decoder.model)

    return build


for name in MODELS:
    PROGRAMS["train " + name] = trained(name)
    PROGRAMS["translate " + name] = translating(name)
PROGRAMS["translate with two"] = translating("regular", "layers")


def searching():
    m = seq2seq_model_helper.Seq2SeqModelHelper(name="search")
    blobs = m.net.AddExternalInputs("words", "length", "log_probs", "attention", "go", "possible")
    search = beam_search.BeamSearchForwardOnly(4, m, eos_token_id=2, post_eos_penalty=-5)
    with core.NameScope("scope"):
        found = search.apply(
            blobs[0],
            blobs[1],
            blobs[2],
            blobs[3],
            [],
            [],
            possible_translation_tokens=blobs[5],
            go_token_id=blobs[4],
        )
    return [*without_nets(m), *steps(m), "results: " + " ".join(map(str, found))]


PROGRAMS["search with a penalty"] = searching

if __name__ == "__main__":
    record(PROGRAMS)

"""Programs that build recurrent nets."""

from caffe2.python import attention, core, gru_cell, rnn_cell
from caffe2.python.model_helper import ModelHelper
from tests.python.recorded.text import model, net, record

PROGRAMS = {}

KINDS = attention.AttentionType


def step_nets(m):
    """The nets that the recurrent operators of a model hold, each once."""
    nets = [(arg.name, net(arg.n)) for op in m.net.Proto().op for arg in op.arg if arg.HasField("n")]
    return [line for i, (name, lines) in enumerate(nets) if (name, lines) not in nets[:i] for line in [name, *lines]]


def described(m, results):
    return step_nets(m) + without_nets(m) + ["results: " + " ".join(map(str, results))]


def without_nets(m):
    copy = type(m.net.Proto())()
    copy.CopyFrom(m.net.Proto())
    for op in copy.op:
        for arg in op.arg:
            arg.ClearField("n")
    return net(m.param_init_net.Proto()) + net(copy) + model(m)[-4:]


def differentiate(m, results, grads):
    m.AddGradientOperators([m.net.SumElements(results[i], f"loss_{i}") for i in grads])


def layer(name, make, sizes=5, states=2, lengths=True, gradient=True, **kwargs):
    def build():
        m = ModelHelper("m")
        x, seq = m.net.AddExternalInputs("x", "lengths")
        layers = len(sizes) if isinstance(sizes, list) else 1
        initial = [m.net.AddExternalInput(f"state_{i}") for i in range(states * layers)]
        results = make(m, x, seq if lengths else None, initial, 4, sizes, scope="rnn", **kwargs)
        if gradient:
            differentiate(m, results[-2 * states :], kwargs.get("outputs_with_grads", (0,)))
        return described(m, results)

    PROGRAMS[name] = build


layer("LSTM", rnn_cell.LSTM)
layer("LSTM without lengths", rnn_cell.LSTM, lengths=False, forget_bias=1.0)
layer("LSTM forward", rnn_cell.LSTM, gradient=False, forward_only=True, drop_states=True)
layer("LSTM recomputed", rnn_cell.LSTM, memory_optimization=True, outputs_with_grads=(0, 3))
layer("LSTM layers", rnn_cell.LSTM, [5, 6], return_last_layer_only=False)
layer("LSTM unrolled", rnn_cell.LSTM, static_rnn_unroll_size=2)
layer("LSTM unrolled layers", rnn_cell.LSTM, [5, 6], static_rnn_unroll_size=3)
layer("LayerNormLSTM", rnn_cell.LayerNormLSTM)
layer("MILSTM", rnn_cell.MILSTM, memory_optimization=True)
layer("LayerNormMILSTM", rnn_cell.LayerNormMILSTM)
layer("BasicRNN", rnn_cell.BasicRNN, states=1, lengths=False, activation="tanh")
layer("BasicRNN lengths", rnn_cell.BasicRNN, states=1, activation="tanh", forward_only=True, gradient=False)
layer(
    "BasicRNN dropped",
    rnn_cell.BasicRNN,
    states=1,
    activation="relu",
    drop_states=True,
    forward_only=True,
    gradient=False,
)
layer("GRU", gru_cell.GRU, states=1)
layer("GRU linear", gru_cell.GRU, states=1, linear_before_reset=True, lengths=False)


def program(name):
    def add(f):
        PROGRAMS[name] = f

    return add


@program("layered LSTM")
def _():
    m = ModelHelper("m")
    inputs = m.net.AddExternalInputs("x", "lengths", "h", "c")
    results = rnn_cell.layered_LSTM(m, inputs[0], inputs[1], inputs[2:], 4, [5, 6, 7], scope="rnn")
    return described(m, results)


@program("states of the cell's own")
def _():
    m = ModelHelper("m")
    x, lengths = m.net.AddExternalInputs("x", "lengths")
    own = rnn_cell.LSTMInitializer(4)
    cells = [
        rnn_cell.LSTMCell(4, 4, 0.0, False, name=None),
        rnn_cell.DropoutCell(rnn_cell.MILSTMCell(4, 4, 0.0, False), 0.5, is_test=False, name="drop", initializer=own),
        rnn_cell.LSTMCell(4, 4, 0.0, True),
    ]
    cell = rnn_cell.MultiRNNCell(cells, residual_output_layers=[1, 2], name="stack")
    with core.NameScope("scope"):
        output, results = cell.apply_over_sequence(m, x, lengths)
    m.AddGradientOperators([m.net.SumElements(output, "loss")])
    return described(m, [output, *results])


@program("a step at a time")
def _():
    m = ModelHelper("m")
    cell = rnn_cell.MultiRNNCell([rnn_cell.LSTMCell(4, 5, 0.0, False), gru_cell.GRUCell(5, 5, 0.0, False)], name="c")
    inputs = m.net.AddExternalInputs("x", "lengths", "h0", "c0", "h1", "t")
    output, states = cell.apply(m, inputs[0], inputs[1], inputs[2:5], inputs[5])
    return described(m, [output, *states])


def attending(name, kind, dim=4, **kwargs):
    def build():
        m = ModelHelper("m")
        x, lengths, h, c, context, outputs, encoder_lengths = m.net.AddExternalInputs(
            "x", "lengths", "h", "c", "context", "encoder_outputs", "encoder_lengths"
        )
        results = rnn_cell.LSTMWithAttention(
            model=m,
            decoder_inputs=x,
            decoder_input_lengths=lengths,
            initial_decoder_hidden_state=h,
            initial_decoder_cell_state=c,
            initial_attention_weighted_encoder_context=context,
            encoder_output_dim=dim,
            encoder_outputs=outputs,
            encoder_lengths=encoder_lengths,
            decoder_input_dim=3,
            decoder_state_dim=4,
            scope="decoder",
            attention_type=kind,
            **kwargs,
        )
        differentiate(m, results, kwargs.get("outputs_with_grads", (0, 4)))
        return described(m, results)

    PROGRAMS[name] = build


attending("attention, regular", KINDS.Regular, attention_memory_optimization=True, lstm_memory_optimization=True)
attending("attention, recurrent", KINDS.Recurrent)
attending("attention, dot", KINDS.Dot)
attending("attention, dot of other sizes", KINDS.Dot, dim=6)
attending("attention, soft coverage", KINDS.SoftCoverage, outputs_with_grads=(0, 4, 6))


if __name__ == "__main__":
    record(PROGRAMS)

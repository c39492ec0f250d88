"""The time that LSTMs take to run and to learn.

python -m caffe2.python.lstm_benchmark --hidden_dim 256 --batch_size 16 --seq_length 50 --data_size 100000
"""

from __future__ import annotations

import argparse
import logging
import time
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, model_helper, recurrent, rnn_cell, utils, workspace
from caffe2.python._misuse import demand

log = logging.getLogger("lstm_bench")


def generate_data(
    T: int, shape: list[int], num_labels: int, fixed_shape: bool
) -> tuple[core.BlobReference, core.BlobReference, list[int]]:
    """Queues of T batches of sequences of `shape` and of labels, and how many entries each batch has.

    Unless fixed_shape, all but the first batch are of random lengths.
    """
    init = core.Net("generate_input_init")
    queue, label_queue = (
        init.CreateBlobsQueue([], name, num_blobs=1, capacity=T) for name in ("inputqueue", "labelqueue")
    )
    workspace.RunNetOnce(init)
    fill = core.Net("generate_input")
    fill.EnqueueBlobs([queue, "scratch"], ["scratch"])
    fill.EnqueueBlobs([label_queue, "label_scr"], ["label_scr"])
    np.random.seed(2603)
    counts = []
    for t in range(T):
        steps = shape[0] if fixed_shape or t == 0 else np.random.randint(1, shape[0])
        batch = np.random.rand(steps, *shape[1:]).astype(np.float32)
        workspace.FeedBlob("scratch", batch)
        workspace.FeedBlob("label_scr", (np.random.rand(steps) * num_labels * shape[1]).astype(np.int32))
        workspace.RunNetOnce(fill.Proto())
        counts.append(steps * shape[1])
    log.info("%d batches of sequences", T)
    return queue, label_queue, counts


def create_model(
    args: argparse.Namespace, queue: Any, label_queue: Any, input_shape: list[int]
) -> tuple[model_helper.ModelHelper, core.BlobReference]:
    """A model that takes its batches from queues, and the outputs of its last layer; states carry over."""
    model = model_helper.ModelHelper(name="LSTM_bench")
    seq_lengths, _ = model.net.AddExternalInputs("seq_lengths", "target")
    input_blob = model.net.DequeueBlobs(queue, "input_data")
    labels = model.net.DequeueBlobs(label_queue, "label")
    add = _add_packed if args.implementation == "cudnn" else _add_steps
    output, last_hidden, states = add(args, model, input_blob, seq_lengths, input_shape)
    weights = model.net.UniformFill(labels, "weights")
    _, loss = model.net.SoftmaxWithLoss([model.Flatten(output), labels, weights], ["softmax", "loss"])
    if not args.forward_only:
        model.AddGradientOperators([loss])
    size = args.hidden_dim * (args.num_layers if args.implementation == "cudnn" else 1)
    for state in states:
        model.net.Copy(last_hidden, state)
        workspace.FeedBlob(state, np.zeros([1, args.batch_size, size], dtype=np.float32))
    if args.rnn_executor:
        for op in model.net.Proto().op:
            if op.type.startswith("RecurrentNetwork"):
                recurrent.set_rnn_executor_config(op, args.rnn_executor_num_threads, args.rnn_executor_max_cuda_streams)
    return model, output


def _add_steps(
    args: argparse.Namespace, model: model_helper.ModelHelper, input_blob: Any, seq_lengths: Any, shape: list[int]
) -> tuple[Any, Any, list[Any]]:
    """LSTMs of step nets, or of steps that are written out."""
    known = ("own", "static", "static_dag", "cudnn")
    demand(args.implementation in known, f"implementations are {', '.join(known)}, not {args.implementation}")
    static = args.implementation != "own"
    demand(args.fixed_shape or not static, "steps are written out for sequences of one length: --fixed_shape")
    names = [f"{kind}_init_{i}" for i in range(args.num_layers) for kind in ("hidden", "cell")]
    states = [model.net.AddExternalInput(name) for name in names]
    output, last_hidden, *_ = rnn_cell.LSTM(
        model=model,
        input_blob=input_blob,
        seq_lengths=seq_lengths,
        initial_states=states,
        dim_in=args.input_dim,
        dim_out=[args.hidden_dim] * args.num_layers,
        scope="lstm1",
        memory_optimization=args.memory_optimization,
        forward_only=args.forward_only,
        drop_states=True,
        return_last_layer_only=True,
        static_rnn_unroll_size=args.seq_length if static else None,
    )
    if args.implementation == "static_dag":
        model.net.Proto().type, model.net.Proto().num_workers = "dag", 4
    return output, last_hidden, states


def _add_packed(
    args: argparse.Namespace, model: model_helper.ModelHelper, input_blob: Any, seq_lengths: Any, shape: list[int]
) -> tuple[Any, Any, list[Any]]:
    """An LSTM of packed parameters, whose input must be there in shape before its parameters are set."""
    states = list(model.net.AddExternalInputs("hidden_init", "cell_init"))
    model.param_init_net.ConstantFill([], input_blob, shape=shape)
    output, last_hidden, _ = rnn_cell.cudnn_LSTM(
        model=model,
        input_blob=input_blob,
        initial_states=states,
        dim_in=args.input_dim,
        dim_out=args.hidden_dim,
        scope="cudnnlstm",
        num_layers=args.num_layers,
    )
    return output, last_hidden, states


def Caffe2LSTM(args: argparse.Namespace) -> float:
    """The seconds that all batches but the first take."""
    shape = [args.seq_length, args.batch_size, args.input_dim]
    iterations = args.data_size // args.batch_size // args.seq_length
    queue, label_queue, counts = generate_data(iterations, shape, args.hidden_dim, args.fixed_shape)
    workspace.FeedBlob("seq_lengths", np.array([args.seq_length] * args.batch_size, dtype=np.int32))
    model, _ = create_model(args, queue, label_queue, shape)
    workspace.RunNetOnce(model.param_init_net)
    workspace.CreateNet(model.net)
    name = model.net.Proto().name
    workspace.RunNet(name)
    start = last = time.time()
    for done in range(1, iterations, args.iters_to_report):
        count = min(args.iters_to_report, iterations - done)
        workspace.RunNet(name, count)
        now = time.time()
        log.info(
            "Iter: %d / %d. Entries Per Second: %.1fk.", done, iterations, _rate(counts[done : done + count], last)
        )
        last = now
    log.info("Done. Total EPS excluding 1st iteration: %.1fk", _rate(counts[1:], start))
    if args.gpu:
        log.info("GPU memory:\t%.0f MB", utils.GetGPUMemoryUsageStats()["max_total"] / 1024**2)
    return time.time() - start


def _rate(counts: list[int], since: float) -> float:
    """Thousands of entries a second."""
    return sum(counts) / max(time.time() - since, 1e-9) / 1000


@utils.debug
def Benchmark(args: argparse.Namespace) -> float:
    """Caffe2LSTM, which starts a debugger where it fails."""
    return Caffe2LSTM(args)


def GetArgumentParser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description="LSTM benchmark.")
    for name, default, meaning in (
        ("hidden_dim", 800, "Size of the states"),
        ("input_dim", 40, "Size of the input"),
        ("batch_size", 128, "Sequences in a batch"),
        ("seq_length", 20, "Length of the longest sequences"),
        ("data_size", 1000000, "Number of entries to generate"),
        ("iters_to_report", 20, "Number of batches after which to tell how it goes"),
        ("num_layers", 1, "Number of layers, all of hidden_dim"),
        ("rnn_executor_num_threads", None, "Number of threads that run steps"),
        ("rnn_executor_max_cuda_streams", None, "Number of streams of a GPU that run steps"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=meaning)
    for name, meaning in (
        ("gpu", "Run on a GPU"),
        ("fixed_shape", "Have all sequences be of one length, as static implementations need it"),
        ("memory_optimization", "Compute gates again for the gradient"),
        ("forward_only", "Do not learn"),
        ("rnn_executor", "Set how many threads and streams run steps"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=meaning)
    parser.add_argument("--implementation", default="own", help="'cudnn', 'own', 'static' or 'static_dag'")
    return parser


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG)
    arguments, more = GetArgumentParser().parse_known_args()
    workspace.GlobalInit(["caffe2", "--caffe2_log_level=0", "--caffe2_gpu_memory_tracking=1", *more])
    device = core.DeviceOption(workspace.GpuDeviceType if arguments.gpu else caffe2_pb2.CPU, 0)
    with core.DeviceScope(device):
        Benchmark(arguments)

"""How fast LSTMs of step nets are, measured against those of packed parameters on a GPU.

python -m caffe2.python.rnn.lstm_comparison
"""

from __future__ import annotations

import argparse
import itertools
from copy import copy

from caffe2.python import core, lstm_benchmark, utils, workspace

SETTINGS = tuple(itertools.product((64, 128, 256), (20, 100), (40, 100, 400, 800)))
"""Batch size, length of the sequences and size of the states."""


@utils.debug
def Compare(args: argparse.Namespace) -> list[tuple[argparse.Namespace, float, float]]:
    """Time both for all settings, and print the ratios: the settings, seconds of step nets, seconds of packed ones."""
    results, iterations = [], 1000
    args.gpu = True
    with core.DeviceScope(core.DeviceOption(workspace.GpuDeviceType, 0)):
        for args.batch_size, args.seq_length, args.hidden_dim in SETTINGS:
            args.data_size = args.batch_size * args.seq_length * iterations
            args.iters_to_report = iterations // 3
            times = []
            for args.implementation in ("own", "cudnn"):
                times.append(float(lstm_benchmark.Benchmark(args)))
                workspace.ResetWorkspace()
            results.append((copy(args), *times))
    for used, own, packed in results:
        print(
            f"hidden_dim: {used.hidden_dim}, seq_lengths: {used.seq_length}, batch_size: {used.batch_size},"
            f" num_layers: {used.num_layers}: cudnn time: {packed}, own time: {own}, ratio: {packed / own}"
        )
    print(f"Ratio average: {sum(packed / own for _, own, packed in results) / len(results)}")
    return results


if __name__ == "__main__":
    arguments = lstm_benchmark.GetArgumentParser().parse_args()
    workspace.GlobalInit(["caffe2", "--caffe2_log_level=0", "--caffe2_gpu_memory_tracking=1"])
    Compare(arguments)

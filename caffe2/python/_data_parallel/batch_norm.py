"""Batch normalization over the batches of all devices: statistics are summed between the replicas of a net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, utils
from caffe2.python._data_parallel.grouping import stripBlobName
from caffe2.python._misuse import demand

Ops = list[caffe2_pb2.OperatorDef]


def _InterleaveOps(model: Any) -> None:
    """Put operators that are alike on all devices side by side, that the devices advance together."""
    ops, count = list(model.net.Proto().op), len(model._devices)
    each, rest = divmod(len(ops), count)
    demand(rest == 0, "Number of ops per device in original net is not uniform")
    rows: dict[int, Ops] = {d: [] for d in range(count)}
    for op in ops:
        rows[op.device_option.device_id].append(op)
    mixed = [[rows[d][j] for d in model._devices] for j in range(each)]
    for alike in mixed:
        demand(len({op.type for op in alike}) == 1, f"Type mismatch {[op.type for op in alike]}")
    _replace(model, [op for alike in mixed for op in alike])


def _replace(model: Any, ops: Ops) -> None:
    kept = [caffe2_pb2.OperatorDef.FromString(op.SerializeToString()) for op in ops]
    del model.net.Proto().op[:]
    model.net.Proto().op.extend(kept)


def combine_batches(model: Any, on_cpu: bool) -> None:
    """Have every SpatialBN of a net, and its gradient, work on the batches of all devices."""
    kinds = {"SpatialBN": _forward, "SpatialBNGradient": _backward}
    made: Ops = []
    for kind, run in groupby(model.net.Proto().op, lambda op: op.type if op.type in kinds else ""):
        ops = list(run)
        made += kinds[kind](model, ops, on_cpu) if kind else ops
    _replace(model, made)


def _here(model: Any, op: caffe2_pb2.OperatorDef, on_cpu: bool) -> dict[str, Any]:
    return {} if on_cpu else {"device_option": core.DeviceOption(model._device_type, op.device_option.device_id)}


def _forward(model: Any, ops: Ops, on_cpu: bool) -> Ops:
    names, first = [op.input[0] for op in ops], ops[0].input[0]
    made = [
        core.CreateOperator("ChannelStats", x, [f"{x}_sums", f"{x}_sumsq"], **_here(model, op, on_cpu))
        for op, x in zip(ops, names)
    ]
    for word in ("sums", "sumsq"):
        if on_cpu:
            made.append(core.CreateOperator("Sum", [f"{x}_{word}" for x in names], f"{first}_{word}_combined"))
        else:
            made += _over_gpus(model, f"{stripBlobName(first)}_{word}")
    for op, x in zip(ops, names):
        op.input.extend(f"{first if on_cpu else x}_{word}_combined" for word in ("sums", "sumsq"))
        op.arg.append(utils.MakeArgument("num_batches", len(model._devices)))
    return made + ops


def _backward(model: Any, ops: Ops, on_cpu: bool) -> Ops:
    made = []
    for op in ops:
        x, dy, mean, rstd = op.input[0], op.input[2], op.input[3], op.input[4]
        grads = list(op.output[1:3])
        here = _here(model, op, on_cpu)
        made.append(core.CreateOperator("ChannelBackpropStats", [x, mean, rstd, dy], grads, **here))
    for position in (1, 2):
        blobs = [op.output[position] for op in ops]
        name = stripBlobName(blobs[0])
        made += _over_cpus(name, blobs) if on_cpu else _over_gpus(model, name, blobs)
    for op in ops:
        op.arg.append(utils.MakeArgument("num_batches", len(model._devices)))
        op.input.extend(op.output[1:3])
    return made + ops


def _over_cpus(name: str, blobs: Sequence[str]) -> Ops:
    """Each of the blobs becomes the sum of all."""
    total = f"cpu_0/{name}_combined"
    return [core.CreateOperator("Sum", blobs, total), *(core.CreateOperator("Copy", total, b) for b in blobs)]


def _over_gpus(model: Any, name: str, results: Sequence[str] | None = None) -> Ops:
    """The sum of gpu_<i>/<name>, taken on the CPU, on every GPU: in `results`, else in gpu_<i>/<name>_combined."""
    count, total = range(len(model._devices)), f"cpu_0/{name}_combined"
    gpus = [core.DeviceOption(model._device_type, i) for i in count]
    copies = [f"cpu_0/{name}_gpu_{i}_copy" for i in count]
    back = results or [f"gpu_{i}/{name}_combined" for i in count]
    return [
        *(core.CreateOperator("CopyGPUToCPU", f"gpu_{i}/{name}", copies[i], device_option=gpus[i]) for i in count),
        core.CreateOperator("Sum", copies, total, device_option=core.DeviceOption(caffe2_pb2.CPU)),
        *(core.CreateOperator("CopyCPUToGPU", total, back[i], device_option=gpus[i]) for i in count),
    ]

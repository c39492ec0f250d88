"""A solver's step as a net of operators: gradients are clipped by one factor, averaged, decayed; parameters move."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import WeightsError
from caffe2.bridge.caffe.snapshot import Snapshot
from caffe2.bridge.caffe.training.moves import ASCENDING, MOVES, TWO, Move
from caffe2.bridge.caffe.training.nets import Learned
from caffe2.bridge.caffe.translate import Builder
from caffe2.bridge.caffe.translate.model import fill
from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2


@dataclass
class Update:
    """The nets of a solver's step and the blobs that they keep.

    init_net fills `iteration`, which counts the steps done, `history`, one blob a parameter (for AdaDelta and Adam
    then once more one each), and `sums`, to which a training net adds gradients where iter_size is above 1, by
    parameter. net makes a step; it writes the learning rate to `rate`, multiples of it to `rates`, and how many steps
    of it are done to `step`.
    """

    init_net: caffe2_pb2.NetDef
    net: caffe2_pb2.NetDef
    iteration: str
    rate: str
    step: str
    history: list[str] = field(default_factory=list)
    sums: dict[str, str] = field(default_factory=dict)
    rates: dict[float, str] = field(default_factory=dict)


def update_nets(
    solver: Message,
    params: Sequence[Learned],
    gradients: Mapping[str, str],
    taken: Sequence[str],
    snapshot: Snapshot | None = None,
) -> Update:
    """The nets of a step of `solver`; gradients: the blob of each parameter's, a parameter without one having zeros.

    taken: the names that blobs of other nets have. snapshot: where the solver stood.
    Raises WeightsError where the snapshot is of other parameters, or of another solver.
    """
    b = Builder([*taken, *gradients.values()])
    names = (b.named(name) for name in ("solver_iter", "solver_rate", "solver_step"))
    made = Update(caffe2_pb2.NetDef(name="solver_init"), caffe2_pb2.NetDef(name="solver_step"), *names)
    made.history = [b.named(f"{p.blob}_{name}") for name in _memories(solver) for p in params]
    trained = [(k, p) for k, p in enumerate(params) if p.trained]
    _rate(b, made, solver, snapshot)
    slopes = _slopes(b, made, solver, trained, gradients)
    given, sign = {*gradients.values(), *made.sums.values()}, -1 if solver.type in ASCENDING else 1
    for (k, p), slope in zip(trained, slopes):
        g = _decayed(b, solver, p, slope)
        rate = _scaled_rate(b, made, sign * p.param.lr_mult)
        move = Move(p.blob, g, made.history[k :: len(params)], rate, made.iteration, g in given)
        MOVES[solver.type](b, solver, move)
    for total in made.sums.values():
        b.op("ConstantFill", total, total, value=0.0)
    b.op("Iter", made.iteration, made.iteration)
    made.net.op.extend(b.made.ops)
    _fills(b, made, params, snapshot)
    return made


def _memories(solver: Message) -> tuple[str, ...]:
    return ("history", "history2") if solver.type in TWO else ("history",)


def _rate(b: Builder, made: Update, s: Message, snapshot: Snapshot | None) -> None:
    args = {"policy": s.lr_policy, "base_lr": s.base_lr, "gamma": s.gamma, "power": s.power, "max_iter": s.max_iter}
    args |= {"stepsize": s.stepsize, "stepvalue": tuple(s.stepvalue) or None}
    if snapshot is not None and s.lr_policy == "multistep":
        args |= {"start_step": snapshot.current_step, "since": snapshot.iter}
    b.op("CaffeLearningRate", made.iteration, [made.rate, made.step], **args)


def _scaled_rate(b: Builder, made: Update, scale: float) -> str:
    """The blob of `scale` times the learning rate."""
    if scale != 1 and scale not in made.rates:
        made.rates[scale] = b.op("Scale", made.rate, "", scale=scale)
    return made.rates.get(scale, made.rate)


def _slopes(
    b: Builder, made: Update, s: Message, trained: Sequence[tuple[int, Learned]], gradients: Mapping[str, str]
) -> list[str]:
    """The blobs of the gradients, clipped all by one factor, and averaged."""
    if s.iter_size > 1:
        made.sums = {p.blob: b.named(f"{p.blob}_grad_sum") for _, p in trained if p.blob in gradients}
    sources = {**gradients, **made.sums}
    slopes = [sources.get(p.blob) or b.op("ConstantFill", p.blob, "", value=0.0) for _, p in trained]
    if s.clip_gradients >= 0 and slopes:
        norm = b.op("Sqrt", b.op("Sum", [b.op("SumSqrElements", g) for g in slopes]))
        slopes = [_clipped(b, g, norm, s.clip_gradients) for g in slopes]
    if s.iter_size > 1:
        slopes = [b.op("Scale", g, "", scale=1 / s.iter_size) for g in slopes]
    return slopes


def _clipped(b: Builder, g: str, norm: str, limit: float) -> str:
    if limit == 0:
        return b.op("Scale", g, "", scale=0.0)
    return b.op("ClipTensorByScaling", [g, norm], "", threshold=limit)


def _decayed(b: Builder, s: Message, p: Learned, g: str) -> str:
    """g + decay w, or g + decay sign(w) with L1."""
    decay = s.weight_decay * p.param.decay_mult
    if not decay:
        return g
    w = b.op("Sign", p.blob) if s.regularization_type == "L1" else p.blob
    return b.op("WeightedSum", [g, b.constant(1.0), w, b.constant(decay)])


def _fills(b: Builder, made: Update, params: Sequence[Learned], snapshot: Snapshot | None) -> None:
    """The init net: constants, the count of iterations, what was remembered, sums of zeros."""
    ops = made.init_net.op
    for name, array in b.made.params.items():
        ops.append(fill(name, array))
    stood = snapshot or Snapshot()
    for name, value in ((made.iteration, stood.iter), (made.step, stood.current_step)):
        count = ops.add(type="ConstantFill", output=[name], device_option=caffe2_pb2.DeviceOption())
        arguments = {"shape": (1,), "dtype": caffe2_pb2.TensorProto.INT64, "value": value}
        count.arg.extend(make_argument(*item) for item in arguments.items())
    places = list(params) * (len(made.history) // max(len(params), 1))
    remembered = _remembered(snapshot, places) if snapshot is not None else [None] * len(places)
    for name, p, array in zip(made.history, places, remembered):
        if array is None:
            ops.add(type="ConstantFill", input=[p.blob], output=[name])
        else:
            _like(ops, b, name, array, p.blob)
    for blob, name in made.sums.items():
        ops.add(type="ConstantFill", input=[blob], output=[name])


def _like(ops: object, b: Builder, name: str, array: np.ndarray, blob: str) -> None:
    """Fill a blob with an array, in the shape of another."""
    flat = b.fresh(name)
    ops.append(fill(flat, array.reshape(-1)))
    ops.add(type="ResizeLike", input=[flat, blob], output=[name])


def _remembered(snapshot: Snapshot, places: Sequence[Learned]) -> list[np.ndarray]:
    if len(snapshot.history) != len(places):
        what = f"this snapshot remembers {len(snapshot.history)} blobs, and this solver {len(places)}"
        raise WeightsError(f"{what}: it is of another net, or of another type of solver")
    for p, stored in zip(places, snapshot.history):
        if stored.size != math.prod(p.param.shape) or not stored.complete():
            what = (
                f"this snapshot remembers a blob of shape {stored.shape} for the parameter {p.index}, {p.param.shape}"
            )
            raise p.layer.error(f"{what}: it is of another net", "", WeightsError)
    return [np.asarray(stored.array) for stored in snapshot.history]

"""Folding: batch normalization and scaling of channels, put into the weights of the convolution before them."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.translate.builder import Translation
from caffe2.proto import caffe2_pb2

CONVOLUTIONS = ("Conv", "ConvTranspose", "FC", "FCTransposed")


def fold(made: Translation) -> int:
    """Fold every affine map of channels that alone reads a convolution's output; how many operators went.

    w' = s w and b' = s b + t for y = s conv(x, w, b) + t. Weights that several operators share stay as they are; a
    bias that they share, such as zeros, becomes one of the convolution's own.
    """
    before = len(made.ops)
    at = 0
    while at < len(made.ops):
        reader = _only_reader(made.ops, at) if made.ops[at].type in CONVOLUTIONS else None
        if reader is None or not _fold(made, made.ops[at], made.ops[reader]):
            at += 1
            continue
        made.ops[at].output[0] = made.ops[reader].output[0]
        del made.ops[reader]
    read = {name for op in made.ops for name in op.input}
    for name in [name for name in made.params if name not in read]:
        del made.params[name]
    return before - len(made.ops)


def _only_reader(ops: list[caffe2_pb2.OperatorDef], at: int) -> int | None:
    """The operator that alone reads what operator `at` writes; None where there is none or more."""
    name, readers = ops[at].output[0], []
    for k in range(at + 1, len(ops)):
        readers += [k] if name in ops[k].input else []
        if name in ops[k].output:
            break
    alone = len(readers) == 1 and not _touched(ops[at + 1 : readers[0]], ops[readers[0]].output[0])
    return readers[0] if alone else None


def _touched(ops: list[caffe2_pb2.OperatorDef], name: str) -> bool:
    return any(name in op.input or name in op.output for op in ops)


def _fold(made: Translation, conv: caffe2_pb2.OperatorDef, affine: caffe2_pb2.OperatorDef) -> bool:
    found = _scale_and_shift(made, affine, conv.output[0])
    names = list(conv.input[1:])
    if found is None or _shared(made, names[0]) or any(n not in made.params for n in names):
        return False
    scale, shift = found
    weight = made.params[names[0]]
    group = next((a.i for a in conv.arg if a.name == "group"), 1)
    if conv.type == "FCTransposed":
        whole = weight * scale
    elif conv.type == "ConvTranspose":
        whole = weight.reshape(group, -1, *weight.shape[1:]) * scale.reshape(group, 1, -1, *(1,) * (weight.ndim - 2))
    else:
        whole = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    made.params[names[0]] = whole.reshape(weight.shape).astype(np.float32)
    bias = made.params[names[1]] if len(names) > 1 else 0.0
    if len(names) == 1 or _shared(made, names[1]):
        conv.input[2:] = [f"{names[0]}_bias"]
    made.params[conv.input[2]] = (bias * scale + shift).astype(np.float32)
    return True


def _shared(made: Translation, name: str) -> bool:
    return sum(list(op.input).count(name) for op in made.ops) > 1


def _scale_and_shift(made: Translation, op: caffe2_pb2.OperatorDef, x: str) -> tuple[np.ndarray, np.ndarray] | None:
    """s and t, one number a channel, of an operator that makes s x + t of x; None for any other."""
    args = {a.name: a for a in op.arg}
    values = [made.params.get(name) for name in op.input[1:]]
    if op.input[0] != x or x in op.input[1:] or any(v is None for v in values) or len(op.output) != 1:
        return None
    if op.type == "SpatialBN" and "is_test" in args and args["is_test"].i:
        scale, bias, mean, variance = (v.astype(np.float64) for v in values)
        factor = scale / np.sqrt(variance + args["epsilon"].f)
        return factor, bias - mean * factor
    along = "axis" in args and args["axis"].i == 1 and values and values[0].ndim == 1
    if op.type in ("Mul", "Add") and along:
        one, zero = np.ones(len(values[0])), np.zeros(len(values[0]))
        return (values[0].astype(np.float64), zero) if op.type == "Mul" else (one, values[0].astype(np.float64))
    return None

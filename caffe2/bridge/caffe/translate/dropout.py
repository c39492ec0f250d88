"""Dropout taken out of nets that do not train: there it is the identity."""

from __future__ import annotations

from collections.abc import Collection

from caffe2.bridge.caffe.translate.builder import Translation
from caffe2.proto import caffe2_pb2

Ops = list[caffe2_pb2.OperatorDef]


def remove_dropout(made: Translation, outputs: Collection[str]) -> int:
    """Take out every Dropout that changes nothing; how many operators went.

    What reads its output reads its input instead. An output of the net keeps its name: what writes the input writes it
    by that name, and where that cannot be, as for an input of the net, a Copy stays.
    """
    before = len(made.ops)
    for at in reversed(range(before)):
        if made.ops[at].type == "Dropout" and _changes_nothing(made.ops[at]):
            _remove(made, at, outputs)
    return before - len(made.ops)


def _changes_nothing(op: caffe2_pb2.OperatorDef) -> bool:
    return len(op.output) == 1 and any(a.name == "is_test" and a.i for a in op.arg)


def _remove(made: Translation, at: int, outputs: Collection[str]) -> None:
    ops, (x,), (y,) = made.ops, made.ops[at].input, made.ops[at].output
    if x != y and not (_read_directly(ops, at, x, y, outputs) or _written_directly(ops, at, x, y, outputs)):
        ops[at].CopyFrom(caffe2_pb2.OperatorDef(type="Copy", input=[x], output=[y]))
        return
    del ops[at]
    if at < len(made.origins):
        del made.origins[at]


def _read_directly(ops: Ops, at: int, x: str, y: str, outputs: Collection[str]) -> bool:
    """Let the readers of y behind an operator read x, where x stays what it is as long, and y is no output."""
    end = _rewritten(ops, at + 1, y)
    readers = [k for k in range(at + 1, min(end + 1, len(ops))) if y in ops[k].input]
    if (y in outputs and end == len(ops)) or (readers and _rewritten(ops, at + 1, x) < readers[-1]):
        return False
    for k in readers:
        ops[k].input[:] = [x if name == y else name for name in ops[k].input]
    return True


def _written_directly(ops: Ops, at: int, x: str, y: str, outputs: Collection[str]) -> bool:
    """Let what writes x write y, and its readers read y, where nobody else asks for either by that name."""
    writers = [k for k, op in enumerate(ops) if x in op.output]
    touched = any(y in (*op.input, *op.output) for op in ops[:at])
    if len(writers) != 1 or writers[0] > at or x in outputs or touched or _rewritten(ops, at + 1, y) < len(ops):
        return False
    for op in ops:
        op.input[:] = [y if name == x else name for name in op.input]
        op.output[:] = [y if name == x else name for name in op.output]
    return True


def _rewritten(ops: Ops, start: int, name: str) -> int:
    """The first operator from one on that writes a blob; their number where none does."""
    return next((k for k in range(start, len(ops)) if name in ops[k].output), len(ops))

"""Where a failure happened: errors of operators told in three lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from caffe2.opdef import EnforceNotMet, OpDef
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Blob, describe

if TYPE_CHECKING:
    from caffe2.runtime.bind import Step


class MissingBlob(EnforceNotMet):
    """A blob that an operator or a program asks for is not there, or holds nothing."""


class NetError(EnforceNotMet):
    """A net cannot be made or is not known."""


class PlanError(EnforceNotMet):
    """A plan contradicts itself."""


class WorkspaceError(EnforceNotMet):
    """A workspace is not known."""


class MessageError(EnforceNotMet):
    """Bytes that are no message of the kind they should be."""


def located(error: Exception, step: Step, where: str) -> Exception:
    """The error of an operator that ran, saying what failed, with what, and where."""
    return told(error, step.op, step.definition, step.inputs, where)


def told(
    error: Exception, op: caffe2_pb2.OperatorDef, definition: OpDef, inputs: Sequence[Blob], where: str
) -> Exception:
    """An error saying what failed, with what, and where.

    An error raised by a Python operator's own code keeps its class; every other becomes an EnforceNotMet.
    """
    text = f"{_headed(_said(error), definition)}\n  {_held(inputs)}; {where}{_given(op)}{_created(op)}"
    if definition.foreign:
        error.add_note(text) if hasattr(error, "add_note") else None
        return error
    kind = type(error) if isinstance(error, EnforceNotMet) else EnforceNotMet
    made = kind(text)
    made.__cause__ = error.__cause__ if isinstance(error, EnforceNotMet) else error
    return made


def _said(error: Exception) -> str:
    """What an error says; its class before the bare word that a lookup or a sum that went wrong has."""
    what, kind = str(error).strip(), type(error).__name__
    return f"{kind}: {what}" if isinstance(error, (LookupError, ArithmeticError)) and what else what or kind


def _headed(what: str, definition: OpDef) -> str:
    head = str(definition.header)
    return what if what.startswith(head) else f"{head}\n  {what}"


def _held(inputs: Sequence[Blob]) -> str:
    """The inputs of an operator and what they hold."""
    return ", ".join(f"{b.name} {describe(b.value)}" for b in inputs) or "no inputs"


def _given(op: caffe2_pb2.OperatorDef) -> str:
    """The arguments of an operator in short."""
    fields = [(a.name, v) for a in op.arg for field, v in a.ListFields() if field.name != "name"]
    shown = " ".join(f"{name}={_short(value)}" for name, value in fields[:20])
    return f", with {shown}" if shown else ""


def _short(value: object, most: int = 60) -> str:
    text = " ".join(str(list(value[:8]) if hasattr(value, "append") else value).split())
    return text if len(text) <= most else f"{text[:most]}..."


def _created(op: caffe2_pb2.OperatorDef) -> str:
    return f", created at {op.debug_info.strip().splitlines()[-1].strip()}" if op.debug_info else ""

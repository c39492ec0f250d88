"""Where a failure happened: errors of operators told in three lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe2.opdef import EnforceNotMet
from caffe2.runtime.blob import describe

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
    """The error of an operator, saying what failed, with what, and where.

    An error raised by a Python operator's own code keeps its class; every other becomes an EnforceNotMet.
    """
    what = str(error).strip() or type(error).__name__
    text = f"{_headed(what, step)}\n  {blobs(step)}; {where}{_created(step)}"
    if step.definition.foreign:
        error.add_note(text) if hasattr(error, "add_note") else None
        return error
    kind = type(error) if isinstance(error, EnforceNotMet) else EnforceNotMet
    told = kind(text)
    told.__cause__ = error.__cause__ if isinstance(error, EnforceNotMet) else error
    return told


def _headed(what: str, step: Step) -> str:
    head = str(step.definition.header)
    return what if what.startswith(head) else f"{head}\n  {what}"


def blobs(step: Step) -> str:
    """The inputs of a step and what they hold."""
    return ", ".join(f"{b.name} {describe(b.value)}" for b in step.inputs) or "no inputs"


def _created(step: Step) -> str:
    return f", created at {step.op.debug_info.strip().splitlines()[-1].strip()}" if step.op.debug_info else ""

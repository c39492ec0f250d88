"""The errors of the operator contract, one class a kind."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EnforceNotMet(RuntimeError):
    """A condition that an operator, a net or the runtime demands does not hold."""


class SchemaError(EnforceNotMet):
    """An operator definition contradicts its header: arity, in-place use, a missing argument."""


class UnknownOperator(EnforceNotMet):
    """No operator of that name is registered."""


class ArgumentTypeError(EnforceNotMet):
    """An argument of an operator definition holds a value of another type than declared."""


class OperatorFailed(EnforceNotMet):
    """An operator ended without success, as it may: it waited at a queue that was closed."""


class NoGradient(EnforceNotMet):
    """An operator lies on the way of a gradient and has none."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suffix naming the known words nearest to `word`; empty where none is near."""
    near = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""

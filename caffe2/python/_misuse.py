"""The error of a program that uses the front end against its contract."""

from __future__ import annotations


class Misuse(AssertionError):
    """A call breaks the contract of the front end; an AssertionError, which programs written for the original catch."""


def demand(holds: object, otherwise: str) -> None:
    """Raise Misuse saying `otherwise` unless `holds`."""
    if not holds:
        raise Misuse(otherwise)

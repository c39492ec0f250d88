"""What can go wrong on the way from Caffe's files to a net: a class a kind, each saying what, where and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """A place in a file: `line` and `column` count from 1 in a text file and are 0 where there is no text."""

    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


class TranslatorError(ValueError):
    """A Caffe file or net that cannot be translated; the base of every error of this package.

    `layer` is the layer's name, `field` the dotted field (`convolution_param.pad`), `position` the place in the file.
    """

    def __init__(self, what: str, *, layer: str = "", field: str = "", position: Position | None = None) -> None:
        self.what, self.layer, self.field, self.position = what, layer, field, position or Position()
        subject = ", ".join([f'layer "{layer}"'] * bool(layer) + [field] * bool(field))
        super().__init__(": ".join(part for part in (str(self.position), subject, what) if part))


class FileError(TranslatorError):
    """A file that is missing, unreadable, or of another kind than was asked for (a web page, a Git LFS pointer)."""


class TextError(TranslatorError):
    """Text that Caffe's parser refuses: syntax, a value that does not fit its field, a required field left out."""


class WireError(TranslatorError):
    """A binary file that is truncated or damaged."""


class UpgradeError(TranslatorError):
    """A file of an older generation that Caffe's own upgrade refuses."""


class NetError(TranslatorError):
    """Layers that do not make a net: an unknown bottom, a top produced twice, rules that contradict each other."""


class LayerError(TranslatorError):
    """A layer whose parameters or input shapes Caffe refuses."""


class WeightsError(TranslatorError):
    """Weights that do not fit the net: another number of blobs, another shape."""


@dataclass(frozen=True)
class Problem:
    """One thing in a net that nothing here understands: a layer type (`field` is empty) or a field."""

    layer: str
    type: str
    field: str
    position: Position
    what: str

    def __str__(self) -> str:
        place = f"{self.position}: " if str(self.position) else ""
        name = f'layer "{self.layer}" ({self.type or "no type"})' if self.layer or self.type else "the net"
        return f"{place}{name}{', ' + self.field if self.field else ''}: {self.what}"


class UntranslatableError(TranslatorError):
    """Every layer and field of a net that cannot be translated, listed at once in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        lines = "\n  ".join(map(str, self.problems[:100]))
        more = f"\n  and {len(problems) - 100} more" if len(problems) > 100 else ""
        super().__init__(f"{len(problems)} part(s) of this net cannot be translated:\n  {lines}{more}")
        self.layer, self.field, self.position = first.layer, first.field, first.position

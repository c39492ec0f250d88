"""A prototxt as a tree of fields, before any schema says what they mean; every node knows its place in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from caffe2.bridge.caffe.errors import TextError
from caffe2.bridge.caffe.tokens import END, NAME, STRING, SYMBOL, Token, string_bytes, tokens

DEEPEST = 100
_CLOSING = {"{": "}", "<": ">"}


@dataclass(slots=True)
class Scalar:
    """A value of one token; `text` is the token's, or the bytes of a string made of one or more quoted pieces."""

    token: Token
    text: str | bytes
    negative: bool = False


@dataclass(slots=True)
class Message:
    """The fields between two braces; `token` is the opening one (of a whole file: its first token)."""

    token: Token
    fields: list[Field] = field(default_factory=list)

    def named(self, name: str) -> Iterator[Field]:
        """The fields of that name, in order."""
        return (item for item in self.fields if item.name == name)

    def string(self, name: str) -> str:
        """The first string value of the field `name`, or its first word; "" where there is none."""
        for item in self.named(name):
            for value in item.values:
                if isinstance(value, Scalar):
                    return value.text.decode("utf-8", "backslashreplace") if value.token.kind == STRING else value.text
        return ""


@dataclass(slots=True)
class Field:
    """A name with its values: one, or any number where they stand in brackets (`listed`)."""

    token: Token
    values: list[Scalar | Message]
    listed: bool = False

    @property
    def name(self) -> str:
        return self.token.text


def parse(text: str, path: str) -> Message:
    """The tree of `text`, a whole file.

    Raises:
        TextError: what Caffe's parser refuses whatever the schema.
    """
    return _Parser(text, path).file()


class _Parser:
    def __init__(self, text: str, path: str) -> None:
        self.path, self.stream = path, tokens(text, path)
        self.open: list[Message] = []
        self.token = next(self.stream)

    def advance(self) -> Token:
        taken = self.token
        if taken.kind != END:
            self.token = next(self.stream)
        return taken

    def sees(self, *symbols: str) -> bool:
        return self.token.kind == SYMBOL and self.token.text in symbols

    def accept(self, *symbols: str) -> bool:
        return self.sees(*symbols) and bool(self.advance())

    def expected(self, what: str) -> TextError:
        found = f'found "{self.token.text[:40]}"' if self.token.kind != END else "found the end of the file"
        return TextError(f"expected {what}, {found}", position=self.token.at(self.path))

    def file(self) -> Message:
        message = Message(self.token)
        try:
            while self.token.kind != END:
                message.fields.append(self.field(1))
        except TextError as error:
            raise TextError(error.what, layer=self.layer(), position=error.position) from None
        return message

    def layer(self) -> str:
        """The name of the layer that the parser is in, as far as it has been read."""
        return next((name for message in self.open if (name := message.string("name"))), "")

    def field(self, depth: int) -> Field:
        if self.token.kind != NAME:
            raise self.expected("a field's name")
        name = self.advance()
        colon = self.accept(":")
        if self.sees("["):
            result = Field(name, self.list(depth, colon), listed=True)
        elif self.sees("{", "<"):
            result = Field(name, [self.message(depth)])
        elif colon:
            result = Field(name, [self.scalar()])
        else:
            raise self.expected(f'":" or "{{" after "{name.text}"')
        self.accept(";", ",")
        return result

    def list(self, depth: int, colon: bool) -> list[Scalar | Message]:
        self.advance()
        values: list[Scalar | Message] = []
        while not self.sees("]"):
            if values and not self.accept(","):
                raise self.expected('"," or "]"')
            if not colon and not self.sees("{", "<"):
                raise self.expected('"{"')
            values.append(self.message(depth) if self.sees("{", "<") else self.scalar())
        self.advance()
        return values

    def message(self, depth: int) -> Message:
        opening = self.advance()
        if depth > DEEPEST:
            raise TextError(f"messages nested deeper than {DEEPEST}", position=opening.at(self.path))
        message = Message(opening)
        self.open.append(message)
        while not self.accept(_CLOSING[opening.text]):
            if self.token.kind == END:
                raise self.expected(f'"{_CLOSING[opening.text]}" for the "{opening.text}" of line {opening.line}')
            message.fields.append(self.field(depth + 1))
        self.open.pop()
        return message

    def scalar(self) -> Scalar:
        first, negative = self.token, self.accept("-")
        if self.token.kind in (SYMBOL, END) or (negative and self.token.kind == STRING):
            raise self.expected("a value")
        token = self.advance()
        if negative:
            token = token._replace(line=first.line, column=first.column)
        if token.kind != STRING:
            return Scalar(token, token.text, negative)
        pieces = [string_bytes(token, self.path)]
        while self.token.kind == STRING:
            pieces.append(string_bytes(self.advance(), self.path))
        return Scalar(token, b"".join(pieces))

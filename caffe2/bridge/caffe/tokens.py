"""Text cut into the tokens that Caffe's parser (protobuf's, of its time) knows: names, numbers, strings and symbols."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from caffe2.bridge.caffe.errors import Position, TextError

NAME, INTEGER, FLOAT, STRING, SYMBOL, END = "name", "integer", "float", "string", "symbol", "end"

_TOKEN = re.compile(
    r"(?P<skip>(?:[ \t\r\n\v\f]+|\#[^\n]*)+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>(?:0[xX][0-9a-fA-F]*|\.?[0-9](?:[0-9.]|[eE][+-]?)*[fF]?)[A-Za-z0-9_.]*)"
    r"|(?P<string>\"[^\"\\\n]*(?:\\[^\n][^\"\\\n]*)*\"|'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*')"
    r"|(?P<symbol>.)",
    re.DOTALL,
)
_INTEGER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_FLOAT = re.compile(r"(?!0[0-9])(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?")
_ESCAPE = re.compile(
    rb"\\(?:(?P<octal>[0-7]{1,3})|[xX](?P<hex>[0-9a-fA-F]{1,2})"
    rb"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>00[0-9a-fA-F]{6})|(?P<plain>[abfnrtv\\?'\"]))"
)
_PLAIN = dict(zip(b"abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\"", strict=True))


class Token(NamedTuple):
    """A piece of text and where it starts; `line` and `column` count from 1, a tab being one column."""

    kind: str
    text: str
    line: int
    column: int

    def at(self, path: str) -> Position:
        """The token's place in the file `path`."""
        return Position(path, self.line, self.column)


def decode(data: bytes) -> str:
    """The text of a file; bytes that are no UTF-8 (comments in an old code page) are carried through unharmed."""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def tokens(text: str, path: str) -> Iterator[Token]:
    """The tokens of `text`, the last of kind END.

    Raises:
        TextError: a number, string or character that Caffe's tokenizer refuses.
    """
    line, start = 1, 0
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match.group()
        if kind == "skip":
            if breaks := piece.count("\n"):
                line, start = line + breaks, match.start() + piece.rindex("\n") + 1
            continue
        column = match.start() - start + 1
        if kind == "number":
            kind = INTEGER if _INTEGER.fullmatch(piece) else FLOAT if _FLOAT.fullmatch(piece) else ""
        elif kind == "symbol" and (piece in "\"'" or not "!" <= piece <= "~"):
            kind = ""
        if not kind:
            raise TextError(_refusal(piece), position=Position(path, line, column))
        yield Token(kind, piece, line, column)
    yield Token(END, "", line, len(text) - start + 1)


def _refusal(piece: str) -> str:
    if piece in "\"'":
        return "a string that does not end on its line; close it with the quote that opened it"
    if not piece[0].isdigit() and piece[0] != ".":
        return f"character {piece!a} is not allowed outside strings and comments"
    octal = re.match("0[0-9]*[89]", piece)
    why = "a number with a leading zero must be octal" if octal else "write a blank between a number and what follows"
    return f'"{piece[:40]}" is no number: {why}'


def string_bytes(token: Token, path: str) -> bytes:
    """The bytes that a STRING token stands for, its escapes replaced.

    Raises:
        TextError: an escape sequence that Caffe's parser refuses.
    """
    raw = token.text[1:-1].encode("utf-8", "surrogateescape")
    if b"\\" not in raw:
        return raw
    pieces, end = [], 0
    while (slash := raw.find(b"\\", end)) >= 0:
        match = _ESCAPE.match(raw, slash)
        if not match:
            raise TextError(f"invalid escape sequence in string {token.text!a}", position=token.at(path))
        pieces += [raw[end:slash], _unescape(match)]
        end = match.end()
    return b"".join([*pieces, raw[end:]])


def _unescape(match: re.Match[bytes]) -> bytes:
    kind, digits = match.lastgroup, match[match.lastgroup]
    if kind == "plain":
        return bytes([_PLAIN[digits[0]]])
    if kind in ("short", "long"):
        code = int(digits, 16)
        return chr(min(code, 0x10FFFF)).encode("utf-8", "replace")
    return bytes([int(digits, 8 if kind == "octal" else 16) & 0xFF])

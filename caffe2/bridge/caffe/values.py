"""A scalar of a prototxt as a value of the field it is written to, by the rules of Caffe's parser."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor as F

from caffe2.bridge.caffe.errors import TextError
from caffe2.bridge.caffe.tokens import FLOAT, INTEGER, NAME, STRING
from caffe2.bridge.caffe.tree import Scalar

_RANGES = {
    F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    F.CPPTYPE_UINT32: (0, 2**32 - 1),
    F.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_BOOLS = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
_FLOATS = {"inf": float("inf"), "infinity": float("inf"), "nan": float("nan")}


def is_repeated(field: F) -> bool:
    """Whether `field` takes any number of values."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == F.LABEL_REPEATED


def is_required(field: F) -> bool:
    """Whether a message without `field` is refused."""
    return field.is_required if hasattr(field, "is_required") else field.label == F.LABEL_REQUIRED


def convert(field: F, scalar: Scalar) -> int | float | bool | str | bytes:
    """The value that `scalar` gives to `field`.

    Raises:
        TextError: a value of another kind or out of range; without layer and file, which the caller knows.
    """
    kind = field.cpp_type
    if kind in _RANGES:
        return _integer(scalar, *_RANGES[kind])
    if kind in (F.CPPTYPE_FLOAT, F.CPPTYPE_DOUBLE):
        return _float(scalar)
    if kind == F.CPPTYPE_BOOL:
        return _bool(scalar)
    if kind == F.CPPTYPE_ENUM:
        return _enum(field, scalar)
    return _string(field, scalar)


def shown(scalar: Scalar) -> str:
    """The scalar as the file has it, cut to 40 characters."""
    text = repr(scalar.text)[1:] if isinstance(scalar.text, bytes) else scalar.text
    return "-" * scalar.negative + text[:40]


def _integer(scalar: Scalar, low: int, high: int) -> int:
    if scalar.token.kind != INTEGER or (scalar.negative and low == 0):
        raise TextError(f"takes {'an' if low else 'a non-negative'} integer, not {shown(scalar)}")
    value = _parse_integer(scalar.text)
    value = -value if scalar.negative else value
    if not low <= value <= high:
        raise TextError(f"{shown(scalar)} is out of range [{low}, {high}]")
    return value


def _parse_integer(text: str) -> int:
    if len(text) > 40:
        return 2**128
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    return int(text, 8 if text[0] == "0" else 10)


def _float(scalar: Scalar) -> float:
    kind, text, value = scalar.token.kind, scalar.text, None
    if kind == NAME:
        value = _FLOATS.get(text.lower())
    elif kind == FLOAT:
        value = float(text.rstrip("fF"))
    elif kind == INTEGER and (text == "0" or text[0] != "0"):
        value = float(text)
    if value is None:
        raise TextError(f"takes a decimal number, not {shown(scalar)}")
    return -value if scalar.negative else value


def _bool(scalar: Scalar) -> bool:
    if not scalar.negative:
        if scalar.token.kind == NAME and scalar.text in _BOOLS:
            return _BOOLS[scalar.text]
        if scalar.token.kind == INTEGER and _parse_integer(scalar.text) in (0, 1):
            return bool(_parse_integer(scalar.text))
    raise TextError(f"takes true or false, not {shown(scalar)}")


def _enum(field: F, scalar: Scalar) -> int:
    enum = field.enum_type
    if scalar.token.kind == NAME and not scalar.negative and scalar.text in enum.values_by_name:
        return enum.values_by_name[scalar.text].number
    if scalar.token.kind == INTEGER:
        number = _integer(scalar, *_RANGES[F.CPPTYPE_INT32])
        if number in enum.values_by_number:
            return number
    names = list(enum.values_by_name)
    raise TextError(f"takes {', '.join(names[:60])}, not {shown(scalar)}")


def _string(field: F, scalar: Scalar) -> str | bytes:
    if scalar.token.kind != STRING:
        raise TextError(f'takes a string in quotes, not {shown(scalar)}; write "{shown(scalar)}"')
    if field.type == F.TYPE_BYTES:
        return scalar.text
    return scalar.text.decode("utf-8", "backslashreplace")

"""Calls, values and arguments, as the text of Python expressions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from caffe2.proto.caffe2_pb2 import Argument, DeviceOption

MAX_STRING = 64
"""Longer strings are cut."""


def commonprefix(m: Sequence[str]) -> str:
    """The longest string that all of `m` begin with."""
    return os.path.commonprefix(list(m))


def format_value(val: Any) -> str:
    """A value as text, a list with quotes around its elements."""
    return "[" + ", ".join(f"'{v}'" for v in val) + "]" if isinstance(val, list) else str(val)


def factor_prefix(vals: Iterable[Any], do_it: bool) -> str:
    """The values with commas between; with `do_it`, what they all begin with is written once: a/[b, c]."""
    texts = [format_value(v) for v in vals]
    prefix = commonprefix(texts) if do_it and len(texts) > 1 else ""
    joined = ", ".join(text[len(prefix) :] for text in texts)
    return f"{prefix}[{joined}]" if prefix else joined


def call(
    op: str, inputs: Iterable[Any] | None = None, outputs: Iterable[Any] | None = None, factor_prefixes: bool = False
) -> str:
    """`outputs = op(inputs)`; inputs that are pairs are keywords and their values."""
    inputs = list(inputs or ())
    plain = factor_prefix([a for a in inputs if not isinstance(a, tuple)], factor_prefixes)
    keywords = ["{}={}".format(*a) for a in inputs if isinstance(a, tuple)]
    expression = f"{op}({', '.join(filter(None, [plain, *keywords]))})"
    return f"{factor_prefix(outputs, factor_prefixes)} = {expression}" if outputs else expression


def format_device_option(dev_opt: DeviceOption | None) -> str | None:
    """A device as a call; None for the default one."""
    if not dev_opt or not (dev_opt.device_type or dev_opt.device_id or dev_opt.node_name):
        return None
    return call("DeviceOption", [dev_opt.device_type, dev_opt.device_id, f"'{dev_opt.node_name}'"])


def format_argument(arg: Argument) -> str:
    """The value of an argument that holds numbers or strings; [] for any other."""
    for field in ("f", "i"):
        if arg.HasField(field):
            return str(getattr(arg, field))
    if arg.HasField("s"):
        return quoted(arg.s)
    return str(list(arg.floats) or list(arg.ints) or [quoted(s) for s in arg.strings])


def quoted(value: Any) -> str:
    """A string in quotes, cut where it is long; of bytes, the characters that are ASCII."""
    text = value.decode("ascii", errors="ignore") if isinstance(value, bytes) else str(value)
    return f"'{text}'" if len(text) < MAX_STRING else f"'{text[:MAX_STRING]}'...<+len={len(text) - MAX_STRING}>"

"""Commands: `python -m caffe2 docs Relu` prints an operator's document, `python -m caffe2 show net.pb` a net."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from google.protobuf.message import DecodeError

import caffe2.ops
from caffe2.opdef import UnknownOperator
from caffe2.opdef.catalogue import answer, index
from caffe2.proto import caffe2_pb2
from caffe2.python import net_printer, utils

NARROWEST, WIDEST = 60, 100
"""Columns of what is printed."""


def docs(names: Sequence[str]) -> int:
    """Print the documents of operators and the operators of families; without names, all families."""
    width = min(max(shutil.get_terminal_size((WIDEST, 0)).columns, NARROWEST), WIDEST)
    if not names:
        print(index(width))
    failed = 0
    for name in names:
        try:
            print(answer(name, width) + "\n")
        except UnknownOperator as error:
            print(error, file=sys.stderr)
            failed = 1
    return failed


def show(files: Sequence[str]) -> int:
    """Print the nets that files hold, in binary or text form."""
    failed = 0
    for file in files:
        try:
            with open(file, "rb") as held:
                net = utils.TryReadProtoWithClass(caffe2_pb2.NetDef, held.read())
        except (OSError, DecodeError) as error:
            print(f"{file} holds no net: {error}", file=sys.stderr)
            failed = 1
            continue
        print(net_printer.to_string(net))
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(prog="python -m caffe2", description=caffe2.__doc__)
    commands = p.add_subparsers(dest="command", required=True)
    one = commands.add_parser("docs", help="documents of operators")
    one.add_argument("names", nargs="*", metavar="NAME", help="operators, or families of them; all are listed without")
    one.set_defaults(run=lambda a: docs(a.names))
    one = commands.add_parser("show", help="nets in files, as programs")
    one.add_argument("files", nargs="+", metavar="FILE", help="a NetDef, such as predict_net.pb or predict_net.pbtxt")
    one.set_defaults(run=lambda a: show(a.files))
    given = p.parse_args(arguments)
    try:
        return given.run(given)
    except BrokenPipeError:  # whoever reads has read enough
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())

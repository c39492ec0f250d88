"""Caffe2 nets written as Caffe's files, in a program and from the command line: `to_caffe`, `write_caffe`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from caffe2.bridge.caffe.errors import FileError, Position, TranslatorError
from caffe2.bridge.caffe.export import CaffeNet, export, proof, write
from caffe2.proto import caffe2_pb2

PathLike = str | os.PathLike
Shapes = Mapping[str, Sequence[int]]
Arrays = Mapping[str, np.ndarray]

EXAMPLES = """examples:
  write a model for Caffe's tools, and prove the files by reading them back
    python -m caffe2.python.caffe_translator to_caffe init_net.pb predict_net.pb --prototxt out.prototxt \\
        --caffemodel out.caffemodel
  say the shape of an input that the init net does not fill
    ... --input data 1 3 224 224
  try the net on inputs of your own, arrays by name
    ... --inputs inputs.npz
  use no layer that only forks of Caffe have
    ... --bvlc

exit status: 0 done; 1 a blob differs from Caffe2's; 2 the net cannot be read, or has operators that Caffe has not
"""


def to_caffe(
    init_net: Any,
    predict_net: Any,
    *,
    input_shapes: Shapes | None = None,
    inputs: Arrays | None = None,
    bvlc: bool = False,
) -> CaffeNet:
    """The Caffe net that computes what a Caffe2 net does.

    init_net, predict_net: nets, NetDefs or their bytes; instead of the init net, arrays by blob name. input_shapes:
    shapes of the inputs, where the init net does not tell them. inputs: what to try the net on; noise without them.
    bvlc: use no layers of forks of Caffe.
    The answer has `proto`, a NetParameter without weights, `message()`, one with them, `weights` and `notes`.
    Raises TranslatorError, listing every operator that no layer of Caffe stands for.
    """
    params = init_net if isinstance(init_net, Mapping) else _net(init_net)
    return export(params, _net(predict_net), input_shapes=input_shapes, inputs=inputs, bvlc=bvlc)


def write_caffe(
    init_net: Any,
    predict_net: Any,
    prototxt: PathLike,
    caffemodel: PathLike | None,
    *,
    input_shapes: Shapes | None = None,
    inputs: Arrays | None = None,
    bvlc: bool = False,
    verify: bool = True,
) -> CaffeNet:
    """Write a Caffe2 net as a prototxt and a .caffemodel; what is not expressible is an error, and nothing is written.

    verify: read the files back, compute them in NumPy and compare every blob: `report.passed` of the answer tells.
    The other arguments, the answer and the errors are those of `to_caffe`.
    """
    net = to_caffe(init_net, predict_net, input_shapes=input_shapes, inputs=inputs, bvlc=bvlc)
    write(net, prototxt, caffemodel)
    net.report = proof(net, prototxt, caffemodel) if verify else None
    return net


def _net(given: Any) -> caffe2_pb2.NetDef:
    given = given.Proto() if hasattr(given, "Proto") else given
    if isinstance(given, bytes):
        return caffe2_pb2.NetDef.FromString(given)
    if not isinstance(given, caffe2_pb2.NetDef):
        raise TranslatorError(f"a net is a core.Net, a NetDef or its bytes, not a {type(given).__name__}")
    return given


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        prog="python -m caffe2.python.caffe_translator to_caffe",
        description="Write a Caffe2 net as Caffe's prototxt and caffemodel, and prove the files blob by blob.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("init_net", type=Path, help="the net that fills the parameters, binary or .pbtxt")
    p.add_argument("predict_net", type=Path, help="the net, binary or .pbtxt")
    p.add_argument("--prototxt", type=Path, default=Path("net.prototxt"), help="file to write the net to")
    p.add_argument("--caffemodel", type=Path, default=Path("net.caffemodel"), help="file to write the weights to")
    shape = ("NAME", "DIM")
    p.add_argument("--input", action="append", nargs="+", default=[], metavar=shape, help="the shape of an input")
    p.add_argument("--inputs", type=Path, metavar="FILE.npz", help="arrays by name to try the net on")
    p.add_argument("--bvlc", action="store_true", help="use no layers of forks of Caffe")
    p.add_argument("--verify", action=argparse.BooleanOptionalAction, default=True, help="read the files back")
    return p


def command(words: Sequence[str]) -> int:
    """Run the command; 1 where the proof fails. Raises TranslatorError for what cannot be read or written."""
    a = parser().parse_args(words)
    net = write_caffe(
        _read(a.init_net),
        _read(a.predict_net),
        a.prototxt,
        a.caffemodel,
        input_shapes=dict(_shape(*each) for each in a.input),
        inputs=_arrays(a.inputs) if a.inputs else None,
        bvlc=a.bvlc,
        verify=a.verify,
    )
    for note in net.notes:
        print(f"note: {note}")
    print(f"wrote {a.prototxt} ({len(net.proto.layer)} layers)\nwrote {a.caffemodel}")
    if net.report is None:
        return 0
    print(net.report.table())
    print("verified: every blob is Caffe2's" if net.report.passed else "NOT verified: see above")
    return 0 if net.report.passed else 1


def _shape(name: str, *dims: str) -> tuple[str, tuple[int, ...]]:
    if not all(dim.isdigit() for dim in dims):
        raise TranslatorError(f"--input {name} {' '.join(dims)}: a shape is whole numbers, such as 1 3 224 224")
    return name, tuple(map(int, dims))


def _read(path: Path) -> caffe2_pb2.NetDef:
    try:
        if path.suffix == ".pbtxt":
            return text_format.Parse(path.read_text(encoding="utf-8"), caffe2_pb2.NetDef())
        return caffe2_pb2.NetDef.FromString(path.read_bytes())
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise FileError(f"this is no NetDef: {error}", position=Position(str(path))) from None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return dict(np.load(path))
    except (ValueError, TypeError) as error:
        raise FileError(f"this is no .npz file of arrays: {error}", position=Position(str(path))) from None

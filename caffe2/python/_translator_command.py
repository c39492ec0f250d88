"""The command line of the Caffe translator."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from caffe2.bridge.caffe import errors
from caffe2.bridge.caffe.fed import tops_fed
from caffe2.bridge.caffe.net import Net, read_net
from caffe2.bridge.caffe.noise import draw_params, noise
from caffe2.bridge.caffe.opencv import opinions
from caffe2.bridge.caffe.page import page
from caffe2.bridge.caffe.translate import model
from caffe2.bridge.caffe.translate.builder import Translation
from caffe2.bridge.caffe.verify import verify
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.python._caffe_solver.command import train
from caffe2.python._to_caffe import command as to_caffe
from caffe2.python._translator_onnx import add_onnx_options, onnx_model, write_onnx

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": train,
    "to_caffe": to_caffe,
}
"""What else the command does, by its first word; each is given the words after it."""

EXAMPLES = """examples:
  translate a model, verify it, and write init_net.pb and predict_net.pb here
    python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel
  write into a folder, for images of another size
    python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel --out nets --input_dims 1 3 320 320
  make it faster: batch normalization goes into the weights
    python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel --fold_batch_norm
  write the net as an ONNX model too
    python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel --onnx model.onnx
  keep the proof as a page, the net drawn
    python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel --report report.html

other commands, each with a -h of its own:
  train --solver solver.prototxt    trains a net as a Caffe solver says
  to_caffe init_net.pb predict_net.pb    writes a Caffe2 net as a prototxt and a .caffemodel

exit status: 0 done; 1 a blob differs from Caffe's; 2 the model cannot be read or translated
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        prog="python -m caffe2.python.caffe_translator",
        description="Translate a Caffe model of any generation into Caffe2 nets, and prove the result blob by blob.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("prototext", help="the net: a .prototxt of any generation")
    p.add_argument("caffemodel", nargs="?", help="its weights: .caffemodel or .caffemodel.h5")
    p.add_argument("--init_net", default="init_net.pb", help="file to write the initialization net to")
    p.add_argument("--predict_net", default="predict_net.pb", help="file to write the prediction net to")
    p.add_argument("--out", type=Path, default=Path(), help="folder to write into")
    p.add_argument("--remove_legacy_pad", action="store_true", help="replace Caffe's padding by explicit padding")
    p.add_argument("--input_dims", nargs="+", type=int, default=[], help="shape of the input, instead of the file's")
    p.add_argument(
        "--input_shape",
        action="append",
        default=[],
        metavar="NAME=1x3x320x320",
        help="shape of one input, or of a top of a data layer; may be repeated",
    )
    p.add_argument(
        "--replace_python", action="store_true", help="put Proposal layers in the place of Python ones that do the same"
    )
    p.add_argument("--fold_batch_norm", action="store_true", help="put batch normalization and scales into weights")
    p.add_argument("--remove_dropout", action="store_true", help="leave dropout out of a net that does not train")
    p.add_argument("--report", type=Path, metavar="FILE.html", help="write the verification as a page")
    p.add_argument("--phase", choices=("TEST", "TRAIN"), default="TEST")
    p.add_argument("--level", type=int, default=0)
    p.add_argument("--stage", action="append", default=[], help="a stage of the net's state; may be repeated")
    p.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="compare every blob with a reference of Caffe's arithmetic",
    )
    p.add_argument("--opencv", action="store_true", help="ask OpenCV 4, if it is installed, for its outputs as well")
    add_onnx_options(p)
    return p


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; 1 where the verification fails, 2 where the model cannot be translated."""
    given = list(sys.argv[1:] if words is None else words)
    command = COMMANDS.get(given[0]) if given else None
    try:
        return command(given[1:]) if command else _run(parser().parse_args(given))
    except (errors.TranslatorError, EnforceNotMet, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(a: argparse.Namespace) -> int:
    net = _read(a)
    for note in net.notes:
        print(f"note: {note}")
    made, predict = _translated(net, a)
    onnx = onnx_model(a, net, made, predict)
    a.out.mkdir(parents=True, exist_ok=True)
    model.write_init_net(a.out / a.init_net, net, made)
    (a.out / a.predict_net).write_bytes(predict.SerializeToString())
    (a.out / f"{a.predict_net}txt").write_text(str(predict))
    print(f"wrote {a.out / a.init_net} ({len(made.params) + len(made.fills)} parameters)")
    print(f"wrote {a.out / a.predict_net} ({len(predict.op)} operators)")
    wanted = a.verify if a.verify is not None else a.caffemodel is not None or a.report is not None
    status = _verified(net, made, predict, a) if wanted else 0
    return max(status, write_onnx(a, onnx, net, predict, wanted))


def _translated(net: Net, a: argparse.Namespace) -> tuple[Translation, caffe2_pb2.NetDef]:
    made = model.translation(net, fold_batch_norm=a.fold_batch_norm, remove_dropout=a.remove_dropout)
    return made, model.predict_net(net, made)


def _verified(net: Net, made: Translation, predict_net: caffe2_pb2.NetDef, a: argparse.Namespace) -> int:
    if count := draw_params(net):
        print(f"note: no file has weights for {count} parameters; random ones stand in for them to verify")
        made, predict_net = _translated(net, a)
    report = verify(net, model.without_params(net, made), predict_net, params=made.params)
    print(report.table())
    if a.report is not None:
        a.report.write_text(page(net, report), encoding="utf-8")
        print(f"wrote {a.report}")
    if a.opencv:
        _ask_opencv(net, a)
    print("verified: every blob is Caffe's" if report.passed else "NOT verified: see above")
    return 0 if report.passed else 1


def _ask_opencv(net: Net, a: argparse.Namespace) -> None:
    """Informs only: what OpenCV cannot read is no fault of the translation."""
    if a.caffemodel is None:
        print("opencv: not asked, since it needs a .caffemodel")
        return
    try:
        print("\n".join(map(str, opinions(net, a.caffemodel, noise(net)))))
    except errors.NetError as error:
        print(f"opencv: {error}")


def _read(a: argparse.Namespace) -> Net:
    shapes = dict(map(_shape, a.input_shape))
    options = {"phase": a.phase, "level": a.level, "stages": a.stage, "replace_python": a.replace_python}
    if a.input_dims:
        free = [name for name in tops_fed(read_net(a.prototext, input_shapes=shapes, **options)) if name not in shapes]
        if not free:
            raise errors.NetError(f"{a.prototext} has no input that --input_dims could give a shape")
        shapes[free[0]] = tuple(a.input_dims)
    return read_net(a.prototext, a.caffemodel, input_shapes=shapes, **options)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """The name and the shape of NAME=1x3x320x320."""
    name, _, dims = text.rpartition("=")
    if not name or not all(dim.isdecimal() for dim in dims.split("x")):
        raise errors.NetError(f"--input_shape {text}: write NAME=1x3x320x320")
    return name, tuple(map(int, dims.split("x")))

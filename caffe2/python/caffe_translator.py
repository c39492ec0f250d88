"""Translates Caffe models: `python -m caffe2.python.caffe_translator deploy.prototxt pretrained.caffemodel`.

`translate_files` is the whole job on files; `translate_solver` makes a training of a solver; `write_caffe` goes the
other way, from a Caffe2 net to Caffe's files. `TranslatorRegistry`, `TranslateModel` and
`ConvertTensorProtosToInitNet` are those of the original, for programs written with it and for translators of a user's
own layers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.net import Net, read_net
from caffe2.bridge.caffe.prototxt import load_prototxt, load_solver
from caffe2.bridge.caffe.training import read_training
from caffe2.bridge.caffe.translate import Builder, translate, translators
from caffe2.bridge.caffe.translate.model import add_layers
from caffe2.opdef import EnforceNotMet, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.python import utils
from caffe2.python._caffe_solver.solver import CaffeSolver, Feed
from caffe2.python._caffe_solver.target import device_option
from caffe2.python._to_caffe import to_caffe, write_caffe
from caffe2.python._translator_command import main

__all__ = [
    "AddArgument",
    "BaseTranslate",
    "ConvertTensorProtosToInitNet",
    "TranslateModel",
    "TranslatorRegistry",
    "load_prototxt",
    "load_solver",
    "to_caffe",
    "translate_files",
    "translate_solver",
    "write_caffe",
]


def translate_files(
    prototxt: str | os.PathLike,
    caffemodel: str | os.PathLike | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Iterable[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    fold_batch_norm: bool = False,
    remove_dropout: bool = False,
) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    """The init net and the predict net of a Caffe model, of any generation of files.

    input_shapes: shapes of inputs, instead of the file's. fold_batch_norm: put batch normalization and scales into
    the weights of the convolutions before them. remove_dropout: leave dropout out of a net that does not train.
    Raises TranslatorError: a file that cannot be read, a net that Caffe refuses, what has no translation.
    """
    net = read_net(prototxt, caffemodel, phase=phase, level=level, stages=tuple(stages), input_shapes=input_shapes)
    return translate(net, TranslatorRegistry.custom(), fold_batch_norm=fold_batch_norm, remove_dropout=remove_dropout)


def translate_solver(
    solver: str | os.PathLike | Message,
    weights: str | os.PathLike | Sequence[str | os.PathLike] = (),
    *,
    snapshot: str | os.PathLike | None = None,
    feed: Feed | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    max_iter: int | None = None,
    device: str | caffe2_pb2.DeviceOption = "cpu",
) -> CaffeSolver:
    """A Caffe solver, its prototxt or a SolverParameter, as nets that train in the current workspace.

    weights: files of weights to begin with. snapshot: a `.solverstate`, or one of HDF5, to go on from.
    feed: called with "TRAIN" or "TEST" before each pass, it gives {blob: array}: the tops of layers such as MemoryData,
    and of data layers whose files are elsewhere. input_shapes: of what is fed where the nets do not tell.
    max_iter: instead of the solver's. device: "cpu", "cuda:0", or a DeviceOption.
    Raises TranslatorError: a file that cannot be read, a net that Caffe refuses, all that cannot be trained.
    """
    paths = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
    option = device_option(device) if isinstance(device, str) else device
    training = read_training(solver, paths, snapshot, max_iter=max_iter, input_shapes=input_shapes)
    return CaffeSolver(training, TranslatorRegistry.custom(), feed, option)


class TranslatorRegistry:
    """Translators of layer types; those that a user registers come before the ones that are built in."""

    registry_: ClassVar[dict[str, Callable[..., tuple[Any, Any]]]] = {}

    @classmethod
    def Register(cls, op_name: str) -> Callable[[Callable], Callable]:
        """Register the function below for a layer type.

        It is called as f(layer, pretrained_blobs, is_test, **kwargs) with Caffe's LayerParameter and a list of arrays,
        and returns an OperatorDef or a list of them, and a list of TensorProtos.
        """

        def attach(function: Callable) -> Callable:
            cls.registry_[op_name] = function
            return function

        return attach

    @classmethod
    def custom(cls) -> dict[str, Callable[[Layer, Builder], None]]:
        """The registered translators in the form that the translation calls."""
        return {kind: _adapted(function) for kind, function in cls.registry_.items()}

    @classmethod
    def TranslateLayer(
        cls, layer: Message, pretrained_blobs: Sequence[Any], is_test: bool, **kwargs: Any
    ) -> tuple[list[caffe2_pb2.OperatorDef], list[caffe2_pb2.TensorProto]]:
        """The operators and parameters of one layer, by a registered translator.

        Raises KeyError where none is registered for its type; whole nets go through `TranslateModel`.
        """
        if layer.type not in cls.registry_:
            built_in = "; the built-in one needs the whole net: TranslateModel" if layer.type in translators else ""
            raise KeyError(f"no translator is registered for layer {layer.name!r} of type {layer.type!r}{built_in}")
        ops, params = cls.registry_[layer.type](layer, pretrained_blobs, is_test, **kwargs)
        return ([] if ops is None else list(ops) if isinstance(ops, (list, tuple)) else [ops]), list(params or [])

    @classmethod
    def TranslateModel(
        cls,
        caffe_net: Message,
        pretrained_net: Message,
        is_test: bool = False,
        net_state: Message | None = None,
        remove_legacy_pad: bool = False,
        input_dims: Sequence[int] | None = None,
    ) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.TensorProtos]:
        """A Caffe net, with the weights of another, as a predict net and its parameters.

        Padding is explicit already wherever Caffe's differs, so `remove_legacy_pad` changes nothing that is computed.
        """
        state = {"phase": "TEST" if is_test else "TRAIN"}
        if net_state is not None:
            state |= {"level": net_state.level, "stages": tuple(net_state.stage)}
        net = read_net(caffe_net, pretrained_net, **state)
        if input_dims:
            shapes = {next(iter(net.inputs)): tuple(input_dims)}
            net = read_net(caffe_net, pretrained_net, input_shapes=shapes, **state)
        return _with_params(net, cls.custom())


def _with_params(net: Net, custom: dict) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.TensorProtos]:
    made = add_layers(net, custom)
    if made.fills:
        missing = " ".join(o for op in made.fills for o in op.output)
        raise EnforceNotMet(f"the weights file has no values for {missing}; translate_files fills them as Caffe would")
    predict = caffe2_pb2.NetDef(name=net.name)
    predict.op.extend(made.ops)
    params = caffe2_pb2.TensorProtos()
    params.protos.extend(utils.NumpyArrayToCaffe2Tensor(array, name) for name, array in made.params.items())
    return predict, params


def _adapted(function: Callable) -> Callable[[Layer, Builder], None]:
    def translator(layer: Layer, b: Builder) -> None:
        blobs = [param.root.blob.array for param in layer.params if param.root.blob is not None]
        ops, params = function(layer.proto, blobs, b.is_test)
        b.made.ops.extend([] if ops is None else ops if isinstance(ops, (list, tuple)) else [ops])
        for tensor in params or ():
            b.made.params[tensor.name] = utils.Caffe2TensorToNumpyArray(tensor)

    return translator


def TranslateModel(*args: Any, **kwargs: Any) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.TensorProtos]:
    """`TranslatorRegistry.TranslateModel`."""
    return TranslatorRegistry.TranslateModel(*args, **kwargs)


def ConvertTensorProtosToInitNet(net_params: caffe2_pb2.TensorProtos, input_name: str) -> caffe2_pb2.NetDef:
    """An init net that fills parameters with their values, and the input with one zero.

    Raises RuntimeError for a tensor that does not hold floats.
    """
    init_net = caffe2_pb2.NetDef()
    for tensor in net_params.protos:
        if not tensor.float_data:
            raise RuntimeError(
                f"{tensor.name!r} holds no float data, and only float tensors become part of an init net"
            )
        op = init_net.op.add(type="GivenTensorFill", output=[tensor.name])
        op.arg.add(name="shape").ints.extend(tensor.dims)
        op.arg.add(name="values").floats.extend(tensor.float_data)
    init_net.op.add(type="ConstantFill", output=[input_name]).arg.add(name="shape").ints.append(1)
    return init_net


def BaseTranslate(layer: Message, caffe2_type: str) -> caffe2_pb2.OperatorDef:
    """An operator with the bottoms of a layer as inputs and its tops as outputs."""
    return caffe2_pb2.OperatorDef(type=caffe2_type, input=layer.bottom, output=layer.top)


def AddArgument(op: caffe2_pb2.OperatorDef, key: str, value: Any) -> None:
    """Give an operator one more argument."""
    op.arg.append(make_argument(key, value))


if __name__ == "__main__":
    sys.exit(main())

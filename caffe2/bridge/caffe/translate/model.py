"""A whole net of Caffe's as an init net and a predict net."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from caffe2.bridge.caffe.errors import LayerError, Problem, UntranslatableError
from caffe2.bridge.caffe.fed import tops_fed
from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.translate.builder import Builder, Translation, translators
from caffe2.bridge.caffe.translate.dropout import remove_dropout as without_dropout
from caffe2.bridge.caffe.translate.fold import fold
from caffe2.bridge.caffe.wire import release
from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.packed import nested

_UNKNOWN = "the shapes of its bottoms are not known"
Custom = Mapping[str, Callable[[Layer, Builder], None]]


def translate(
    net: Net, custom: Custom | None = None, *, fold_batch_norm: bool = False, remove_dropout: bool = False
) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    """The init net, which fills the parameters, and the predict net, of a Caffe net.

    custom: translators of a user's own, by layer type; they come before those of this package.
    fold_batch_norm: put batch normalization and scales into the weights of the convolutions before them.
    remove_dropout: leave dropout out of a net that does not train.
    Raises UntranslatableError, listing every layer and field that cannot be translated.
    """
    made = translation(net, custom, fold_batch_norm=fold_batch_norm, remove_dropout=remove_dropout)
    return init_net(net, made), predict_net(net, made)


def translation(
    net: Net, custom: Custom | None = None, *, fold_batch_norm: bool = False, remove_dropout: bool = False
) -> Translation:
    """What `translate` makes the two nets of, the parameters as arrays that may still lie in the weights file."""
    made = add_layers(net, custom or {})
    if remove_dropout:
        without_dropout(made, net.outputs)
    if fold_batch_norm:
        fold(made)
    return made


def add_layers(net: Net, custom: Custom, build: Builder | None = None) -> Translation:
    """The operators and parameters of every layer of a net; `build` is what adds them, where it is a special one."""
    net.require(custom)
    build = build or Builder([*net.shapes, *net.inputs], is_test=net.phase == "TEST")
    problems = [problem for layer in net.layers if (problem := _add(layer, build, custom))]
    if problems:
        raise UntranslatableError(_without_followers(net, problems))
    return build.made


def _without_followers(net: Net, problems: list[Problem]) -> list[Problem]:
    """The problems, but only the first layer of those whose bottoms' shapes are not known; it says what to give."""
    names = [name for name in tops_fed(net) if net.shapes[name] is None]
    advice = f"; give the shape of {names[0]} (--input_shape {names[0]}=1x3x224x224), or the files" if names else ""
    first = next((p for p in problems if p.what == _UNKNOWN), None)
    return [replace(p, what=p.what + advice) if p is first else p for p in problems if p is first or p.what != _UNKNOWN]


def _add(layer: Layer, build: Builder, custom: Custom) -> Problem | None:
    """Translate a layer; what is wrong where it cannot be."""
    translator = custom.get(layer.type) or translators.get(layer.type)
    if translator is None:
        what = f"no translator is registered for {layer.type} layers"
        return Problem(layer.name, layer.type, "", layer.position_of("type"), what)
    try:
        translator(layer, build)
    except LayerError as error:
        return Problem(layer.name, layer.type, error.field, error.position, error.what)
    except (TypeError, AttributeError):
        if layer.checked:
            raise
        return Problem(layer.name, layer.type, "", layer.position, _UNKNOWN)
    made = build.made
    made.origins += [layer] * (len(made.ops) - len(made.origins))
    return None


def init_net(net: Net, made: Translation) -> caffe2_pb2.NetDef:
    """Fills every parameter, and gives every input a blob of zeros of its shape."""
    init = _opening(net, made)
    for name, array in made.params.items():
        init.op.add().MergeFromString(b"".join(_fill(name, array)))
        release(array)
    init.MergeFrom(without_params(net, made))
    return init


def write_init_net(path: str | os.PathLike, net: Net, made: Translation) -> None:
    """Write the init net to a file, the numbers of each parameter straight from where they lie."""
    with open(path, "wb") as file:
        file.write(_opening(net, made).SerializeToString())
        for name, array in made.params.items():
            file.writelines(nested(caffe2_pb2.NetDef, "op", *_fill(name, array)))
            release(array)
        file.write(without_params(net, made).SerializeToString())


def without_params(net: Net, made: Translation) -> caffe2_pb2.NetDef:
    """The rest of the init net: fills parameters without values as Caffe would, and inputs with zeros."""
    rest = caffe2_pb2.NetDef(op=made.fills)
    for name, shape in _inputs(net, made).items():
        if shape is not None:
            zeros = rest.op.add(type="ConstantFill", output=[name])
            zeros.arg.append(make_argument("shape", shape))
    rest.external_output.extend(o for op in rest.op for o in op.output)
    return rest


def _opening(net: Net, made: Translation) -> caffe2_pb2.NetDef:
    return caffe2_pb2.NetDef(name=f"{net.name}_init", external_output=made.params)


def as_filled(array: np.ndarray) -> np.ndarray:
    """An array as its blob has it: float32 or int32."""
    return np.asarray(array, "<i4" if array.dtype.kind == "i" else "<f4", order="C")


def fill(name: str, array: np.ndarray) -> caffe2_pb2.OperatorDef:
    """The operator that fills a blob with an array."""
    return caffe2_pb2.OperatorDef.FromString(b"".join(_fill(name, array)))


def _fill(name: str, array: np.ndarray) -> list[bytes | memoryview]:
    """The operator that fills a blob with an array, as bytes in parts: its numbers are those of the array itself."""
    array = as_filled(array)
    integers = array.dtype.kind == "i"
    op = caffe2_pb2.OperatorDef(type="GivenTensorIntFill" if integers else "GivenTensorFill", output=[name])
    op.arg.append(make_argument("shape", array.shape))
    values = caffe2_pb2.Argument(name="values", ints=array.ravel().tolist() if integers else ())
    parts = [values.SerializeToString()]
    if not integers:
        parts += nested(caffe2_pb2.Argument, "floats", memoryview(array.reshape(-1).view(np.uint8)))
    return [op.SerializeToString(), *nested(caffe2_pb2.OperatorDef, "arg", *parts)]


def predict_net(net: Net, made: Translation) -> caffe2_pb2.NetDef:
    """The operators, with the inputs, parameters and outputs of the net declared."""
    predict = caffe2_pb2.NetDef(name=net.name or "predict")
    predict.op.extend(made.ops)
    parameters = [*made.params, *(o for op in made.fills for o in op.output)]
    inputs = _inputs(net, made)
    predict.external_input.extend([*inputs, *parameters])
    written = {o for op in made.ops for o in op.output}
    predict.external_output.extend(name for name in net.outputs if name in written or name in inputs)
    return predict


def _inputs(net: Net, made: Translation) -> dict[str, Shape | None]:
    """The blobs that are fed, and their shapes; None for what only the data tells."""
    return {**net.inputs, **made.inputs}

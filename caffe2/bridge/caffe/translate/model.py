"""A whole net of Caffe's as an init net and a predict net."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from caffe2.bridge.caffe.errors import LayerError, Problem, UntranslatableError
from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.translate.builder import Builder, Translation, translators
from caffe2.bridge.caffe.translate.fold import fold
from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2

Custom = Mapping[str, Callable[[Layer, Builder], None]]


def translate(
    net: Net, custom: Custom | None = None, *, fold_batch_norm: bool = False
) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef]:
    """The init net, which fills the parameters, and the predict net, of a Caffe net.

    custom: translators of a user's own, by layer type; they come before those of this package.
    fold_batch_norm: put batch normalization and scales into the weights of the convolutions before them.
    Raises UntranslatableError, listing every layer and field that cannot be translated.
    """
    made = add_layers(net, custom or {})
    if fold_batch_norm:
        fold(made)
    return init_net(net, made), predict_net(net, made)


def add_layers(net: Net, custom: Custom) -> Translation:
    """The operators and parameters of every layer of a net."""
    net.require(custom)
    build = Builder([*net.shapes, *net.inputs], is_test=net.phase == "TEST")
    problems = [problem for layer in net.layers if (problem := _add(layer, build, custom))]
    if problems:
        raise UntranslatableError(problems)
    return build.made


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
        what = "the shapes of its bottoms are not known; give the shapes of the inputs, or the files of the data layers"
        return Problem(layer.name, layer.type, "", layer.position, what)
    return None


def init_net(net: Net, made: Translation) -> caffe2_pb2.NetDef:
    """Fills every parameter, and gives every input a blob of zeros of its shape."""
    init = caffe2_pb2.NetDef(name=f"{net.name}_init")
    for name, array in made.params.items():
        fill(init.op.add(), name, array)
    init.op.extend(made.fills)
    for name, shape in _inputs(net, made).items():
        if shape is not None:
            zeros = init.op.add(type="ConstantFill", output=[name])
            zeros.arg.append(make_argument("shape", shape))
    init.external_output.extend(o for op in init.op for o in op.output)
    return init


def fill(op: caffe2_pb2.OperatorDef, name: str, array: np.ndarray) -> None:
    """Make of an empty operator the one that fills a blob with an array."""
    integers = array.dtype.kind == "i"
    op.type = "GivenTensorIntFill" if integers else "GivenTensorFill"
    op.output.append(name)
    op.arg.append(make_argument("shape", array.shape))
    values = op.arg.add(name="values")
    if integers:
        values.ints.extend(array.ravel().tolist())
    else:
        values.MergeFromString(_packed(_FLOATS, np.ascontiguousarray(array, "<f4")))


_FLOATS = caffe2_pb2.Argument.DESCRIPTOR.fields_by_name["floats"].number


def _packed(number: int, content: np.ndarray) -> bytes:
    """The wire form of a repeated field of fixed size: read at once, where a list would make an object of each."""
    size, length = content.nbytes, bytearray([number << 3 | 2])
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return b"".join((length, content.reshape(-1).view(np.uint8)))


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

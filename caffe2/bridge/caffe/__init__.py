"""Caffe's files, read as Caffe reads them, and a NumPy reference of what its layers compute.

Three levels, each usable alone. Every error is a `TranslatorError` with `layer`, `field` and `position`.

**Files.** ::

    load_prototxt(path) -> caffe_pb2.NetParameter      any generation, upgraded to the newest
    load_solver(path) -> caffe_pb2.SolverParameter     likewise
    read_prototxt(path), read_solver(path)             the same with .notes and .problems, unknown fields not refused
    read_weights(path) -> Weights                      .caffemodel of any generation, or .caffemodel.h5
    read_snapshot(path) -> Snapshot                    .solverstate or .solverstate.h5
    read_mean(path) -> numpy.ndarray                   .binaryproto or .npy, shape [C, H, W]

**Nets.** `read_net(prototxt, caffemodel=None, *, phase="TEST", level=0, stages=(), input_shapes=None,
replace_python=False) -> Net` takes paths or NetParameters, applies the phase, level and stage rules, checks the
wiring and every layer's parameters and shapes as Caffe's set-up does, and puts weights to layers by name. ::

    net.name, net.path, net.phase, net.level, net.stages
    net.proto       caffe_pb2.NetParameter of the layers kept, without weights
    net.layers      list[Layer] in file order, which is running order
    net.inputs      {blob: shape} of the Input layers, in order
    net.outputs     names of the blobs that no layer consumes, sorted
    net.shapes      {blob: shape or None}; None where the shape depends on data that is not here (see `input_shapes`)
    net.notes       list[str] for the user: what was upgraded, which weights were ignored or missing
    net.problems    list[Problem(layer, type, field, position, what)]: unknown types and fields, Python layers, fields
                    of forks that the layer's type here does not mind
    net.require()   raises UntranslatableError listing all `problems` at once; `require(types={"Mine"})` forgives
                    layers of those types (a user's own translators)

    layer.name, layer.type, layer.bottoms, layer.tops           (a loss without a top gets AUTOMATIC, as in Caffe)
    layer.proto     caffe_pb2.LayerParameter, without weights; layer.proto.loss_param, .transform_param, .phase, ...
    layer.fork      ForkLayerParameter: the fields that forks of Caffe added, under Caffe's nesting, for instance
                    layer.fork.permute_param.order, layer.fork.pooling_param.ceil_mode
    layer.param     the message that the type reads: layer.proto.convolution_param, layer.fork.permute_param, ...
                    (the schema's defaults where the file leaves it out; None where the type has none or is unknown)
    layer.reference the layer's Reference, None for an unknown type; it has what was worked out from the parameters:
                    .kernel, .group, .out, .at of convolutions, .windows of poolings, .weights, ...
    layer.bottom_shapes, layer.top_shapes      tuples of shapes, None where unknown
    layer.checked   whether all bottoms' shapes are known, so that Caffe's checks were made
    layer.loss_weights                         one float a top
    layer.params    list[Param]: shape, name, lr_mult, decay_mult, owner (the Param that this one shares, or None),
                    blob (Blob, or None where no file has it: then `filler` says how Caffe fills it, None: zeros),
                    root (the owner, or itself). Without known shapes: the blobs of the weights file as they are
    layer.position, layer.position_of("convolution_param.pad") -> Position;  layer.error(what, field) -> LayerError

    blob.shape      tuple of int; a param's blob already has the param's shape (legacy 4-D sizes are taken off)
    blob.array      float32 or float64 numpy array, read-only, memory-mapped: nothing is held twice

**Reference.** `caffe2.bridge.caffe.reference` computes a Net in NumPy, independently of the operators::

    reference.run(net, inputs={"data": array}, seed=0) -> {blob: array}     last value of each blob, as Caffe keeps them
    reference.steps(net, inputs, seed=0)  yields (layer, tops) after each layer, values written over later included
    reference.TYPES                       {layer type: class}; `@layer("Type", ...)` registers one

Two places where Caffe's own result is not the formula's are kept: LRN over channels in place squares the power instead
of multiplying by it, and Eltwise SUM in place loses its first bottom.
"""

from caffe2.bridge.caffe.blobs import Blob
from caffe2.bridge.caffe.errors import (
    FileError,
    LayerError,
    NetError,
    Position,
    Problem,
    TextError,
    TranslatorError,
    UntranslatableError,
    UpgradeError,
    WeightsError,
    WireError,
)
from caffe2.bridge.caffe.layers import AUTOMATIC, Layer, Param
from caffe2.bridge.caffe.mean import read_mean
from caffe2.bridge.caffe.net import Net, read_net
from caffe2.bridge.caffe.prototxt import load_prototxt, load_solver, read_prototxt, read_solver
from caffe2.bridge.caffe.snapshot import Snapshot, read_snapshot
from caffe2.bridge.caffe.weights import Weights, read_weights

__all__ = [
    "AUTOMATIC",
    "Blob",
    "FileError",
    "Layer",
    "LayerError",
    "Net",
    "NetError",
    "Param",
    "Position",
    "Problem",
    "Snapshot",
    "TextError",
    "TranslatorError",
    "UntranslatableError",
    "UpgradeError",
    "Weights",
    "WeightsError",
    "WireError",
    "load_prototxt",
    "load_solver",
    "read_mean",
    "read_net",
    "read_prototxt",
    "read_snapshot",
    "read_solver",
    "read_weights",
]

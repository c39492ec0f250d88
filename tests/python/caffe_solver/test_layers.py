"""The slope of the loss along a direction of the parameters, for many layers: gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from caffe2.proto import caffe_pb2
from caffe2.python import workspace
from caffe2.python.caffe_translator import translate_solver

IMAGES = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {
  num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
"""
ROWS = """layer { name: "in" type: "Input" top: "x" top: "label" top: "y"
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } shape { dim: 4 dim: 5 } } }
layer { name: "c" type: "InnerProduct" bottom: "x" top: "c" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
"""
STEPS = """layer { name: "in" type: "Input" top: "x" top: "cont"
  input_param { shape { dim: 3 dim: 2 dim: 4 } shape { dim: 3 dim: 2 } } }
layer { name: "c" type: "InnerProduct" bottom: "x" top: "c" inner_product_param {
  num_output: 4 axis: 2 weight_filler { type: "xavier" } } }
"""
FILLED = 'weight_filler { type: "uniform" min: -0.5 max: 0.5 }'
CUBES = """layer { name: "s" type: "Power" bottom: "t" top: "s" loss_weight: 0.1
  power_param { power: 3 shift: 0.5 } }
"""
LAYERS = {
    "AbsVal": IMAGES,
    "BNLL": IMAGES,
    "ELU": IMAGES,
    "PReLU": IMAGES,
    "Sigmoid": IMAGES,
    "Swish": IMAGES,
    "TanH": IMAGES,
    "Exp exp_param { base: 2 scale: 0.5 shift: 0.1 }": IMAGES,
    "Power power_param { power: 2 scale: 0.5 shift: 3 }": IMAGES,
    "ReLU relu_param { negative_slope: 0.3 }": IMAGES,
    "BatchNorm batch_norm_param { eps: 0.01 }": IMAGES,
    "MVN mvn_param { normalize_variance: true eps: 0.01 }": IMAGES,
    "LRN lrn_param { local_size: 3 alpha: 2 }": IMAGES,
    "LRN lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 2 }": IMAGES,
    "Bias": IMAGES,
    'Scale scale_param { bias_term: true filler { type: "gaussian" std: 1 } }': IMAGES,
    f"Convolution convolution_param {{ num_output: 4 group: 2 kernel_size: 3 dilation: 2 pad: 2 {FILLED} }}": IMAGES,
    f"Deconvolution convolution_param {{ num_output: 2 group: 2 kernel_size: 3 stride: 2 {FILLED} }}": IMAGES,
    "Pooling pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }": IMAGES,
    "Pooling pooling_param { pool: MAX kernel_size: 3 stride: 2 }": IMAGES,
    "Pooling pooling_param { pool: AVE global_pooling: true }": IMAGES,
    "SPP spp_param { pyramid_height: 2 pool: AVE }": IMAGES,
    f"InnerProduct inner_product_param {{ num_output: 3 transpose: true {FILLED} }}": IMAGES,
    "Softmax": IMAGES,
    "Reshape reshape_param { shape { dim: 0 dim: -1 dim: 4 } }": IMAGES,
    "Flatten": IMAGES,
    "Tile tile_param { axis: 1 tiles: 2 }": IMAGES,
    "Reduction reduction_param { axis: 1 operation: ASUM }": IMAGES,
    "Im2col convolution_param { kernel_size: 3 }": IMAGES,
    "LSTM": STEPS,
    "RNN": STEPS,
}
LOSSES = {
    "SoftmaxWithLoss": '"c" bottom: "label"',
    "HingeLoss": '"c" bottom: "label"',
    "SigmoidCrossEntropyLoss": '"c" bottom: "y"',
    "EuclideanLoss": '"y" bottom: "c"',
}
EMBED = f"""layer {{ name: "in" type: "Input" top: "label" input_param {{ shape {{ dim: 6 }} }} }}
layer {{ name: "e" type: "Embed" bottom: "label" top: "e" embed_param {{ input_dim: 3 num_output: 4 {FILLED} }} }}
layer {{ name: "b" type: "BatchReindex" bottom: "e" bottom: "label" top: "s" loss_weight: 1 }}
"""


def slopes(text: str) -> tuple[float, float]:
    """The derivative of the loss along a direction: by the gradients of the training net, and by differences."""
    workspace.ResetWorkspace()
    param = caffe_pb2.SolverParameter(base_lr=0.1, lr_policy="fixed", random_seed=3)
    text_format.Parse(text, param.net_param)
    rng = np.random.default_rng(4)
    solver = translate_solver(param, feed=lambda phase: {})
    solver.begin()
    for name, low in (("x", None), ("y", 0), ("label", 0), ("cont", 1)):
        if workspace.HasBlob(name):
            shape = workspace.FetchBlob(name).shape
            value = rng.standard_normal(shape) if low is None else rng.integers(low, 2, shape)
            workspace.FeedBlob(name, value.astype(np.float32))
    trained = [str(p) for p in solver.model.params if p in solver.model.param_to_grad]
    before = {name: workspace.FetchBlob(name) for name in trained}
    ways = {name: rng.standard_normal(array.shape) for name, array in before.items()}

    def loss(far: float) -> float:
        for name, array in before.items():
            workspace.FeedBlob(name, (array + far * ways[name]).astype(np.float32))
        workspace.RunNet(solver.train_net.name)
        return float(workspace.FetchBlob(solver.loss))

    loss(0.0)
    by_gradient = sum((workspace.FetchBlob(str(solver.model.param_to_grad[n])) * ways[n]).sum() for n in trained)
    return float(by_gradient), (loss(1e-3) - loss(-1e-3)) / 2e-3


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer: str) -> None:
    kind, _, more = layer.partition(" ")
    bottoms = 'bottom: "c" bottom: "cont"' if LAYERS[layer] == STEPS else 'bottom: "c"'
    if LAYERS[layer] == STEPS:
        more = f"recurrent_param {{ num_output: 3 {FILLED} }}"
    elif kind == "Bias":
        more = "bias_param { axis: 1 }"
    text = LAYERS[layer] + f'layer {{ name: "t" type: "{kind}" {bottoms} top: "t" {more} }}\n'
    text += CUBES
    got, want = slopes(text)
    assert abs(want) > 1e-3 and got == pytest.approx(want, rel=2e-2)


@pytest.mark.parametrize("kind", LOSSES)
def test_losses(kind: str) -> None:
    got, want = slopes(ROWS + f'layer {{ name: "l" type: "{kind}" bottom: {LOSSES[kind]} top: "l" }}')
    assert abs(want) > 1e-3 and got == pytest.approx(want, rel=2e-2)


def test_rows_that_are_looked_up() -> None:
    got, want = slopes(EMBED)
    assert abs(want) > 1e-3 and got == pytest.approx(want, rel=2e-2)

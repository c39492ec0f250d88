"""Layers of images and rows, and their gradients."""

from __future__ import annotations

import numpy as np
from works import images, single, with_gradient

with_gradient(
    "LRN", "LRN", lambda w: images(w, 32, 96, 55, 55), "Y S", "LRNGradient", "X0 Y dY", "dX",
    size=5, alpha=1e-4, beta=0.75,
)  # fmt: skip
POOL3 = dict(kernel=3, stride=2, pad=1)
with_gradient("MaxPool-2x2", "MaxPool", lambda w: images(w, 64, 20, 24, 24), "Y", "MaxPoolGradient", "X0 Y dY", "dX",
              kernel=2, stride=2)  # fmt: skip
with_gradient("MaxPool-3x3", "MaxPool", images, "Y", "MaxPoolGradient", "X0 Y dY", "dX", **POOL3)
with_gradient("MaxPool-NHWC", "MaxPool", lambda w: images(w, 32, 56, 56, 64), "Y", "MaxPoolGradient", "X0 Y dY", "dX",
              order="NHWC", **POOL3)  # fmt: skip
with_gradient("AveragePool", "AveragePool", images, "Y", "AveragePoolGradient", "X0 Y dY", "dX", **POOL3)
with_gradient("Softmax", "Softmax", lambda w: w.floats(256, 1000), "Y", "SoftmaxGradient", "Y dY", "dX")
with_gradient("Relu", "Relu", images, "Y", "ReluGradient", "Y dY", "dX")
with_gradient("Sigmoid", "Sigmoid", lambda w: w.floats(1024, 1024), "Y", "SigmoidGradient", "Y dY", "dX")
with_gradient("Tanh", "Tanh", lambda w: w.floats(1024, 1024), "Y", "TanhGradient", "Y dY", "dX")
with_gradient("Tile", "Tile", lambda w: w.floats(256, 1, 1000), "Y", "TileGradient", "dY", "dX", tiles=20, axis=1)
with_gradient(
    "LayerNorm", "LayerNorm", lambda w: w.floats(1024, 1024), "Y M S", "LayerNormGradient", "dY Y M S X0", "dX"
)
with_gradient(
    "SpatialBN", "SpatialBN",
    lambda w: (images(w),) + tuple(np.ones(64, np.float32) for _ in range(4)), "Y X3 X4 M S",
    "SpatialBNGradient", "X0 X1 dY M S", "dX dS dB", is_test=0,
)  # fmt: skip
with_gradient(
    "FC", "FC", lambda w: (w.floats(256, 512), w.floats(512, 512), w.floats(512)), "Y",
    "FCGradient", "X0 X1 dY", "dW db dX",
)  # fmt: skip
with_gradient(
    "Conv", "Conv", lambda w: (images(w, 8, 64, 56, 56), w.floats(64, 64, 3, 3), w.floats(64)), "Y",
    "ConvGradient", "X0 X1 dY", "dW db dX", kernel=3, pad=1,
)  # fmt: skip
single("Conv-depthwise", "Conv", lambda w: (images(w, 8, 64, 56, 56), w.floats(64, 1, 3, 3), w.floats(64)),
       kernel=3, pad=1, group=64)  # fmt: skip
single("SpatialBN-test", "SpatialBN", lambda w: (images(w),) + tuple(np.ones(64, "f") for _ in range(4)), is_test=1)
single("Transpose", "Transpose", images, axes=(0, 2, 3, 1))
single("Transpose-2d", "Transpose", lambda w: w.floats(2048, 2048))
single("NCHW2NHWC", "NCHW2NHWC", images)
single("Concat", "Concat", lambda w: tuple(images(w, 32, 32, 28, 28) for _ in range(4)), "Y S", axis=1)
single("Split", "Split", lambda w: images(w, 32, 128, 28, 28), "A B C D", axis=1)
single("Add", "Add", lambda w: (images(w), images(w)))
single("Add-channel", "Add", lambda w: (images(w), w.floats(64)), broadcast=1, axis=1)
single("Mul", "Mul", lambda w: (images(w), images(w)))
single("Sum", "Sum", lambda w: tuple(images(w, 8, 64, 56, 56) for _ in range(3)))
single("ReduceSum", "ReduceSum", lambda w: images(w), axes=(0, 2, 3), keepdims=0)
single("ReduceMean", "ReduceMean", lambda w: images(w), axes=(2, 3), keepdims=0)
single("DotProduct", "DotProduct", lambda w: (w.floats(4096, 256), w.floats(4096, 256)))
single("BatchMatMul", "BatchMatMul", lambda w: (w.floats(64, 64, 64), w.floats(64, 64, 64)))
single("Clip", "Clip", images, min=-1.0, max=1.0)
single("ResizeNearest", "ResizeNearest", lambda w: images(w, 4, 64, 56, 56), width_scale=2.0, height_scale=2.0)
single("ChannelShuffle", "ChannelShuffle", images, group=4)
single("Dropout", "Dropout", images, "Y M", ratio=0.5, is_test=0)
single("PRelu", "PRelu", lambda w: (images(w), w.floats(64)))
single("LabelCrossEntropy", "LabelCrossEntropy", lambda w: (w.rng.rand(4096, 1000).astype("f"),
       w.whole(1000, 4096, dtype=np.int32)))  # fmt: skip
single("SoftmaxWithLoss", "SoftmaxWithLoss", lambda w: (w.floats(256, 1000), w.whole(1000, 256, dtype=np.int32)), "Y L")
single("Accuracy", "Accuracy", lambda w: (w.floats(1024, 1000), w.whole(1000, 1024, dtype=np.int32)), top_k=5)
single("UniformFill", "UniformFill", lambda w: (), shape=(1024, 1024))
single("GaussianFill", "GaussianFill", lambda w: (), shape=(1024, 1024))

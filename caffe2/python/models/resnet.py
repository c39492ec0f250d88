"""Residual networks: ResNet (He et al., 2015) and ResNeXt (Xie et al., 2016)."""

from __future__ import annotations

import logging
from typing import Any

from caffe2.python import brew, core
from caffe2.python.model_helper import ModelHelper

log = logging.getLogger("resnext_builder")

MSRA = ("MSRAFill", {})

RESNEXT_BLOCK_CONFIG = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""The number of blocks in each of the four stages, by the number of layers."""

RESNEXT_STRIDES = [1, 2, 2, 2]


class ResNetBuilder:
    """Adds layers to a model, each on top of `prev_blob`, the last one.

    no_bias: convolutions have no bias.
    bn_epsilon, bn_momentum: of the batch normalizations.
    """

    def __init__(
        self,
        model: ModelHelper,
        prev_blob: Any,
        no_bias: bool | int,
        is_test: bool,
        bn_epsilon: float = 1e-5,
        bn_momentum: float = 0.9,
    ) -> None:
        self.model = model
        self.comp_count = 0
        self.comp_idx = 0
        self.prev_blob = prev_blob
        self.is_test = is_test
        self.bn_epsilon = bn_epsilon
        self.bn_momentum = bn_momentum
        self.no_bias = 1 if no_bias else 0

    def add_conv(
        self, in_filters: int, out_filters: int, kernel: int, stride: int = 1, group: int = 1, pad: int = 0
    ) -> core.BlobReference:
        """A convolution named comp_COMPONENT_conv_LAYER."""
        self.comp_idx += 1
        self.prev_blob = brew.conv(
            self.model,
            self.prev_blob,
            f"comp_{self.comp_count}_conv_{self.comp_idx}",
            in_filters,
            out_filters,
            weight_init=MSRA,
            kernel=kernel,
            stride=stride,
            group=group,
            pad=pad,
            no_bias=self.no_bias,
        )
        return self.prev_blob

    def add_relu(self) -> core.BlobReference:
        """An activation, in place."""
        self.prev_blob = brew.relu(self.model, self.prev_blob, self.prev_blob)
        return self.prev_blob

    def add_spatial_bn(self, num_filters: int) -> core.BlobReference:
        """A batch normalization named comp_COMPONENT_spatbn_LAYER."""
        name = f"comp_{self.comp_count}_spatbn_{self.comp_idx}"
        self.prev_blob = self._spatial_bn(self.prev_blob, name, num_filters, self.bn_epsilon, momentum=self.bn_momentum)
        return self.prev_blob

    def add_bottleneck(
        self,
        input_filters: int,
        base_filters: int,
        output_filters: int,
        stride: int = 1,
        group: int = 1,
        spatial_batch_norm: bool = True,
    ) -> int:
        """A residual block of convolutions 1x1, 3x3 in groups, and 1x1 (He et al., figure 5 right); output_filters."""
        self.comp_idx = 0
        shortcut = self.prev_blob
        self.add_conv(input_filters, base_filters, kernel=1, stride=1)
        self._add_activation(base_filters, spatial_batch_norm)
        self.add_conv(base_filters, base_filters, kernel=3, stride=stride, group=group, pad=1)
        self._add_activation(base_filters, spatial_batch_norm)
        self.add_conv(base_filters, output_filters, kernel=1)
        if spatial_batch_norm:
            self.add_spatial_bn(output_filters)
        if output_filters != input_filters:
            shortcut = self._project(shortcut, input_filters, output_filters, stride)
            if spatial_batch_norm:
                shortcut = self._spatial_bn(
                    shortcut, self._shortcut_bn(), output_filters, self.bn_epsilon, momentum=self.bn_momentum
                )
        self._add_sum(shortcut)
        return output_filters

    def add_simple_block(
        self, input_filters: int, num_filters: int, down_sampling: bool = False, spatial_batch_norm: bool = True
    ) -> None:
        """A residual block of two convolutions 3x3 (He et al., figure 5 left), that halves the image on demand."""
        self.comp_idx = 0
        shortcut = self.prev_blob
        stride = 2 if down_sampling else 1
        self.add_conv(input_filters, num_filters, kernel=3, stride=stride, pad=1)
        self._add_activation(num_filters, spatial_batch_norm)
        self.add_conv(num_filters, num_filters, kernel=3, pad=1)
        if spatial_batch_norm:
            self.add_spatial_bn(num_filters)
        if num_filters != input_filters:
            shortcut = self._project(shortcut, input_filters, num_filters, stride)
            if spatial_batch_norm:
                shortcut = self._spatial_bn(shortcut, self._shortcut_bn(), num_filters, 1e-3)
        self._add_sum(shortcut)

    def _add_activation(self, filters: int, spatial_batch_norm: bool) -> None:
        if spatial_batch_norm:
            self.add_spatial_bn(filters)
        self.add_relu()

    def _shortcut_bn(self) -> str:
        return f"shortcut_projection_{self.comp_count}_spatbn"

    def _spatial_bn(self, blob: Any, name: str, filters: int, epsilon: float, **kwargs: Any) -> core.BlobReference:
        return brew.spatial_bn(self.model, blob, name, filters, epsilon=epsilon, **kwargs, is_test=self.is_test)

    def _project(self, blob: Any, in_filters: int, out_filters: int, stride: int) -> core.BlobReference:
        name = f"shortcut_projection_{self.comp_count}"
        arguments = {"weight_init": MSRA, "kernel": 1, "stride": stride, "no_bias": self.no_bias}
        return brew.conv(self.model, blob, name, in_filters, out_filters, **arguments)

    def _add_sum(self, shortcut: Any) -> None:
        name = f"comp_{self.comp_count}_sum_{self.comp_idx}"
        self.prev_blob = brew.sum(self.model, [shortcut, self.prev_blob], name)
        self.comp_idx += 1
        self.add_relu()
        self.comp_count += 1


def create_resnet_32x32(
    model: ModelHelper, data: Any, num_input_channels: int, num_groups: int, num_labels: int, is_test: bool = False
) -> core.BlobReference:
    """The softmax of a residual network for images of 32x32, with 2 `num_groups` blocks in each of three stages."""
    brew.conv(model, data, "conv1", num_input_channels, 16, kernel=3, stride=1)
    brew.spatial_bn(model, "conv1", "conv1_spatbn", 16, epsilon=1e-3, is_test=is_test)
    brew.relu(model, "conv1_spatbn", "relu1")
    builder = ResNetBuilder(model, "relu1", no_bias=0, is_test=is_test)
    previous = 16
    for filters in (16, 32, 64):
        for block in range(2 * num_groups):
            builder.add_simple_block(previous, filters, down_sampling=block == 0 and filters > 16)
            previous = filters
    brew.average_pool(model, builder.prev_blob, "final_avg", kernel=8, stride=1)
    brew.fc(model, "final_avg", "last_out", 64, num_labels)
    return brew.softmax(model, "last_out", "softmax")


def create_resnext(
    model: ModelHelper,
    data: Any,
    num_input_channels: int,
    num_labels: int,
    num_layers: int,
    num_groups: int,
    num_width_per_group: int,
    label: Any = None,
    is_test: bool = False,
    no_loss: bool = False,
    no_bias: bool | int = 1,
    conv1_kernel: int = 7,
    conv1_stride: int = 2,
    final_avg_kernel: int = 7,
    log: Any = None,
    bn_epsilon: float = 1e-5,
    bn_momentum: float = 0.9,
) -> Any:
    """A ResNeXt of `num_layers` layers: the softmax, and the loss if there is a label, or the scores if `no_loss`.

    num_groups, num_width_per_group: cardinality and width of the first stage's 3x3 convolutions; 1 and 64 for a ResNet.
    bn_epsilon, bn_momentum: of the first batch normalization; as in the original the others have the defaults.
    Raises ValueError for another number of layers than those of RESNEXT_BLOCK_CONFIG.
    """
    if num_layers not in RESNEXT_BLOCK_CONFIG:
        raise ValueError(f"a ResNeXt has one of {sorted(RESNEXT_BLOCK_CONFIG)} layers, not {num_layers}")
    filters = [64, 64, 128, 256, 512] if num_layers in (18, 34) else [64, 256, 512, 1024, 2048]
    stem = {"kernel": conv1_kernel, "stride": conv1_stride, "pad": 3, "no_bias": no_bias}
    blob = brew.conv(model, data, "conv1", num_input_channels, filters[0], weight_init=MSRA, **stem)
    norm = {"epsilon": bn_epsilon, "momentum": bn_momentum, "is_test": is_test}
    blob = brew.spatial_bn(model, blob, "conv1_spatbn_relu", filters[0], **norm)
    blob = brew.max_pool(model, brew.relu(model, blob, blob), "pool1", kernel=3, stride=2, pad=1)
    builder = ResNetBuilder(model, blob, no_bias=no_bias, is_test=is_test)
    width, dim_in = num_groups * num_width_per_group, filters[0]
    for blocks, stride, dim_out in zip(RESNEXT_BLOCK_CONFIG[num_layers], RESNEXT_STRIDES, filters[1:]):
        for block in range(blocks):
            dim_in = builder.add_bottleneck(dim_in, width, dim_out, stride=1 if block else stride, group=num_groups)
        width *= 2
    pooled = brew.average_pool(
        model, builder.prev_blob, "final_avg", kernel=final_avg_kernel, stride=1, global_pooling=True
    )
    scores = brew.fc(model, pooled, f"last_out_L{num_labels}", filters[-1], num_labels)
    if no_loss:
        return scores
    if label is not None:
        return model.SoftmaxWithLoss([scores, label], ["softmax", "loss"])
    return brew.softmax(model, scores, "softmax")


def create_resnet50(
    model: ModelHelper,
    data: Any,
    num_input_channels: int,
    num_labels: int,
    label: Any = None,
    is_test: bool = False,
    no_loss: bool = False,
    no_bias: bool | int = 0,
    conv1_kernel: int = 7,
    conv1_stride: int = 2,
    final_avg_kernel: int = 7,
) -> Any:
    """The ResNet of 50 layers; arguments and result as for create_resnext."""
    return create_resnext(
        model,
        data,
        num_input_channels,
        num_labels,
        num_layers=50,
        num_groups=1,
        num_width_per_group=64,
        label=label,
        is_test=is_test,
        no_loss=no_loss,
        no_bias=no_bias,
        conv1_kernel=conv1_kernel,
        conv1_stride=conv1_stride,
        final_avg_kernel=final_avg_kernel,
    )

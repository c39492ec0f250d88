"""ShuffleNet V2 (Ma et al., 2018)."""

from __future__ import annotations

from typing import Any

from caffe2.python import brew, core
from caffe2.python.model_helper import ModelHelper

OUTPUT_CHANNELS = {
    "0.5x": [24, 48, 96, 192, 1024],
    "1.0x": [24, 116, 232, 464, 1024],
    "1.5x": [24, 176, 352, 704, 1024],
    "2.0x": [24, 244, 488, 976, 2048],
}
"""The channels of the first convolution, the three stages and the last convolution, by width."""

MSRA = ("MSRAFill", {})


class ShuffleNetV2Builder:
    """Adds a ShuffleNet to a model; `last_out` holds the scores.

    detection: widen the receptive fields by further convolutions, for the detection of objects.
    """

    def __init__(
        self,
        model: ModelHelper,
        data: Any,
        num_input_channels: int,
        num_labels: int,
        num_groups: int = 2,
        width: str = "1.0x",
        is_test: bool = False,
        detection: bool = False,
        bn_epsilon: float = 1e-5,
    ) -> None:
        self.model = model
        self.prev_blob = data
        self.num_input_channels = num_input_channels
        self.num_labels = num_labels
        self.num_groups = num_groups
        self.output_channels = OUTPUT_CHANNELS[width]
        self.stage_repeats = [3, 7, 3]
        self.is_test = is_test
        self.detection = detection
        self.bn_epsilon = bn_epsilon

    def create(self) -> None:
        """Add all layers."""
        model, channels = self.model, self.output_channels[0]
        stem = {"weight_init": MSRA, "kernel": 3, "stride": 2}
        conv = brew.conv(model, self.prev_blob, "stage1_conv", self.num_input_channels, channels, **stem)
        self.prev_blob = brew.max_pool(model, conv, "stage1_pool", kernel=3, stride=2)
        for stage, (out_channels, repeats) in enumerate(zip(self.output_channels[1:4], self.stage_repeats), 2):
            self.add_spatial_ds_unit(f"stage{stage}_stride2", channels, out_channels)
            channels = out_channels
            for i in range(repeats):
                self.add_basic_unit(f"stage{stage}_stride1_repeat{i + 1}", channels)
        last = self.output_channels[4]
        self.last_conv = brew.conv(model, self.prev_blob, "conv5", channels, last, kernel=1)
        self.avg_pool = model.AveragePool(self.last_conv, "avg_pool", kernel=7)
        self.last_out = brew.fc(model, self.avg_pool, f"last_out_L{self.num_labels}", last, self.num_labels)

    def add_spatial_ds_unit(self, prefix: str, in_channels: int, out_channels: int, stride: int = 2) -> None:
        """A unit that halves the image: two branches, joined and shuffled."""
        right = left = self.prev_blob
        half = out_channels // 2
        if self.detection:
            left = self.add_detection_unit(left, prefix + "_left_detection", in_channels, in_channels)
        left = self.add_dwconv3x3_bn(left, prefix + "left_dwconv", in_channels, stride)
        left = self.add_conv1x1_bn(left, prefix + "_left_conv1", in_channels, half)
        if self.detection:
            right = self.add_detection_unit(right, prefix + "_right_detection", in_channels, in_channels)
        self._join(prefix, left, self._right_branch(right, prefix, in_channels, half, stride))

    def add_basic_unit(self, prefix: str, in_channels: int, stride: int = 1) -> None:
        """A unit that leaves half the channels as they are, joined to the others and shuffled."""
        half = in_channels // 2
        left, right = prefix + "_left", prefix + "_right"
        self.model.net.Split(self.prev_blob, [left, right])
        if self.detection:
            right = self.add_detection_unit(right, prefix + "_right_detection", half, half)
        self._join(prefix, left, self._right_branch(right, prefix, half, half, stride))

    def _right_branch(
        self, blob: Any, prefix: str, in_channels: int, out_channels: int, stride: int
    ) -> core.BlobReference:
        blob = self.add_conv1x1_bn(blob, prefix + "_right_conv1", in_channels, out_channels)
        blob = self.add_dwconv3x3_bn(blob, prefix + "_right_dwconv", out_channels, stride)
        return self.add_conv1x1_bn(blob, prefix + "_right_conv2", out_channels, out_channels)

    def _join(self, prefix: str, left: Any, right: Any) -> None:
        joined = brew.concat(self.model, [right, left], prefix + "_concat")
        self.prev_blob = self.model.net.ChannelShuffle(joined, prefix + "_ch_shuffle", group=self.num_groups, kernel=1)

    def add_detection_unit(
        self, prev_blob: Any, prefix: str, in_channels: int, out_channels: int, kernel: int = 3, pad: int = 1
    ) -> core.BlobReference:
        """A convolution of each channel by itself, normalized."""
        arguments = {"kernel": kernel, "weight_init": MSRA, "group": in_channels, "pad": pad}
        conv = brew.conv(self.model, prev_blob, prefix + "_conv", in_channels, out_channels, **arguments)
        return self._spatial_bn(conv, prefix + "_bn", out_channels)

    def add_conv1x1_bn(self, prev_blob: Any, blob: str, in_channels: int, out_channels: int) -> core.BlobReference:
        """A convolution 1x1, normalized and activated."""
        conv = brew.conv(self.model, prev_blob, blob, in_channels, out_channels, kernel=1, weight_init=MSRA)
        norm = self._spatial_bn(conv, conv + "_bn", out_channels)
        return brew.relu(self.model, norm, norm)

    def add_dwconv3x3_bn(self, prev_blob: Any, blob: str, channels: int, stride: int) -> core.BlobReference:
        """A convolution 3x3 of each channel by itself, normalized."""
        arguments = {"kernel": 3, "weight_init": MSRA, "stride": stride, "group": channels, "pad": 1}
        conv = brew.conv(self.model, prev_blob, blob, channels, channels, **arguments)
        return self._spatial_bn(conv, conv + "_bn", channels)

    def _spatial_bn(self, blob: Any, name: Any, channels: int) -> core.BlobReference:
        return brew.spatial_bn(self.model, blob, name, channels, epsilon=self.bn_epsilon, is_test=self.is_test)


def create_shufflenet(
    model: ModelHelper,
    data: Any,
    num_input_channels: int,
    num_labels: int,
    label: Any = None,
    is_test: bool = False,
    no_loss: bool = False,
) -> Any:
    """A ShuffleNet V2 1.0x: the softmax and the loss for a label, or the scores if `no_loss`; None for neither."""
    builder = ShuffleNetV2Builder(model, data, num_input_channels, num_labels, is_test=is_test)
    builder.create()
    if no_loss:
        return builder.last_out
    if label is not None:
        return model.SoftmaxWithLoss([builder.last_out, label], ["softmax", "loss"])
    return None

"""Three of Caffe's classics, each told once: as a prototxt, and as a PyTorch module with the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Classic:
    """A net for images of three channels that grows layer by layer; channels and tops are kept as it does."""

    name: str
    size: int
    text: list[str] = field(default_factory=list)
    modules: list[tuple[str, nn.Module, tuple[str, ...]]] = field(default_factory=list)
    channels: dict[str, int] = field(default_factory=lambda: {"data": 3})

    def add(
        self, name: str, kind: str, bottoms: Sequence[str], module: nn.Module, param: str = "", top: str = ""
    ) -> str:
        """One layer; its top."""
        top = top or name
        wires = " ".join(f'bottom: "{bottom}"' for bottom in bottoms)
        self.text.append(f'layer {{ name: "{name}" type: "{kind}" {wires} top: "{top}" {param} }}')
        self.modules.append((top, module, tuple(bottoms)))
        self.channels.setdefault(top, sum(self.channels[bottom] for bottom in bottoms))
        return top

    def conv(
        self, name: str, bottom: str, count: int, kernel: int, *, pad: int = 0, stride: int = 1, group: int = 1
    ) -> str:
        """A convolution and its ReLU in place."""
        self.channels[name] = count
        module = nn.Conv2d(self.channels[bottom], count, kernel, stride, pad, groups=group)
        sizes = f"num_output: {count} kernel_size: {kernel} stride: {stride} pad: {pad} group: {group}"
        self.add(name, "Convolution", [bottom], module, f"convolution_param {{ {sizes} {FILLER} }}")
        return self.relu(name)

    def relu(self, bottom: str) -> str:
        return self.add(f"{bottom}_relu", "ReLU", [bottom], nn.ReLU(inplace=True), top=bottom)

    def pool(self, name: str, bottom: str, kernel: int = 3, stride: int = 2, pad: int = 0) -> str:
        """The maximum of windows, the last of which may reach beyond the image."""
        module = nn.MaxPool2d(kernel, stride, pad, ceil_mode=True)
        param = f"pooling_param {{ pool: MAX kernel_size: {kernel} stride: {stride} pad: {pad} }}"
        return self.add(name, "Pooling", [bottom], module, param)

    def average(self, name: str, bottom: str) -> str:
        """The mean of every channel."""
        param = "pooling_param { pool: AVE global_pooling: true }"
        return self.add(name, "Pooling", [bottom], nn.AdaptiveAvgPool2d(1), param)

    def lrn(self, name: str, bottom: str) -> str:
        module = nn.LocalResponseNorm(5, 1e-4, 0.75)
        return self.add(name, "LRN", [bottom], module, "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def concat(self, name: str, bottoms: Sequence[str]) -> str:
        return self.add(name, "Concat", bottoms, Joined())

    def linear(self, name: str, bottom: str, features: int, count: int) -> str:
        self.channels[name] = count
        module = nn.Sequential(nn.Flatten(), nn.Linear(features, count))
        param = f"inner_product_param {{ num_output: {count} {FILLER} }}"
        return self.add(name, "InnerProduct", [bottom], module, param)

    def dropout(self, bottom: str) -> str:
        return self.add(f"{bottom}_drop", "Dropout", [bottom], nn.Dropout(inplace=True), top=bottom)

    def prob(self, bottom: str) -> str:
        return self.add("prob", "Softmax", [bottom], nn.Softmax(1))

    def prototxt(self, batch: int) -> str:
        """The net as a deploy.prototxt."""
        shape = f"shape {{ dim: {batch} dim: 3 dim: {self.size} dim: {self.size} }}"
        data = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ {shape} }} }}'
        return "\n".join([f'name: "{self.name}"', data, *self.text]) + "\n"


FILLER = 'weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 }'


class Joined(nn.Module):
    """Channels side by side."""

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)


class Peer(nn.Module):
    """The layers of a net run eagerly, a value let go of when nothing reads it any more."""

    def __init__(self, net: Classic) -> None:
        super().__init__()
        self.layers = nn.ModuleList(module for _, module, _ in net.modules)
        self.wires = [(top, bottoms) for top, _, bottoms in net.modules]
        last = {bottom: k for k, (_, bottoms) in enumerate(self.wires) for bottom in bottoms}
        self.spent = [[name for name in last if last[name] == k] for k in range(len(self.wires))]

    def forward(self, data: Tensor) -> Tensor:
        values = {"data": data}
        for layer, (top, bottoms), spent in zip(self.layers, self.wires, self.spent):
            values[top] = layer(*(values[bottom] for bottom in bottoms))
            for name in spent:
                del values[name]
        return values["prob"]


def caffenet() -> Classic:
    """CaffeNet: AlexNet with pooling before normalization (Krizhevsky and others, 2012; Jia and others, 2014)."""
    net = Classic("CaffeNet", 227)
    x = net.lrn("norm1", net.pool("pool1", net.conv("conv1", "data", 96, 11, stride=4)))
    x = net.lrn("norm2", net.pool("pool2", net.conv("conv2", x, 256, 5, pad=2, group=2)))
    x = net.conv("conv3", x, 384, 3, pad=1)
    x = net.conv("conv4", x, 384, 3, pad=1, group=2)
    x = net.pool("pool5", net.conv("conv5", x, 256, 3, pad=1, group=2))
    x = net.dropout(net.relu(net.linear("fc6", x, 256 * 6 * 6, 4096)))
    x = net.dropout(net.relu(net.linear("fc7", x, 4096, 4096)))
    net.prob(net.linear("fc8", x, 4096, 1000))
    return net


INCEPTIONS = (
    ("3a", 64, 96, 128, 16, 32, 32),
    ("3b", 128, 128, 192, 32, 96, 64),
    ("4a", 192, 96, 208, 16, 48, 64),
    ("4b", 160, 112, 224, 24, 64, 64),
    ("4c", 128, 128, 256, 24, 64, 64),
    ("4d", 112, 144, 288, 32, 64, 64),
    ("4e", 256, 160, 320, 32, 128, 128),
    ("5a", 256, 160, 320, 32, 128, 128),
    ("5b", 384, 192, 384, 48, 128, 128),
)
"""GoogLeNet's modules: filters of 1x1, 3x3's reduction, 3x3, 5x5's reduction, 5x5, and behind the pooling."""


def googlenet() -> Classic:
    """GoogLeNet (Szegedy and others, 2014)."""
    net = Classic("GoogLeNet", 224)
    x = net.lrn("norm1", net.pool("pool1", net.conv("conv1", "data", 64, 7, pad=3, stride=2)))
    x = net.conv("conv2", net.conv("conv2_reduce", x, 64, 1), 192, 3, pad=1)
    x = net.pool("pool2", net.lrn("norm2", x))
    for name, one, three_reduce, three, five_reduce, five, pooled in INCEPTIONS:
        branches = (
            net.conv(f"{name}_1x1", x, one, 1),
            net.conv(f"{name}_3x3", net.conv(f"{name}_3x3_reduce", x, three_reduce, 1), three, 3, pad=1),
            net.conv(f"{name}_5x5", net.conv(f"{name}_5x5_reduce", x, five_reduce, 1), five, 5, pad=2),
            net.conv(f"{name}_proj", net.pool(f"{name}_pool", x, 3, 1, 1), pooled, 1),
        )
        x = net.concat(f"{name}_output", branches)
        if name in ("3b", "4e"):
            x = net.pool(f"{name}_reduced", x)
    x = net.dropout(net.average("pool5", x))
    net.prob(net.linear("classifier", x, 1024, 1000))
    return net


FIRES = (
    ("2", 16, 64),
    ("3", 16, 64),
    ("4", 32, 128),
    ("5", 32, 128),
    ("6", 48, 192),
    ("7", 48, 192),
    ("8", 64, 256),
    ("9", 64, 256),
)
"""SqueezeNet's fire modules: filters that squeeze, and those of each half that expands."""


def squeezenet() -> Classic:
    """SqueezeNet 1.1 (Iandola and others, 2016)."""
    net = Classic("SqueezeNet 1.1", 227)
    x = net.pool("pool1", net.conv("conv1", "data", 64, 3, stride=2))
    for name, squeeze, expand in FIRES:
        s = net.conv(f"fire{name}_squeeze", x, squeeze, 1)
        halves = net.conv(f"fire{name}_1x1", s, expand, 1), net.conv(f"fire{name}_3x3", s, expand, 3, pad=1)
        x = net.concat(f"fire{name}", halves)
        if name in ("3", "5"):
            x = net.pool(f"pool{name}", x)
    net.prob(net.average("pool10", net.conv("conv10", net.dropout(x), 1000, 1)))
    return net

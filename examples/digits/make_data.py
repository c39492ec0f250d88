"""Makes the bundled files of this example: the digits, the sample images, and a Caffe LeNet trained on them.

    python -m examples.digits.make_data       needs scikit-learn and Pillow; the files it makes are in the repository

The digits are those of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998; CC BY 4.0),
as scikit-learn ships it: 1,797 images of 8x8 pixels with 16 grey levels.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits

from caffe2.proto import caffe_pb2
from examples.digits.data import HERE, load, upscale

LAYERS = ("conv1", "conv2", "ip1", "ip2")
SAMPLES = 10


def main() -> None:
    torch.manual_seed(0)
    _write_digits()
    train, test = load()
    weights = _train(torch.from_numpy(train.images), torch.from_numpy(train.labels))
    found = _forward(torch.from_numpy(test.images), weights).argmax(1).numpy()
    print(f"test accuracy {np.mean(found == test.labels):.4f}")
    (HERE / "lenet.caffemodel").write_bytes(_caffemodel(weights).SerializeToString())


def _write_digits() -> None:
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    pixels, labels = digits.images[order].astype(np.uint8), digits.target[order].astype(np.uint8)
    np.savez_compressed(HERE / "digits.npz", pixels=pixels, labels=labels)
    for digit in range(SAMPLES):
        k = len(labels) - 1 - int(np.argmax(labels[::-1] == digit))
        image = np.round(upscale(pixels[k : k + 1])[0, 0] * 255).astype(np.uint8)
        Image.fromarray(image).save(HERE / "samples" / f"{digit}.png", optimize=True)


def _forward(x: torch.Tensor, w: dict[str, list[torch.Tensor]]) -> torch.Tensor:
    x = F.max_pool2d(F.conv2d(x, *w["conv1"]), 2)
    x = F.max_pool2d(F.conv2d(x, *w["conv2"]), 2)
    return F.linear(F.relu(F.linear(x.flatten(1), *w["ip1"])), *w["ip2"])


def _train(images: torch.Tensor, labels: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    shapes = {"conv1": (8, 1, 5, 5), "conv2": (16, 8, 5, 5), "ip1": (64, 256), "ip2": (10, 64)}
    weights = {}
    for name, shape in shapes.items():
        bound = (3 / np.prod(shape[1:])) ** 0.5
        weights[name] = [torch.empty(shape).uniform_(-bound, bound), torch.zeros(shape[0])]
    parameters = [p.requires_grad_() for pair in weights.values() for p in pair]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    for _ in range(30):
        for batch in torch.randperm(len(labels)).split(64):
            shifted = torch.roll(images[batch], tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
            loss = F.cross_entropy(_forward(shifted, weights), labels[batch].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {name: [p.detach() for p in pair] for name, pair in weights.items()}


def _caffemodel(weights: dict[str, list[torch.Tensor]]) -> caffe_pb2.NetParameter:
    net = caffe_pb2.NetParameter(name="LeNet")
    for name in LAYERS:
        layer = net.layer.add(name=name, type="Convolution" if name.startswith("conv") else "InnerProduct")
        for values in weights[name]:
            blob = layer.blobs.add(data=values.flatten().tolist())
            blob.shape.dim.extend(values.shape)
    return net


if __name__ == "__main__":
    main()

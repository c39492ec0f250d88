"""Are whole models as fast as eager PyTorch doing the same work?  Inference and training, on the CPU or a GPU.

python -m benchmarks.models [--device cuda] [--batch 32] [--only NAME]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import peers
from benchmarks.timing import compare
from caffe2.proto import caffe2_pb2
from caffe2.python import brew, core, memonger, model_helper, optimizer, workspace
from caffe2.python.models import resnet


def fed(device: str, images: np.ndarray, labels: np.ndarray | None = None) -> core.DeviceScope:
    """Feed the batch to the device, and answer the scope that puts operators there."""
    option = core.DeviceOption(caffe2_pb2.CUDA if device == "cuda" else caffe2_pb2.CPU)
    workspace.ResetWorkspace()
    workspace.FeedBlob("data", images, option)
    if labels is not None:
        workspace.FeedBlob("label", labels, option)
    return core.DeviceScope(option)


def add_lenet(model: model_helper.ModelHelper, data: str) -> core.BlobReference:
    """LeNet up to its logits."""
    x = brew.max_pool(model, brew.conv(model, data, "conv1", 1, 20, 5), "pool1", kernel=2, stride=2)
    x = brew.max_pool(model, brew.conv(model, x, "conv2", 20, 50, 5), "pool2", kernel=2, stride=2)
    x = brew.relu(model, brew.fc(model, x, "fc3", 800, 500), "fc3")
    return brew.fc(model, x, "logits", 500, 10)


def add_mlp(model: model_helper.ModelHelper, data: str) -> core.BlobReference:
    """Three fully connected layers."""
    x = brew.relu(model, brew.fc(model, data, "fc1", 256, 512), "fc1")
    x = brew.relu(model, brew.fc(model, x, "fc2", 512, 512), "fc2")
    return brew.fc(model, x, "logits", 512, 10)


def add_resnet50(model: model_helper.ModelHelper, data: str, is_test: bool = False) -> core.BlobReference:
    """ResNet-50 up to its logits."""
    return resnet.create_resnet50(model, data, 3, 1000, is_test=is_test, no_loss=True)


def inference(add: Callable, images: np.ndarray, device: str) -> Callable[[], object]:
    """A net that classifies a batch, made ready."""
    with fed(device, images):
        model = model_helper.ModelHelper("infer", arg_scope={"order": "NCHW"})
        add(model, "data", **({"is_test": True} if add is add_resnet50 else {}))
        workspace.RunNetOnce(model.param_init_net)
        workspace.CreateNet(model.net)
    return synchronized(lambda: workspace.RunNet(model.net), device)


def training(add: Callable, images: np.ndarray, labels: np.ndarray, device: str) -> Callable[[], object]:
    """A net that makes one step of SGD with momentum on a batch, made ready."""
    with fed(device, images, labels):
        model = model_helper.ModelHelper("train", arg_scope={"order": "NCHW"})
        _, loss = model.net.SoftmaxWithLoss([add(model, "data"), "label"], ["softmax", "loss"])
        model.AddGradientOperators([loss])
        optimizer.build_sgd(model, 0.01, policy="fixed", momentum=0.9)
        workspace.RunNetOnce(model.param_init_net)
        keep = {str(p) for p in model.params} | {"loss", "data", "label"}
        net = memonger.release_blobs_when_used(model.net.Proto(), keep)
        workspace.CreateNet(net)
    return synchronized(lambda: workspace.RunNet(net.name), device)


def synchronized(work: Callable[[], object], device: str) -> Callable[[], object]:
    """The work, waited for."""
    if device != "cuda":
        return work

    def run() -> None:
        work()
        torch.cuda.synchronize()

    return run


def peer_inference(model: torch.nn.Module, images: np.ndarray, device: str) -> Callable[[], object]:
    model, x = model.eval().to(device), torch.from_numpy(images).to(device)

    def run() -> None:
        with torch.no_grad():
            model(x)

    return synchronized(run, device)


def peer_training(model: torch.nn.Module, images: np.ndarray, labels: np.ndarray, device: str) -> Callable[[], object]:
    x, y = torch.from_numpy(images).to(device), torch.from_numpy(labels).long().to(device)
    return synchronized(peers.trainer(model.to(device), x, y), device)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--device", default="cpu")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--only", default="")
    a = p.parse_args()
    rng = np.random.default_rng(0)

    def batch(count: int, *shape: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
        return rng.standard_normal((count, *shape)).astype(np.float32), rng.integers(0, classes, count).astype(np.int32)

    works = {
        "LeNet": (add_lenet, peers.lenet, batch(64, 1, 28, 28)),
        "MLP": (add_mlp, peers.mlp, batch(128, 256)),
        "ResNet-50": (add_resnet50, peers.resnet50, batch(a.batch, 3, 224, 224, classes=1000)),
    }
    for name, (add, peer, (images, labels)) in works.items():
        if a.only not in name:
            continue
        rounds = 5 if name == "ResNet-50" and a.device == "cpu" else 15
        compare(
            f"{name} inference, batch {len(images)}, {a.device}",
            {"caffe2": inference(add, images, a.device), "torch": peer_inference(peer(), images, a.device)},
            rounds,
        )
        compare(
            f"{name} training, batch {len(images)}, {a.device}",
            {
                "caffe2": training(add, images, labels, a.device),
                "torch": peer_training(peer(), images, labels, a.device),
            },
            rounds,
        )


if __name__ == "__main__":
    main()

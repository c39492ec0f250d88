"""Trains a convolutional net from scratch on the digits, with brew and an optimizer, and saves it.

python -m examples.digits.train MODEL            MODEL is the file to write
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from caffe2.python import brew, core, model_helper, optimizer, workspace
from caffe2.python.predictor import predictor_exporter
from examples.digits.data import Digits, load

EPOCHS, BATCH = 20, 64


def add_net(model: model_helper.ModelHelper, data: str) -> core.BlobReference:
    """Two convolutions with pooling, two fully connected layers: logits float32[N, 10] of images [N, 1, 28, 28]."""
    x = brew.relu(model, brew.conv(model, data, "conv1", dim_in=1, dim_out=16, kernel=5), "conv1")
    x = brew.max_pool(model, x, "pool1", kernel=2, stride=2)
    x = brew.relu(model, brew.conv(model, x, "conv2", dim_in=16, dim_out=32, kernel=5), "conv2")
    x = brew.max_pool(model, x, "pool2", kernel=2, stride=2)
    x = brew.relu(model, brew.fc(model, x, "fc3", dim_in=32 * 4 * 4, dim_out=128), "fc3")
    return brew.fc(model, x, "logits", dim_in=128, dim_out=10)


def training_model() -> model_helper.ModelHelper:
    """The net with its loss, gradients and updates."""
    model = model_helper.ModelHelper(name="train")
    logits = add_net(model, "data")
    _, loss = model.net.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    brew.accuracy(model, ["softmax", "label"], "accuracy")
    model.AddGradientOperators([loss])
    optimizer.build_adam(model, base_learning_rate=2e-3)
    return model


def batches(digits: Digits, rng: np.random.Generator) -> Iterator[Digits]:
    """One pass over the training set in random order, each batch shifted by up to two pixels."""
    for rows in np.array_split(rng.permutation(len(digits.labels)), len(digits.labels) // BATCH):
        shift = tuple(rng.integers(-2, 3, 2))
        yield Digits(np.roll(digits.images[rows], shift, (2, 3)), digits.labels[rows])


def main(path: Path) -> float:
    """Train, tell the progress, save to `path`; returns the accuracy on the test set."""
    train, test = load()
    rng = np.random.default_rng(1)
    workspace.ResetWorkspace()
    model, tester = training_model(), model_helper.ModelHelper(name="test", init_params=False)
    tester.net.Softmax(add_net(tester, "data"), "softmax")
    workspace.FeedBlob("data", train.images[:BATCH])
    workspace.FeedBlob("label", train.labels[:BATCH])
    workspace.RunNetOnce(model.param_init_net)
    workspace.CreateNet(model.net)
    workspace.CreateNet(tester.net)
    for epoch in range(EPOCHS):
        losses = []
        for images, labels in batches(train, rng):
            workspace.FeedBlob("data", images)
            workspace.FeedBlob("label", labels)
            workspace.RunNet(model.net)
            losses.append(float(workspace.FetchBlob("loss")))
        accuracy = evaluate(tester, test)
        line = f"epoch {epoch + 1:2}/{EPOCHS}  loss {np.mean(losses):.4f}  test accuracy {accuracy:.2%}"
        print(line, end="\r" if sys.stdout.isatty() and epoch + 1 < EPOCHS else "\n", flush=True)
    save(tester, path)
    return accuracy


def evaluate(tester: model_helper.ModelHelper, test: Digits) -> float:
    """The share of the test set that the net classifies right."""
    workspace.FeedBlob("data", test.images)
    workspace.RunNet(tester.net)
    return float(np.mean(workspace.FetchBlob("softmax").argmax(1) == test.labels))


def save(tester: model_helper.ModelHelper, path: Path) -> None:
    """Write net and parameters into one file that a Predictor loads."""
    meta = predictor_exporter.PredictorExportMeta(
        predict_net=tester.net, parameters=[str(p) for p in tester.params], inputs=["data"], outputs=["softmax"]
    )
    predictor_exporter.save_to_db("minidb", str(path), meta)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

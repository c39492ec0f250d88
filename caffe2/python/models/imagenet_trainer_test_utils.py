"""Checks that a model whose blobs share memory computes what it did before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import cnn, core, memonger, workspace

_SCOPE = "gpu_0"
_SIZE = 227


def has_blob(proto: caffe2_pb2.NetDef, needle: str) -> bool:
    """Whether a blob of this name is read or written by a net."""
    return needle in _blobs(proto)


def count_blobs(proto: caffe2_pb2.NetDef) -> int:
    """The number of blobs that a net reads or writes."""
    return len(_blobs(proto))


def count_shared_blobs(proto: caffe2_pb2.NetDef) -> int:
    """The number of blobs that share memory, whose names say so."""
    return sum("_shared" in name for name in _blobs(proto))


def _blobs(proto: caffe2_pb2.NetDef) -> set[str]:
    return {name for op in proto.op for name in (*op.input, *op.output)}


def _model() -> cnn.CNNModelHelper:
    return cnn.CNNModelHelper(order="NCHW", name="test", cudnn_exhaustive_search=True)


def _feed_images(data_blob: str) -> None:
    workspace.FeedBlob(data_blob, np.random.rand(4, 3, _SIZE, _SIZE).astype(np.float32))


def _on_threads(net: core.Net) -> None:
    net.Proto().type = "dag"
    net.Proto().num_workers = 4


def test_shared_grads(
    with_shapes: bool,
    create_model: Callable[..., Any],
    conv_blob: str,
    last_out_blob: str,
    data_blob: str = "gpu_0/data",
    label_blob: str = "gpu_0/label",
    num_labels: int = 1000,
) -> list[tuple[Any, Any]]:
    """Pairs of counts with sharing and without, and of values of `last_out_blob` and of `conv_blob`'s gradient."""
    model = _model()
    with core.NameScope(_SCOPE):
        data, label = model.net.AddExternalInput(data_blob), model.net.AddExternalInput(label_blob)
        _, loss = create_model(model, data, num_input_channels=3, num_labels=num_labels, label=label, is_test=False)
    param_to_grad = model.AddGradientOperators([loss])
    inputs = {data_blob: [4, 3, _SIZE, _SIZE], label_blob: [4]}
    shapes, _ = workspace.InferShapesAndTypes([model.param_init_net, model.net], inputs)
    count_before = count_blobs(model.net.Proto())
    optimized = memonger.share_grad_blobs(
        model.net,
        ["gpu_0/loss"],
        set(model.param_to_grad.values()),
        "gpu_0/",
        share_activations=True,
        dont_share_blobs={str(param_to_grad[conv_blob])},
        blob_shapes=shapes if with_shapes else None,
    )
    workspace.RunNetOnce(model.param_init_net)
    _feed_images(data_blob)
    workspace.FeedBlob(label_blob, (np.random.rand(4) * num_labels).astype(np.int32))
    grad = param_to_grad[conv_blob]
    workspace.RunNetOnce(model.net)
    _on_threads(model.net)
    before = workspace.FetchBlob(last_out_blob), workspace.FetchBlob(grad)
    workspace.FeedBlob(grad, np.array([0.0]))
    workspace.RunNetOnce(optimized)
    after = workspace.FetchBlob(last_out_blob), workspace.FetchBlob(grad)
    return [(count_blobs(optimized), count_before), *zip(before, after)]


def _forward_model(create_model: Callable[..., Any], data_blob: str, num_labels: int) -> cnn.CNNModelHelper:
    model = _model()
    with core.NameScope(_SCOPE):
        data = model.net.AddExternalInput(data_blob)
        create_model(model, data, num_input_channels=3, num_labels=num_labels, is_test=True)
    return model


def _compare_forward(
    model: cnn.CNNModelHelper, optimized: caffe2_pb2.NetDef, last_out_blob: str, data_blob: str
) -> list[Any]:
    counts = count_blobs(optimized), count_blobs(model.net.Proto())
    workspace.RunNetOnce(model.param_init_net)
    _feed_images(data_blob)
    workspace.RunNetOnce(model.net)
    before = workspace.FetchBlob(last_out_blob)
    workspace.RunNetOnce(optimized)
    return [counts, count_shared_blobs(optimized), (before, workspace.FetchBlob(last_out_blob))]


def test_forward_only(
    create_model: Callable[..., Any], last_out_blob: str, data_blob: str = "gpu_0/data", num_labels: int = 1000
) -> list[Any]:
    """Counts of blobs with sharing and without, the count of shared ones, and the values of `last_out_blob`."""
    model = _forward_model(create_model, data_blob, num_labels)
    optimized = memonger.optimize_inference_for_dag(model.net, [data_blob], "gpu_0/")
    return _compare_forward(model, optimized, last_out_blob, data_blob)


def test_forward_only_fast_simplenet(
    create_model: Callable[..., Any], last_out_blob: str, data_blob: str = "gpu_0/data", num_labels: int = 1000
) -> list[Any]:
    """As test_forward_only, shared for operators that run one after the other."""
    model = _forward_model(create_model, data_blob, num_labels)
    kept = {data_blob, last_out_blob, *model.net.Proto().external_input}
    optimized = memonger.optimize_inference_fast(model.net.Proto(), kept)
    model.net.Proto().type = "simple"
    return _compare_forward(model, optimized, last_out_blob, data_blob)


for _check in (test_shared_grads, test_forward_only, test_forward_only_fast_simplenet):
    _check.__test__ = False

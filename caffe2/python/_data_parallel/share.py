"""Less memory for data-parallel models: one set of parameters for all CPU replicas, blobs that are reused."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caffe2.python import memonger, workspace
from caffe2.python._data_parallel.grouping import device_scope, stripBlobName

log = logging.getLogger("data_parallel_model")


def _PruneParametersForSharing(model: Any) -> None:
    """Leave the model only the parameters of its first device, that only they are updated."""
    model.params = model.GetParams(f"{device_scope(model, model._devices[0])}/")
    kept = set(model.params)
    model.param_to_grad = {p: g for p, g in model.param_to_grad.items() if p in kept}
    model.weights = [w for w in model.weights if w in kept]
    model.biases = [b for b in model.biases if b in kept]


def _RemapParameterBlobsForSharedModel(model: Any, all_params: Iterable[Any]) -> None:
    """Have all replicas read the parameters of the first one, and nobody make the others."""
    master = f"{device_scope(model, model._devices[0])}/"
    others = {str(p) for p in all_params} - {str(p) for p in model.GetParams()}
    for net in (model.param_init_net.Proto(), model.net.Proto()):
        kept = [op for op in net.op if not others.intersection(op.output)]
        for op in kept:
            for j, name in enumerate(op.input):
                if name in others:
                    op.input[j] = master + stripBlobName(name)
        kept = [type(op).FromString(op.SerializeToString()) for op in kept]
        del net.op[:]
        net.op.extend(kept)


def _OptimizeGradientMemorySimple(model: Any, losses_by_gpu: Mapping[int, Any], devices: Sequence[int]) -> None:
    log.warning("optimize_gradient_memory is deprecated; call data_parallel_model.OptimizeGradientMemory()")
    for device in devices:
        model.net._net = memonger.share_grad_blobs(
            model.net,
            losses_by_gpu[device],
            set(model.param_to_grad.values()),
            f"{device_scope(model, device)}/",
            share_activations=False,
        )


def _AddDynamicMemoryOptimization(model: Any, blobs_to_keep: Iterable[str] | None, devices: Sequence[int]) -> None:
    """Let go of blobs when they are used, but for those to keep, named without devices."""
    kept = {f"{device_scope(model, d)}/{name}" for d in devices for name in blobs_to_keep or ()}
    if model._rendezvous is not None:
        kept.update(str(b) for b in model.param_to_grad.values())
    model.net._net = memonger.release_blobs_when_used(model.net.Proto(), kept)


def OptimizeGradientMemory(
    model: Any,
    input_shapes: Mapping[str, Sequence[int]] | None,
    excluded_blobs: Iterable[str],
    recycle_activations: bool,
) -> None:
    """Let gradients that are not needed at the same time share their memory.

    input_shapes: the shapes of the inputs, named without devices; None where blobs of any size may share.
    excluded_blobs: those that are read from outside. recycle_activations: activations may be shared, too.
    """
    shapes = None
    if input_shapes is not None:
        given = {f"{device_scope(model, d)}/{b}": s for b, s in input_shapes.items() for d in model._devices}
        shapes, _ = workspace.InferShapesAndTypes([model.param_init_net, model.net], given)
    for device in model._devices:
        space = f"{device_scope(model, device)}/"
        model.net._net = memonger.share_grad_blobs(
            model.net,
            model._losses_by_gpu[device],
            set(model.param_to_grad.values()),
            space,
            dont_share_blobs={space + b for b in excluded_blobs},
            share_activations=recycle_activations,
            blob_shapes=shapes,
        )

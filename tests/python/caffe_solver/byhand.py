"""A small net and Caffe's solvers in NumPy alone: forward, backward and update written out, in float64.

The net: data [N, 2, 6, 6], a convolution of 3 filters of 3x3, maxima over 2x2, ReLU in place, a fully connected layer
of 4 classes, SoftmaxWithLoss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES, BATCH = 4, 5
SHAPES = {"conv_w": (3, 2, 3, 3), "conv_b": (3,), "ip_w": (CLASSES, 12), "ip_b": (CLASSES,)}
Arrays = dict[str, np.ndarray]

NET = """name: "small"
layer {{ name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param {{ batch_size: 5 channels: 2 height: 6 width: 6 }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv" {conv_w} {conv_b}
  convolution_param {{ num_output: 3 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param {{ pool: MAX kernel_size: 2 stride: 2 }} }}
layer {{ name: "relu" type: "ReLU" bottom: "pool" top: "pool" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" {ip_w} {ip_b}
  inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""
MULTS = {"conv_w": (1, 1), "conv_b": (2, 0), "ip_w": (1, 0.5), "ip_b": (0, 1)}
"""lr_mult and decay_mult of each parameter."""


def net_text(mults: dict[str, tuple[float, float]] = MULTS) -> str:
    return NET.format(**{n: f"param {{ lr_mult: {lr} decay_mult: {decay} }}" for n, (lr, decay) in mults.items()})


def batches(count: int, seed: int = 0) -> list[Arrays]:
    rng = np.random.default_rng(seed)
    return [
        {
            "data": rng.standard_normal((BATCH, 2, 6, 6)).astype(np.float32),
            "label": rng.integers(0, CLASSES, BATCH).astype(np.float32),
        }
        for _ in range(count)
    ]


def parameters(seed: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    return {name: (0.4 * rng.standard_normal(shape)).astype(np.float32) for name, shape in SHAPES.items()}


def loss_and_gradients(w: Arrays, batch: Arrays) -> tuple[float, Arrays]:
    """The loss of a batch, and its derivative by each parameter."""
    x, label = batch["data"].astype(np.float64), batch["label"].astype(int)
    patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))  # N, C, 4, 4, 3, 3
    conv = np.einsum("nchwij,fcij->nfhw", patches, w["conv_w"]) + w["conv_b"][:, None, None]
    windows = conv.reshape(BATCH, 3, 2, 2, 2, 2).swapaxes(3, 4).reshape(BATCH, 3, 2, 2, 4)
    best = windows.argmax(-1)
    pool = windows.max(-1)
    flat = np.maximum(pool, 0).reshape(BATCH, 12)
    scores = flat @ w["ip_w"].T + w["ip_b"]
    p = np.exp(scores - scores.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    rows = np.arange(BATCH)
    loss = -np.log(p[rows, label]).mean()
    slope = p.copy()
    slope[rows, label] -= 1
    slope /= BATCH
    d_pool = (slope @ w["ip_w"]).reshape(pool.shape) * (pool > 0)
    d_windows = np.eye(4)[best] * d_pool[..., None]
    d_conv = d_windows.reshape(BATCH, 3, 2, 2, 2, 2).swapaxes(3, 4).reshape(conv.shape)
    return loss, {
        "conv_w": np.einsum("nfhw,nchwij->fcij", d_conv, patches),
        "conv_b": d_conv.sum((0, 2, 3)),
        "ip_w": slope.T @ flat,
        "ip_b": slope.sum(0),
    }


def rate(s: dict[str, Any], t: int) -> float:
    """The learning rate at iteration t."""
    base, gamma, power, size = s["base_lr"], s.get("gamma", 0), s.get("power", 0), s.get("stepsize", 0)
    return (
        base
        * {
            "fixed": lambda: 1,
            "step": lambda: gamma ** (t // size),
            "exp": lambda: gamma**t,
            "inv": lambda: (1 + gamma * t) ** -power,
            "multistep": lambda: gamma ** sum(t >= v for v in s["stepvalue"]),
            "poly": lambda: (1 - t / s["max_iter"]) ** power,
            "sigmoid": lambda: 1 / (1 + np.exp(-gamma * (t - size))),
        }[s["lr_policy"]]()
    )


def train(
    s: dict[str, Any],
    w: Arrays,
    data: list[Arrays],
    mults: dict[str, tuple[float, float]] = MULTS,
    net: Callable[[Arrays, Arrays], tuple[float, Arrays]] = loss_and_gradients,
) -> list[float]:
    """The losses of a training, one a step; `w` becomes the parameters after it. net: loss and gradients of a batch."""
    w.update({name: array.astype(np.float64) for name, array in w.items()})
    memory = {name: [np.zeros(a.shape), np.zeros(a.shape)] for name, a in w.items()}
    losses, passes = [], s.get("iter_size", 1)
    for t in range(len(data) // passes):
        found = [net(w, batch) for batch in data[t * passes : (t + 1) * passes]]
        losses.append(sum(loss for loss, _ in found) / passes)
        moved = [name for name in w if mults[name][0]]
        g = {name: sum(each[name] for _, each in found) for name in moved}
        norm = np.sqrt(sum((a**2).sum() for a in g.values()))
        if 0 <= s.get("clip_gradients", -1) < norm:
            g = {name: a * s["clip_gradients"] / norm for name, a in g.items()}
        for name in moved:
            lr_mult, decay_mult = mults[name]
            decay = s.get("weight_decay", 0) * decay_mult
            penalty = np.sign(w[name]) if s.get("regularization_type") == "L1" else w[name]
            slope = g[name] / passes + decay * penalty
            w[name] -= step(s, slope, memory[name], rate(s, t) * lr_mult, t)
    return losses


def step(s: dict[str, Any], g: np.ndarray, h: list[np.ndarray], lr: float, t: int) -> np.ndarray:
    """What to take off a parameter; h is what the solver remembers of it, and is brought up to date."""
    kind, mu, delta = s.get("type", "SGD"), s.get("momentum", 0), s.get("delta", 1e-8)
    if kind in ("SGD", "Nesterov"):
        before, h[0] = h[0], mu * h[0] + lr * g
        return h[0] if kind == "SGD" else (1 + mu) * h[0] - mu * before
    if kind == "AdaGrad":
        h[0] = h[0] + g**2
        return lr * g / (np.sqrt(h[0]) + delta)
    if kind == "RMSProp":
        keep = s.get("rms_decay", 0.99)
        h[0] = keep * h[0] + (1 - keep) * g**2
        return lr * g / (np.sqrt(h[0]) + delta)
    if kind == "AdaDelta":
        h[0] = mu * h[0] + (1 - mu) * g**2
        move = g * np.sqrt((h[1] + delta) / (h[0] + delta))
        h[1] = mu * h[1] + (1 - mu) * move**2
        return lr * move
    second = s.get("momentum2", 0.999)
    h[0] = mu * h[0] + (1 - mu) * g
    h[1] = second * h[1] + (1 - second) * g**2
    return lr * np.sqrt(1 - second ** (t + 1)) / (1 - mu ** (t + 1)) * h[0] / (np.sqrt(h[1]) + delta)

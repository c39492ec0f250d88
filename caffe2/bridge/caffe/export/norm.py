"""Normalizations and resizing of images."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, Weight, exports
from caffe2.bridge.caffe.export.neuron import first_channels, power
from caffe2.bridge.caffe.export.shape import reshape
from caffe2.bridge.caffe.export.site import Refusal, Site


@exports("LRN")
def _(s: Site, e: Draft) -> None:
    """Alpha is divided by the size in both. In place, the second output raised to -2 beta is Caffe's own result."""
    first_channels(s)
    a = s.args
    if len(s.in_shape) != 4:
        raise Refusal(f"X has {len(s.in_shape)} axes, and Caffe normalizes images [N, C, H, W]")
    names = {"local_size": a["size"], "alpha": a["alpha"], "beta": a["beta"], "k": a["bias"]}
    if e.read(s, 1):
        after = e.sole(s.outputs[1])
        squared = after is not None and after.type == "Pow" and after.args["exponent"] == np.float32(-2 * a["beta"])
        if not squared or e.read(s, 0):
            raise Refusal(f"its second output {s.outputs[1]!r} is read, and Caffe does not give it")
        e.done.add(after.index)
        e.overwriting.add(after.y)
        same = e.origin(s.x) == e.origin(after.y) and len(e.program.readers[s.x]) == 1 and s.x not in e.program.outputs
        inner = s.x if same else e.layer("Split", s.x)
        e.layer("LRN", inner, after.y if same else inner, lrn_param=names)
        if not same:
            e.layer("Split", inner, after.y)
        return
    e.layer("LRN", s.x, s.y, lrn_param=names)


@exports("SpatialBN")
def _(s: Site, e: Draft) -> None:
    """(x - mean) / sqrt(var + eps) is a BatchNorm layer, times a scale plus a bias a Scale layer.

    That one is left out where scales are all 1 and biases 0.
    """
    first_channels(s)
    _, scale, bias, mean, var = s.inputs[:5]
    if len(s.inputs) > 5:
        raise Refusal("its statistics are those of several batches", argument="num_batches")
    if any(e.read(s, k) for k in (3, 4)):
        raise Refusal("the statistics of the batch that it gives are read, and Caffe does not give them")
    stored = bool(s.args["is_test"])
    if not stored:
        e.note("batch normalization with is_test=0 takes the batch's own statistics, here and in the file")
    param = {"use_global_stats": stored, "eps": s.args["epsilon"]}
    param |= {} if stored else {"moving_average_fraction": s.args["momentum"]}
    weights = [e.shaped(mean, (-1,)), e.shaped(var, (-1,)), Weight(np.ones(1, np.float32))]
    scales, biases = e.shaped(scale, (-1,)), e.shaped(bias, (-1,))
    plain = (scales.array == 1).all() and (biases.array == 0).all()
    top = e.layer("BatchNorm", s.x, s.y, weights=weights, batch_norm_param=param)
    if not plain:
        e.layer("Scale", top, top, weights=[scales, biases], name=f"{s.y}_scale", scale_param={"bias_term": True})


@exports("InstanceNorm")
def _(s: Site, e: Draft) -> None:
    first_channels(s)
    if e.read(s, 1) or e.read(s, 2):
        raise Refusal("the statistics that it gives are read, and Caffe does not give them")
    weights = [e.shaped(name, (-1,)) for name in s.inputs[1:]]
    param = {"affine": True, "eps": s.args["epsilon"]}
    e.layer("InstanceNorm", s.x, s.y, weights=weights, fork={"instance_norm_param": param})


@exports("Normalize")
def _(s: Site, e: Draft) -> None:
    """Rows over their norms are x (sum x^2)^(-1/2), channels over theirs SSD's Normalize layer."""
    shape, axis = s.in_shape, s.args["axis"] % len(s.in_shape)
    if int(np.prod(shape[axis + 1 :])) == 1:
        squares = e.layer("Reduction", s.x, "", reduction_param={"operation": "SUMSQ", "axis": axis})
        e.layer("Scale", [s.x, e.layer("Power", squares, "", **power(-0.5, shift=TINY))], s.y, scale_param={"axis": 0})
        return
    if axis != 1:
        raise Refusal(f"norms are taken along axis {axis} of {list(shape)}", argument="axis", advice="transpose first")
    param = {"across_spatial": False, "channel_shared": True, "eps": TINY}
    e.layer("Normalize", s.x, s.y, weights=[Weight(np.ones((), np.float32))], fork={"norm_param": param})


TINY = 1e-24
"""The square of the norm below which Caffe2 divides by no less."""


@exports("Softmax")
def _(s: Site, e: Draft) -> None:
    """All axes from one on make one row; Caffe's runs along one axis."""
    softmax(e, s.x, s.y, s.in_shape, s.args["axis"] % len(s.in_shape))


def softmax(e: Draft, x: str, y: str, shape: tuple[int, ...], axis: int) -> None:
    """Write a Softmax over rows that begin at an axis."""
    if int(np.prod(shape[axis + 1 :])) == 1:
        e.layer("Softmax", x, y, softmax_param={"axis": axis} if axis != 1 else {})
        return
    rows = (int(np.prod(shape[:axis])), int(np.prod(shape[axis:])))
    flat = e.layer("Softmax", reshape(e, x, "", shape, rows))
    reshape(e, flat, y, rows, shape)


@exports("ResizeNearest", "UpsampleNearest")
def _(s: Site, e: Draft) -> None:
    """Numbers repeated are a fork's Upsample layer; for BVLC's Caffe a convolution of each channel by ones, undone."""
    first_channels(s)
    (_, c, *size), (_, _, *after) = s.in_shape, s.out_shape
    factors = [b // a if a and b % a == 0 else 0 for a, b in zip(size, after)]
    if len(s.inputs) > 1 or min(factors) < 1 or not _exact(s, factors):
        raise Refusal(f"from {size} to {after} is no whole number of times", argument="height_scale")
    high, wide = factors
    if not e.bvlc:
        param = {"scale": float(high)} if high == wide else {"stride_h": high, "stride_w": wide}
        e.layer("Upsample", s.x, s.y, fork={"upsample_param": param})
        return
    weights = [Weight(np.ones((c, 1, high, wide), np.float32))]
    size = {"kernel_h": high, "kernel_w": wide, "stride_h": high, "stride_w": wide}
    e.layer(
        "Deconvolution",
        s.x,
        s.y,
        weights=weights,
        convolution_param={"num_output": c, "group": c, "bias_term": False, **size},
    )


def _exact(s: Site, factors: list[int]) -> bool:
    given = [s.args.get(name, s.args.get("scale")) for name in ("height_scale", "width_scale")]
    return all(abs(a - b) < 1e-6 for a, b in zip(factors, given))


@exports("UpsampleBilinear")
def _(s: Site, e: Draft) -> None:
    high, wide = s.out_shape[2:]
    e.layer("Interp", s.x, s.y, fork={"interp_param": {"height": high, "width": wide}})


@exports("CaffeInterp")
def _(s: Site, e: Draft) -> None:
    (high, wide), (begin, end) = s.args["size"], s.args["crop"] or (0, 0)
    crop = {"pad_beg": -begin, "pad_end": -end} if begin or end else {}
    e.layer("Interp", s.x, s.y, fork={"interp_param": {"height": high, "width": wide, **crop}})


@exports("CaffeUnpool")
def _(s: Site, e: Draft) -> None:
    high, wide = s.args["size"]
    e.layer("Upsample", s.inputs, s.y, fork={"upsample_param": {"upsample_h": high, "upsample_w": wide}})

"""What fully connected layers share: sizes, fills and clipped parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.helpers.arg_scope import get_current_scope
from caffe2.python.layers._losses import demand_scalar

Fill = tuple[str, dict[str, Any]]


def input_size(record: schema.Field, axis: int) -> int:
    """The number of elements of an example from axis `axis` on, the first axis being that of the examples."""
    demand_scalar(record, dimensions=1)
    demand(axis >= 1, f"axis {axis} should >= 1.")
    size = math.prod(record.field_types()[0].shape[axis - 1 :])
    demand(size > 0, f"a fully connected layer expects input dimensions > 0, got {size}")
    return size


def uniform_fill(input_dims: int, numerator: float | None = 1.0) -> Fill:
    """Uniform in +-sqrt(numerator / input_dims)."""
    scale = math.sqrt((1.0 if numerator is None else numerator) / input_dims)
    return "UniformFill", {"min": -scale, "max": scale}


def clip_arguments(clip_param: Sequence[float | None] | None) -> dict[str, float] | None:
    """The arguments of Clip for a pair of bounds, one of which may be None. Raises Misuse for no range."""
    if clip_param is None:
        return None
    demand(len(clip_param) == 2, f"clip_param is a pair of bounds, not {clip_param!r}")
    low, high = clip_param
    demand(low is not None or high is not None, "one of the bounds in clip_param is not None")
    demand(low is None or high is None or low < high, f"clip_param is no range: {clip_param!r}")
    return {name: bound for name, bound in (("min", low), ("max", high)) if bound is not None}


def clipped(net: core.Net, params: list[Any], arguments: dict[str, float] | None) -> list[Any]:
    """Parameters clipped, if there are arguments of Clip."""
    if arguments is None:
        return params
    blobs = [net.NextScopedBlob(f"clipped_{param}") for param in params]
    for param, blob in zip(params, blobs):
        net.Clip([param], [blob], **arguments)
    return blobs


def predictor_precision() -> str:
    """The precision that the argument scope around asks of a predictor: `arg_scope(get_fc_predictor_version, ...)`."""
    return get_current_scope().get("get_fc_predictor_version", {"fc_version": "fp32"})["fc_version"]

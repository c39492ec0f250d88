"""Calls of single operators on tensors, without a workspace of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.device import CPU, TORCH_NAMES
from caffe2.runtime.workspace import Workspace


def call(name: str, inputs: Sequence[Tensor], arguments: Mapping[str, Any], outputs: int) -> list[Tensor]:
    """The first so many outputs of an operator, run where its first input is; an empty tensor where it gives none.

    arguments: numbers, strings, and sequences of them. Raises EnforceNotMet as the operator does.
    """
    op = caffe2_pb2.OperatorDef(type=name)
    workspace = Workspace()
    for k, value in enumerate(inputs):
        op.input.append(f"i{k}")
        workspace.cell(f"i{k}").value = value.detach().contiguous()
    op.output.extend(f"o{k}" for k in range(outputs))
    op.arg.extend(make_argument(key, value) for key, value in arguments.items())
    if inputs and inputs[0].device != CPU:
        op.device_option.CopyFrom(_option(inputs[0].device))
    workspace.run_operator_once(op)
    made = [workspace.cell(blob).value for blob in op.output]
    return [value if isinstance(value, Tensor) else torch.empty(0) for value in made]


def _option(device: torch.device) -> caffe2_pb2.DeviceOption:
    kind = next(number for number, name in TORCH_NAMES.items() if name == device.type)
    return caffe2_pb2.DeviceOption(device_type=kind, device_id=device.index or 0)

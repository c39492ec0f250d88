"""Random numbers: the generator that an operator draws from."""

from __future__ import annotations

import torch

from caffe2.proto import caffe2_pb2


def generator(op: caffe2_pb2.OperatorDef, device: torch.device) -> torch.Generator | None:
    """A generator of the operator's own where its device option holds a seed, else None: torch's default one."""
    if not op.device_option.HasField("random_seed"):
        return None
    made = torch.Generator(device if device.type != "meta" else "cpu")
    made.manual_seed(op.device_option.random_seed)
    return made

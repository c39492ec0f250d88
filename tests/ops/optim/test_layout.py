"""Steps of optimizers where tensors lie in memory in different orders, as filters of convolutions do."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

STEPS = {
    "Adagrad": ("w h g lr", "w h"),
    "Adam": ("w h h2 g lr t", "w h h2"),
    "Adadelta": ("w h h2 g lr", "w h h2"),
    "MomentumSGDUpdate": ("g h lr w", "g h w"),
    "RmsProp": ("g h h2 lr", "g h h2"),
}


def stepped(kind: str, orders: tuple[torch.memory_format, ...]) -> list[torch.Tensor]:
    inputs, outputs = (names.split() for names in STEPS[kind])
    torch.manual_seed(0)
    workspace = Workspace()
    for name, order in zip(("w", "g", "h", "h2"), orders):
        workspace.cell(name).value = (torch.rand(3, 2, 4, 5) + 0.1).contiguous(memory_format=order)
    workspace.cell("lr").value, workspace.cell("t").value = torch.tensor([-0.1]), torch.tensor([3])
    workspace.run_operator_once(caffe2_pb2.OperatorDef(type=kind, input=inputs, output=outputs))
    return [workspace.cell(name).value for name in outputs]


@pytest.mark.parametrize("kind", STEPS)
def test_the_order_in_memory_changes_nothing(kind: str) -> None:
    orders = torch.contiguous_format, torch.channels_last
    want = stepped(kind, (orders[0],) * 4)
    for chosen in product(orders, repeat=4):
        for a, b in zip(stepped(kind, chosen), want, strict=True):
            torch.testing.assert_close(a, b)

"""The compile law: a bound operator traces on fake tensors, and the trace computes the same."""

from __future__ import annotations

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from caffe2.runtime.bind import bind
from tests.sample import Sample


def trace(sample: Sample) -> None:
    """Trace the kernel of a sample with fake tensors and compare the trace with the kernel."""
    op = sample.definition()
    step = bind(op, sample.workspace())
    values = [cell.value for cell in step.inputs]
    if not values or not all(isinstance(v, torch.Tensor) for v in values):
        return
    slots = step.definition.header.inputs.slots
    if any(s.run for s in slots[:-1]) or (any(s.kind == "?" for s in slots[:-1]) and len(values) < len(slots)):
        return
    want = step.kernel(*[v.clone() for v in values])
    if not step.outputs or not all(isinstance(t, torch.Tensor) for t in _flat(want)):
        return
    graph = make_fx(lambda *xs: step.kernel(*xs), tracing_mode="fake", _allow_non_fake_inputs=True)(
        *[v.clone() for v in values]
    )
    got = graph(*[v.clone() for v in values])
    for a, b in zip(_flat(got), _flat(want)):
        torch.testing.assert_close(a, b, equal_nan=True)


def _flat(found: object) -> list:
    return list(found) if type(found) in (tuple, list) else [found]

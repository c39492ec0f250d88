"""The laws: what every registered operator obeys, on every one of its samples."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from caffe2.opdef import NONE, REFUSED, UNKNOWN, EnforceNotMet, infer, lookup, registry, verify
from caffe2.opdef.inference import META
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.workspace import Workspace
from tests.laws.gradients import check_gradient
from tests.laws.tracing import trace
from tests.sample import Sample, load_all, samples_of

load_all()
EVERY = sorted(registry)


def tried(law: str):
    """Parametrize a test over every sample that the law holds for."""
    cases = [(s, f"{name}-{k}") for name in EVERY for k, s in enumerate(samples_of(name)) if law not in s.except_]
    return pytest.mark.parametrize("sample", [c for c, _ in cases], ids=[i for _, i in cases])


def ran(sample: Sample, op: caffe2_pb2.OperatorDef | None = None) -> tuple[Workspace, caffe2_pb2.OperatorDef]:
    workspace, op = sample.workspace(), op or sample.definition()
    torch.manual_seed(11)
    workspace.run_operator_once(op)
    return workspace, op


def value(workspace: Workspace, name: str) -> Any:
    return workspace.require(name).value


def tensor(v: Any) -> torch.Tensor | None:
    return v.data if isinstance(v, Int8Tensor) else v if isinstance(v, torch.Tensor) else None


def assert_same(got: Any, want: Any, what: str, **tolerance: float) -> None:
    if isinstance(want, torch.Tensor):
        torch.testing.assert_close(got, want, equal_nan=True, msg=lambda m: f"{what}: {m}", **tolerance)
    elif isinstance(want, np.ndarray):
        assert np.array_equal(got, want), what


def images(sample: Sample) -> bool:
    """Whether a sample has an input of four dimensions."""
    return "layout" not in sample.except_ and any(isinstance(x, np.ndarray) and x.ndim == 4 for x in sample.inputs)


@pytest.mark.parametrize("name", EVERY)
def test_has_samples(name: str) -> None:
    assert samples_of(name), f"declare samples of {name} beside the tests of its family"


@pytest.mark.parametrize("name", EVERY)
def test_text(name: str) -> None:
    d = lookup(name)
    assert len(d.doc) > 15, f"{name} has no document"


@pytest.mark.parametrize("name", EVERY)
def test_header(name: str) -> None:
    d = lookup(name)
    ins, outs = d.header.inputs, d.header.outputs
    for counts in ((ins.least - 1, outs.least), (ins.least, outs.least - 1)):
        if min(counts) >= 0:
            refused(name, *counts)
    if ins.most < float("inf"):
        refused(name, ins.most + 1, outs.least)
    if outs.most < float("inf"):
        refused(name, ins.least, outs.most + 1)


def refused(name: str, inputs: int, outputs: int) -> None:
    op = caffe2_pb2.OperatorDef(type=name)
    op.input.extend(f"i{k}" for k in range(int(inputs)))
    op.output.extend(f"o{k}" for k in range(int(outputs)))
    with pytest.raises(EnforceNotMet):
        verify(op)


@tried("shape")
def test_shape(sample: Sample) -> None:
    workspace, op = ran(sample)
    before = sample.workspace()
    metas = [tensor(value(before, n)) for n in op.input]
    inferred = infer(op, [m if m is None else m.to(META) for m in metas])
    known = lookup(op.type).shape is not UNKNOWN
    for name, meta in zip(op.output, inferred):
        real = value(workspace, name)
        if meta is not None and isinstance(real, torch.Tensor):
            assert tuple(meta.shape) == tuple(real.shape) and meta.dtype == real.dtype, f"{name}: {meta} inferred"
        elif known and isinstance(real, torch.Tensor) and None not in metas:
            pytest.fail(f"the shape of {name} is not inferred; say shape=UNKNOWN if only the data can tell")


@tried("inplace")
def test_inplace(sample: Sample) -> None:
    apart, op = ran(sample)
    d, fresh = lookup(op.type), sample.workspace()
    for name in set(op.input) - set(op.output):
        assert_same(value(apart, name), value(fresh, name), f"{name} was overwritten")
    ins, outs = d.header.inputs.assign(op.input), d.header.outputs.assign(range(len(op.output)))
    for rule in d.inplace or ():
        source, place = ins.get(rule.input), outs.get(rule.output)
        if rule.forced or source is None or place is None or isinstance(place, list) or isinstance(source, list):
            continue
        together = copy.deepcopy(op)
        if source in together.output or tensor(value(fresh, source)) is None:
            continue
        together.output[place] = source
        merged, _ = ran(sample, together)
        for a, b in zip(op.output, together.output):
            assert_same(value(merged, b), value(apart, a), f"{b} written in place")


@tried("alias")
def test_alias(sample: Sample) -> None:
    workspace, op = ran(sample)
    if lookup(op.type).shares:
        return
    pointers: dict[int, str] = {}
    for name in dict.fromkeys([*op.input, *op.output]):
        held = tensor(value(workspace, name))
        if held is not None and held.numel():
            at = held.untyped_storage().data_ptr()
            other = pointers.setdefault(at, name)
            assert other == name or (other in op.input and name in op.input), f"{name} shares its storage with {other}"
            assert torch._debug_has_internal_overlap(held) != 1, f"elements of {name} share their storage"


@pytest.mark.parametrize("name", [name for name in EVERY if any(map(images, samples_of(name)))])
def test_layout(name: str) -> None:
    """Images whose channels lie last in memory, as convolutions leave them, are the same images."""
    for sample in filter(images, samples_of(name)):
        plain, op = ran(sample)
        workspace = sample.workspace()
        for k in range(len(sample.inputs)):
            cell = workspace.require(f"i{k}")
            if isinstance(cell.value, torch.Tensor) and cell.value.dim() == 4:
                cell.value = cell.value.contiguous(memory_format=torch.channels_last)
        torch.manual_seed(11)
        workspace.run_operator_once(op)
        for output in op.output:
            assert_same(value(workspace, output), value(plain, output), output, rtol=1e-3, atol=1e-4)


@tried("gradient")
def test_gradient(sample: Sample) -> None:
    d = lookup(sample.op)
    if d.gradient in (None, NONE, REFUSED):
        return
    check_gradient(sample)


@tried("device")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_device(sample: Sample) -> None:
    d = lookup(sample.op)
    if d.random:
        return
    here, op = ran(sample)
    there, moved = sample.workspace(), copy.deepcopy(op)
    moved.device_option.device_type = caffe2_pb2.PROTO_CUDA
    bound = d.header.inputs.assign(op.input)
    kept = {n for slot in d.host for n in ([bound.get(slot)] if not isinstance(bound.get(slot), list) else bound[slot])}
    for name in op.input:
        cell = there.require(name)
        if isinstance(cell.value, torch.Tensor) and name not in kept:
            cell.value = cell.value.cuda()
    there.run_operator_once(moved)
    for name in op.output:
        got = value(there, name)
        got = got.cpu() if isinstance(got, torch.Tensor) else got
        assert_same(got, value(here, name), name, rtol=1e-3, atol=1e-4)


@tried("compile")
def test_compile(sample: Sample) -> None:
    d = lookup(sample.op)
    if d.shape is UNKNOWN or not d.stores or d.random:
        return
    trace(sample)


@tried("wire")
def test_wire(sample: Sample) -> None:
    op = sample.definition()
    again = caffe2_pb2.OperatorDef.FromString(op.SerializeToString())
    assert again == op
    first, _ = ran(sample, op)
    second, _ = ran(sample, again)
    if not lookup(op.type).random:
        for name in op.output:
            assert_same(value(second, name), value(first, name), name)

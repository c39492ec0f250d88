"""Blobs of a data-parallel model: what they are called without their device, and which device holds each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope
from caffe2.python._misuse import demand

Grouped = dict[str, dict[int, Any]]
"""Blobs by their name without the device, then by the device's number."""


def stripBlobName(param: Any) -> str:
    """The name of a blob without its first scope, "a/b/c" -> "b/c"; of a sparse gradient both, joined by a colon."""
    if isinstance(param, core.GradientSlice):
        return f"{stripBlobName(param.indices)}:{stripBlobName(param.values)}"
    name = str(param)
    return name[name.index(scope._NAMESCOPE_SEPARATOR) + 1 :]


def device_scope(model: Any, device: int) -> str:
    """The name scope of a device: "cpu_1"."""
    return f"{model._device_prefix}_{device}"


def each_device(model: Any, build: Callable[[int], Any]) -> dict[int, Any]:
    """What `build` gives for every device of a model, called in the device's scopes."""
    found = {}
    for device in model._devices:
        with core.DeviceScope(core.DeviceOption(model._device_type, device)):
            with core.NameScope(device_scope(model, device)):
                found[device] = build(device)
    return found


def _device_number(model: Any, blob: Any) -> int:
    space = blob.GetNameScope()
    number = int(space.split("_")[1].split("/")[0])
    demand(
        f"{device_scope(model, number)}/" in space, f"{blob} lies outside the scopes {model._device_prefix}_<device>"
    )
    return number


def _GroupByDevice(
    model: Any, devices: Sequence[int], params: Sequence[Any], non_data_params: Sequence[Any]
) -> Grouped:
    """Blobs, or sparse gradients, without the first ones, which are not replicated: by name, then by device."""
    grouped: Grouped = OrderedDict()
    for param in params[len(non_data_params) :]:
        sparse = isinstance(param, core.GradientSlice)
        demand(sparse or isinstance(param, core.BlobReference), f"{param} is no BlobReference or GradientSlice")
        number = _device_number(model, param.indices if sparse else param)
        if sparse:
            demand(_device_number(model, param.values) == number, f"{param} lies on two devices")
        grouped.setdefault(stripBlobName(param), {})[number] = param
    return grouped


def _ValidateParams(params: Iterable[Any]) -> None:
    """Raise Misuse where a parameter is listed twice."""
    seen: set[Any] = set()
    twice = [p for p in params if p in seen or seen.add(p)]
    demand(not twice, f"Duplicate entries in params: {twice}")


def _InferBlobDevice(model: Any) -> None:
    """Note for every blob the device of the operator that names it first; an Iter counts on the CPU."""
    where: dict[str, caffe2_pb2.DeviceOption] = {}

    def look(net: caffe2_pb2.NetDef) -> None:
        for op in net.op:
            device = caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU) if op.type == "Iter" else op.device_option
            for blob in [*op.input, *op.output]:
                where.setdefault(blob, device)
            if op.type.startswith("RecurrentNetwork"):
                for step in (a for a in op.arg if a.name.endswith("step_net")):
                    look(step.n)

    look(model.param_init_net.Proto())
    look(model.net.Proto())
    model._blob_to_device = where


def _type_of(model: Any, blob_name: str) -> int:
    for name in (blob_name, f"{device_scope(model, model._devices[0])}/{blob_name}"):
        if name in model._blob_to_device:
            return model._blob_to_device[name].device_type
    return model._device_type


def _IsGPUBlob(model: Any, blob_name: str) -> bool:
    """Whether a blob, named with or without its device, is on a GPU."""
    return core.IsGPUDeviceType(_type_of(model, blob_name))


def _IsIDEEPBlob(model: Any, blob_name: str) -> bool:
    """Whether a blob, named with or without its device, is MKL-DNN's."""
    return _type_of(model, blob_name) == caffe2_pb2.IDEEP


def _ComputeBlobsToSync(model: Any) -> tuple[list[Any], set[str]]:
    """What param_init_net makes on the devices, by device and name, and the names without devices.

    Of a shared model only the computed parameters.
    """
    if model._shared_model:
        blobs = [str(p) for p in model.GetComputedParams("")]
    else:
        made = (o for op in model.param_init_net.Proto().op for o in op.output)
        blobs = [o for o in made if o.startswith(f"{model._device_prefix}_")]
    names = {stripBlobName(b) for b in blobs}
    missing = set() if model._shared_model else set(model._param_names) - names
    demand(not missing, f"param_init_net does not make the parameters {missing}")
    start = len(model._device_prefix) + 1
    number = {b: int(b[start : b.index(scope._NAMESCOPE_SEPARATOR)]) for b in blobs}
    return [core.BlobReference(b) for b in sorted(number, key=lambda b: (number[b], b))], names


def _AnalyzeOperators(model: Any) -> None:
    """Raise Misuse where an operator on a GPU names a blob of another one and is none that moves data."""
    for op in model.Proto().op:
        moves = any(word in op.type for word in ("NCCL", "Copy", "Concat")) or (op.type == "Sum" and op.name == "dpm")
        if moves or ("Allreduce" in op.type and "GLOO" in op.engine):
            continue
        if not core.IsGPUDeviceType(op.device_option.device_type):
            continue
        here = device_scope(model, op.device_option.device_id) + "/"
        for blob in [*op.input, *op.output]:
            strange = blob.startswith(f"{model._device_prefix}_") and not blob.startswith(here)
            demand(not strange, f"Blob {blob} of op {op.type}, should have namescope {here}. Op: {op}")

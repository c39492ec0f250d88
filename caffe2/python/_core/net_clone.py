"""Copies of nets: whole, in part, under other blob names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import schema
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net_records import NetRecords
from caffe2.python._core.remap import RemapFunction, copy_net
from caffe2.python._core.ssa import get_op_ids_in_path, get_ssa, get_undefined_blobs
from caffe2.python._misuse import demand


class NetCloning(NetRecords):
    """The part of a net that makes copies of it."""

    _attr_dict: dict[str, list[Any]]

    def _of_proto(self, proto: caffe2_pb2.NetDef) -> Any:
        """A net that starts from a copy of `proto`."""
        raise NotImplementedError

    def Clone(
        self,
        name: str,
        blob_remap: Mapping[str, Any] | None = None,
        op_id_mask: Iterable[int] | None = None,
        remap_funcs: Mapping[str, RemapFunction] | None = None,
        keep_schema: bool = True,
        update_external_list: bool = False,
    ) -> Any:
        """A copy named `name`.

        blob_remap: new names of blobs.
        op_id_mask: the indices of the operators to copy; all of them by default.
        remap_funcs: what else to rename in operators, by type, besides the arguments of control operators and
            recurrent networks: functions of the new operator, the prefix `name/` and blob_remap.
        keep_schema: take the input and output record over.
        update_external_list: have as external inputs what no operator copied makes before, as outputs what none reads.
        """
        remap = {str(old): new for old, new in (blob_remap or {}).items()}
        made = self._of_proto(copy_net(self._net, name, remap, op_id_mask, remap_funcs))
        if keep_schema:
            made._take_records(self, remap)
        for attribute, objects in self._attr_dict.items():
            made._attr_dict[attribute] = list(objects)
        if update_external_list:
            _set_external(made.Proto())
        return made

    def ClonePartial(
        self, name: str, inputs: Any, outputs: Iterable[Any], remap_funcs: Mapping[str, RemapFunction] | None = None
    ) -> tuple[Any, list[BlobReference]]:
        """A copy of the operators that make `outputs` from `inputs`, and references to the copies of these outputs.

        inputs: blobs, or a dict or list of pairs of blobs to the names they have in the copy. Blobs that are made
        within get the prefix `name/`; those that come from elsewhere keep their names.
        Raises Misuse where an output is not defined, or needs an operator that makes one of the inputs.
        """
        renamed = {str(k): str(v) for k, v in _pairs(inputs)}
        wanted = list(map(str, outputs))
        for output in wanted:
            demand(self.BlobIsDefined(output), f"{output} is not defined in net {self._net.name!r}")
        ssa, versions = get_ssa(self._net, dict.fromkeys(renamed, 0))
        used = get_op_ids_in_path(ssa, versions, renamed, wanted)
        making = sorted(set(used) & set(get_op_ids_in_path(ssa, versions, [], renamed)))
        demand(not making, f"cannot clone: operators {making} are needed, and make one of the inputs {list(renamed)}")
        outside = sorted(get_undefined_blobs([ssa[i] for i in used]) - renamed.keys())
        prefix = f"{name}/" if name else ""
        remap = {blob: prefix + blob for blob in versions} | dict(zip(outside, outside)) | renamed
        made = self.Clone(name, remap, used, remap_funcs)
        proto = made.Proto()
        proto.external_input[:] = [*(remap[blob] for blob in renamed), *outside]
        proto.external_output[:] = [remap[blob] for blob in wanted]
        return made, [made.GetBlobRef(blob) for blob in proto.external_output]


def _pairs(inputs: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(inputs, Mapping):
        return inputs.items()
    inputs = list(inputs)
    if all(isinstance(i, tuple) and len(i) == 2 for i in inputs):
        return inputs
    return zip(inputs, inputs)


def _set_external(net: caffe2_pb2.NetDef) -> None:
    """Have a net take in what it does not make, and give out what it does not use."""
    made: dict[str, None] = {}
    used: set[str] = set()
    taken: list[str] = []
    for op in net.op:
        taken += [name for name in op.input if name not in made]
        used.update(name for name in op.input if name in made)
        made.update(dict.fromkeys(op.output))
    net.external_input[:] = list(dict.fromkeys(taken))
    net.external_output[:] = [name for name in made if name not in used]


def clone_and_bind_net(
    net: NetCloning,
    name: str,
    prefix: str,
    blob_remap: dict[str, str] | None = None,
    inputs: schema.Field | None = None,
    keep_schema: bool = True,
) -> tuple[Any, dict[str, str]]:
    """A copy of a net whose own blobs get `prefix`, and the map of old names to new, which `blob_remap` is made into.

    inputs: a record to read from, which has at least the fields of the net's input record.
    keep_schema: take the records over, renamed; otherwise `inputs`, if given, becomes the input record.
    """
    demand(isinstance(net, NetCloning), f"a net is cloned, not a {type(net).__name__}")
    remap = {} if blob_remap is None else blob_remap
    if inputs is not None:
        remap.update(_bound_inputs(net, inputs))
    ssa, versions = get_ssa(net.Proto())
    undefined = get_undefined_blobs(ssa)
    for blob in versions:
        remap.setdefault(blob, blob if blob in undefined else prefix + blob)
    made = net.Clone(name, remap, keep_schema=keep_schema)
    if not keep_schema and inputs:
        made.set_input_record(inputs)
    return made, remap


def _bound_inputs(net: NetCloning, inputs: schema.Field) -> dict[str, str]:
    demand(isinstance(inputs, schema.Field), f"inputs are a record, not a {type(inputs).__name__}")
    original = net.input_record()
    demand(original is not None, f"net {net._net.name!r} has no input record to bind")
    missing = set(original.field_names()) - set(inputs.field_names())
    demand(
        not missing,
        f"Schemas don't match, extra fields {missing} found in the net {net._net.name}."
        f" original: {original.field_names()}; inputs: {inputs.field_names()}",
    )
    given = dict(zip(inputs.field_names(), inputs.field_blobs()))
    return {str(blob): str(given[field]) for field, blob in zip(original.field_names(), original.field_blobs())}

"""The blobs of a net: which it defines and takes in, and names for new ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._core.blob_reference import BlobReference, ScopedBlobReference, ScopedName
from caffe2.python._core.remap import remap_input
from caffe2.python._misuse import demand


class NetBlobs:
    """The part of a net that knows its blobs by name.

    The NetDef handed out by Proto() may be changed by anyone, so the tables of names are made anew after that.
    """

    _net: caffe2_pb2.NetDef

    def _init_blobs(self) -> None:
        self._registered_blob_names: set[str] = set()
        self._next_blob_name_ids: dict[str, int] = {}
        self._next_name_index = self._first_free_index()
        self._RecreateLookupTables()

    def _first_free_index(self) -> int:
        prefix = f"{self._net.name}_blob_"
        names = {name for op in self._net.op for name in (*op.input, *op.output)}
        numbers = [name[len(prefix) :] for name in names if name.startswith(prefix)]
        return max((int(n) for n in numbers if n.isdecimal()), default=-1) + 1

    def Proto(self) -> caffe2_pb2.NetDef:
        """The NetDef itself, which may be changed."""
        self._InvalidateLookupTables()
        return self._net

    def _InvalidateLookupTables(self) -> None:
        self._recreate_lookup_tables = True

    def _RecreateLookupTables(self) -> None:
        self._op_outputs = {name for op in self._net.op for name in op.output}
        self._external_input_map = set(self._net.external_input)
        self._recreate_lookup_tables = False

    def _CheckLookupTables(self) -> None:
        outputs = {name for op in self._net.op for name in op.output}
        demand(outputs <= self._op_outputs, f"outputs not in the table: {outputs - self._op_outputs}")
        inputs = set(self._net.external_input)
        demand(inputs <= self._external_input_map, f"inputs not in the table: {inputs - self._external_input_map}")

    def _tables(self) -> None:
        if self._recreate_lookup_tables:
            self._RecreateLookupTables()

    def _ExtendOps(self, new_ops: Iterable[caffe2_pb2.OperatorDef]) -> None:
        new_ops = list(new_ops)
        self._net.op.extend(new_ops)
        self._op_outputs.update(name for op in new_ops for name in op.output)

    def extend_ops(self, new_ops: Iterable[caffe2_pb2.OperatorDef]) -> None:
        """Append operators."""
        self._ExtendOps(new_ops)

    # What is defined

    def BlobIsDefined(self, blob: Any) -> bool:
        """Whether an operator of the net writes the blob, or it is an external input."""
        self._tables()
        name = str(blob)
        return name in self._op_outputs or name in self._external_input_map

    def is_external_input(self, blob: Any) -> bool:
        """Whether the blob is an external input."""
        self._tables()
        return str(blob) in self._external_input_map

    def UsesBlob(self, blob: Any) -> bool:
        """Whether an operator of the net reads the blob, or it is an external input."""
        name = str(blob)
        return any(name in op.input for op in self._net.op) or self.is_external_input(name)

    def UsedBlobNames(self) -> set[str]:
        """Every name of a blob in the net."""
        names = {name for op in self._net.op for name in (*op.input, *op.output)}
        return names.union(self._net.external_input, self._net.external_output)

    def GetBlobRef(self, blob_name: Any) -> BlobReference:
        """A reference to a blob that the net defines. Raises KeyError for another."""
        if not self.BlobIsDefined(blob_name):
            raise KeyError(f"Net does not define blob {blob_name}")
        return BlobReference(str(blob_name), self)

    # New names

    def NextScopedBlob(self, prefix: str = "unnamed") -> BlobReference:
        """NextBlob of `prefix` under the current name scope."""
        return self.NextBlob(ScopedName(prefix))

    def NextBlob(self, prefix: str = "unnamed") -> BlobReference:
        """A blob named `prefix`, or prefix_auto_0, _1 ..., that the net neither defines nor was asked for before."""
        name, index = str(prefix), 0
        while name in self._registered_blob_names or self.BlobIsDefined(name):
            name = f"{prefix}_auto_{index}"
            index += 1
        self._registered_blob_names.add(name)
        return BlobReference(name)

    def NextName(self, prefix: str | None = None, output_id: int | None = None) -> str:
        """A name that the net does not define, for an operator's output: net/prefix, net/prefix:id, net/prefix_2 ...

        Without a prefix: net_blob_0, net_blob_1 ...
        """
        if not prefix:
            self._next_name_index += 1
            return f"{self._net.name}_blob_{self._next_name_index - 1}"
        base = f"{self._net.name}/{prefix}"
        suffix = "" if output_id is None else f":{output_id}"
        name = key = base + suffix
        index = self._next_blob_name_ids.get(key, 2)
        while self.BlobIsDefined(ScopedBlobReference(name)):
            name = f"{base}_{index}{suffix}"
            index += 1
            self._next_blob_name_ids[key] = index
        return name

    # Inputs and outputs of the net

    @property
    def external_inputs(self) -> list[BlobReference]:
        """The blobs that the net takes from outside."""
        return list(map(BlobReference, self._net.external_input))

    @property
    def external_outputs(self) -> list[BlobReference]:
        """The blobs that the net makes for others."""
        return list(map(BlobReference, self._net.external_output))

    def AddExternalInput(self, *inputs: Any) -> BlobReference | list[BlobReference]:
        """Take blobs in from outside; a reference to the one, or a list. Raises Misuse for one taken in before."""
        demand(inputs, "no external input is given to be added")
        names = list(map(str, inputs))
        for position, name in enumerate(names):
            taken = self.is_external_input(name) or name in names[:position]
            demand(not taken, f"Net already contains an input named {name}")
        self._net.external_input.extend(names)
        self._external_input_map.update(names)
        references = list(map(BlobReference, names))
        return references[0] if len(references) == 1 else references

    def AddExternalInputs(self, *inputs: Any) -> BlobReference | list[BlobReference]:
        """AddExternalInput."""
        return self.AddExternalInput(*inputs)

    def AddScopedExternalInputs(self, *inputs: str) -> list[BlobReference]:
        """Take blobs of the current name scope in from outside; a list, of one too."""
        added = self.AddExternalInput(*map(ScopedBlobReference, inputs))
        return added if isinstance(added, list) else [added]

    def AddExternalOutput(self, *outputs: BlobReference) -> None:
        """Declare blobs that the net makes for others. Raises Misuse for one that it does not define."""
        for output in outputs:
            demand(isinstance(output, BlobReference), f"an external output is a blob reference, not {output!r}")
            demand(self.BlobIsDefined(output), f"{output} is not defined in net {self._net.name!r}")
        self._net.external_output.extend(map(str, outputs))

    def AddExternalOutputs(self, *outputs: BlobReference) -> None:
        """AddExternalOutput."""
        self.AddExternalOutput(*outputs)

    def AddScopedExternalOutputs(self, *outputs: str) -> None:
        """Declare blobs of the current name scope that the net makes for others."""
        self.AddExternalOutput(*map(ScopedBlobReference, outputs))

    # Operators in between

    def insert_op_at_idx(self, op: caffe2_pb2.OperatorDef, op_idx: int) -> None:
        """Insert an operator before operator `op_idx`; what it reads and the net does not define is taken in."""
        demand(op_idx >= 0, f"an operator cannot be inserted at {op_idx}")
        missing = [name for name in dict.fromkeys(op.input) if not self.BlobIsDefined(name)]
        later = list(self._net.op[op_idx:])
        del self._net.op[op_idx:]
        self._net.op.extend([op, *later])
        self._net.external_input.extend(missing)
        self._InvalidateLookupTables()

    def reroute_tensor(
        self,
        tensor: Any,
        new_producer: caffe2_pb2.OperatorDef,
        can_modify: Iterable[caffe2_pb2.OperatorDef] | None = None,
    ) -> int:
        """Put `new_producer` after whoever makes its inputs, and have its first output stand for `tensor`.

        That is so in the external outputs, and in the operators of `can_modify`, whose number is returned. The net is
        taken to have no blob that is written twice.
        """
        name, new = str(tensor), new_producer.output[0]
        producers = {blob: index for index, op in reversed(list(enumerate(self._net.op))) for blob in op.output}
        if not self.is_external_input(name):
            demand(name in new_producer.input, f"new producer {new_producer.type} is not taking in {name}")
        self.insert_op_at_idx(new_producer, max(producers.get(i, -1) for i in new_producer.input) + 1)
        self._net.external_output[:] = [new if blob == name else blob for blob in self._net.external_output]
        consumers = [op for op in self._net.op if can_modify and op in can_modify]
        for op in consumers:
            remap_input(op, {name: new})
        return len(consumers)
